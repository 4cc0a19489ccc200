package output

import "math"

// The least widths of columns, in terminal columns.
const (
	pidStart      = 5  // grows to the 7 digits of 4,194,304 (PID_MAX_LIMIT) when such a process comes
	commStart     = 8  // most daemons' names; the kernel keeps 15
	commLeast     = 6  // below it names cannot be told apart
	viaWidth      = 7  // connect
	addressStart  = 21 // any IPv4 address with its port, 255.255.255.255:65535
	addressLeast  = 15 // [2001:…48]:65535: a port and enough of an address to recognize
	portWidth     = 6  // :65535
	durationWidth = 6  // 12.3ms, 99d23h
	relativeStart = 4  // 9,999 seconds; grows

	clockDigits = 6 // of the fraction of a second
	fullDigits  = 9
	someDigits  = 3 // on a narrow terminal
)

// What the rest of a row, the transition and its reason, is given at the least. Other rows than the longest have room to
// say more.
const (
	tailFull   = len("ESTABLISHED -> CLOSE process exit, next FIN_WAIT2")
	tailPhrase = len("ESTABLISHED -> CLOSE reset: unread data")
	tailTight  = len("FIN_WAIT1->CLOSE reset received")
	tailBrief  = len("SYN_SENT->CLOSE no route")
	tailState  = len("CLOSE_WAIT->LAST_ACK")
)

// layout is how wide the columns of a table are; one of width 0 is left out.
type layout struct {
	whole  int // whole seconds
	digits int // of the fraction of a second
	zone   int // offset of the zone
	pid    int
	comm   int
	via    int
	local  int
	remote int
	inOld  int

	tail     int  // the least that the rest of a row is given
	tight    bool // states as in "ESTAB->CLOSE_WAIT"
	portOnly bool // the local port without its address
}

func newLayout(style TimeStyle) layout {
	l := layout{
		pid: pidStart, comm: commStart, via: viaWidth, local: addressStart, remote: addressStart, inOld: durationWidth,
		tail: tailFull,
	}
	switch style {
	case Clock:
		l.whole, l.digits = len(secondClock), clockDigits
	case Full:
		l.whole, l.digits, l.zone = len(secondFull), fullDigits, len(zoneFull)
	case Unix:
		l.whole, l.digits = len("1700000000"), fullDigits
	case Relative:
		l.whole, l.digits = relativeStart, clockDigits
	}
	return l
}

// time is the width of the column of time.
func (l *layout) time() int {
	if l.whole == 0 || l.digits == 0 {
		return l.whole
	}
	return l.whole + 1 + l.digits + l.zone
}

// head is the width of all columns before the rest, with the space after each.
func (l *layout) head() int {
	sum := 0
	for _, width := range [...]int{l.time(), l.pid, l.comm, l.via, l.local, l.remote, l.inOld} {
		if width > 0 {
			sum += width + 1
		}
	}
	return sum
}

// A saving makes a layout narrower. It gets the number of columns that are still too many.
type saving func(l *layout, excess int)

// savings come in the order in which a reader can best do without: first what is nice to have, then ornament, then
// precision, then parts of an address, at last whole columns.
var savings = [...]saving{
	func(l *layout, _ int) { l.via = 0 },
	func(l *layout, _ int) { l.digits = min(l.digits, someDigits) },
	func(l *layout, _ int) { l.tail = tailPhrase },
	func(l *layout, excess int) { l.comm = shrink(l.comm, excess, commStart) },
	func(l *layout, _ int) { l.tight, l.tail = true, tailTight },
	func(l *layout, excess int) { l.local = shrink(l.local, excess, addressStart) },
	func(l *layout, _ int) { l.portOnly, l.local = true, portWidth },
	func(l *layout, _ int) { l.digits, l.zone = 0, 0 },
	func(l *layout, _ int) { l.tail = tailBrief },
	func(l *layout, excess int) { l.comm = shrink(l.comm, excess, commLeast) },
	func(l *layout, excess int) { l.remote = shrink(l.remote, excess, addressLeast) },
	func(l *layout, _ int) { l.tail = tailState },
	func(l *layout, _ int) { l.local = 0 },
	func(l *layout, _ int) { l.whole = 0 },
	func(l *layout, _ int) { l.inOld = 0 },
	func(l *layout, _ int) { l.comm = 0 },
	func(l *layout, _ int) { l.pid = 0 },
	func(l *layout, _ int) { l.remote = 0 },
}

// shrink returns width less what is too much, but at least least.
func shrink(width, excess, least int) int {
	return min(width, max(width-excess, least))
}

// fitted returns the layout with the savings that a terminal of that width asks for; 0 is endless.
func (l layout) fitted(width int) layout {
	if width <= 0 {
		width = math.MaxInt
	}
	for _, save := range savings {
		excess := l.head() + l.tail - width
		if excess <= 0 {
			break
		}
		save(&l, excess)
	}
	return l
}
