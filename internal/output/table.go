package output

import (
	"math"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const arrowLoose, arrowTight = " -> ", "->"

// oldWidth aligns the arrows. NEW_SYN_RECV is longer, but no transition shows it.
const oldWidth = len("ESTABLISHED")

// table writes rows for eyes. A column grows when something wider comes, and stays so, so that rows stay aligned with
// those before them for as long as can be.
type table struct {
	natural layout // wide enough for all that was seen
	layout  layout // natural, made to fit the terminal
	width   int    // of the terminal; 0 for none
	paint   painter
	stamp   stamp
	local   [maxEndpoint]byte
	remote  [maxEndpoint]byte
}

func newTable(o Options) table {
	if o.Time == Auto {
		o.Time = Clock
	}
	t := table{
		natural: newLayout(o.Time), width: o.Width, paint: painter(o.Color), stamp: newStamp(o.Time, o.Location),
	}
	t.layout = t.natural.fitted(t.width)
	return t
}

// grow makes *width as large as needed and says whether it had to.
func grow(width *int, needed int) bool {
	if needed <= *width {
		return false
	}
	*width = needed
	return true
}

// measure widens the columns that what comes in does not fit.
func (t *table) measure(e *tcp.Event, local, remote []byte) {
	grown := grow(&t.natural.local, len(local))
	grown = grow(&t.natural.remote, len(remote)) || grown
	if t.natural.whole > 0 {
		grown = grow(&t.natural.whole, len(t.stamp.whole)) || grown
	}
	if e.PID != 0 {
		grown = grow(&t.natural.comm, len(e.Comm.Bytes())) || grown
		grown = grow(&t.natural.pid, digits(e.PID)) || grown
	}
	if grown {
		t.layout = t.natural.fitted(t.width)
	}
}

// digits returns how many decimal digits v has.
func digits(v uint32) int {
	n := 1
	for v >= 10 {
		v /= 10
		n++
	}
	return n
}

// row appends one transition.
func (t *table) row(b []byte, e *tcp.Event) []byte {
	b = t.head(b, e)
	room := math.MaxInt
	if t.width > 0 {
		room = t.width - t.layout.head()
	}
	return append(t.tail(b, e, room), '\n')
}

// head appends the columns before the transition.
func (t *table) head(b []byte, e *tcp.Event) []byte {
	local, remote := appendEndpoint(t.local[:0], e.Local), appendEndpoint(t.remote[:0], e.Remote)
	t.stamp.set(e)
	t.measure(e, local, remote)
	l := &t.layout
	b = t.time(b)
	if l.pid > 0 {
		b = padLeft(appendOrDash(b, uint64(e.PID)), len(b), l.pid)
	}
	if l.comm > 0 {
		b = padRight(appendComm(b, e, l.comm), len(b), l.comm)
	}
	if l.via > 0 {
		b = padRight(appendNameOrDash(b, e.Evidence.String()), len(b), l.via)
	}
	if l.portOnly {
		local = portPart(local)
	}
	if l.local > 0 {
		b = appendEndpointCell(b, local, l.local)
	}
	if l.remote > 0 {
		b = appendEndpointCell(b, remote, l.remote)
	}
	if l.inOld > 0 {
		b = padLeft(appendDuration(b, e.InOld), len(b), l.inOld)
	}
	return b
}

// time appends the column of time, dim. The numbers of Unix and Relative stand at its right.
func (t *table) time(b []byte) []byte {
	l := &t.layout
	if l.whole == 0 {
		return b
	}
	for range l.whole - len(t.stamp.whole) {
		b = append(b, ' ')
	}
	if t.paint {
		b = append(b, dim...)
	}
	b = append(b, t.stamp.whole...)
	if l.digits > 0 {
		b = append(append(b, '.'), t.stamp.fraction[:l.digits]...)
	}
	if l.zone > 0 {
		b = append(b, t.stamp.zone...)
	}
	if t.paint {
		b = append(b, plain...)
	}
	return append(b, ' ')
}

// tail appends the transition and its reason in at most room columns.
func (t *table) tail(b []byte, e *tcp.Event, room int) []byte {
	used := t.changeColumns(e)
	if used > room {
		change := stateName(e.Old, true) + arrowTight + stateName(e.New, true)
		return append(b, change[:min(max(room, 0), len(change))]...)
	}
	return t.ending(t.change(b, e), e, room-used)
}

// changeColumns is how wide change is.
func (t *table) changeColumns(e *tcp.Event) int {
	if t.layout.tight {
		return len(stateName(e.Old, true)) + len(arrowTight) + len(stateName(e.New, true))
	}
	return max(len(e.Old.String()), oldWidth) + len(arrowLoose) + len(e.New.String())
}

// change appends the transition.
func (t *table) change(b []byte, e *tcp.Event) []byte {
	from, to, arrow := stateName(e.Old, t.layout.tight), stateName(e.New, t.layout.tight), arrowTight
	b = t.paint.paint(b, stateColor(e.Old), from)
	if !t.layout.tight {
		for range oldWidth - len(from) {
			b = append(b, ' ')
		}
		arrow = arrowLoose
	}
	return t.paint.paint(append(b, arrow...), stateColor(e.New), to)
}

// ending appends why, in at most room columns.
func (t *table) ending(b []byte, e *tcp.Event, room int) []byte {
	n := endingFor(e, room)
	if n.columns() > room {
		n = ending{reason: n.reason}
	}
	if excess := n.columns() - room; excess > 0 {
		return appendCut(b, n.reason, room)
	}
	if n.reason != "" || n.next != "" {
		b = t.paint.paint(append(b, ' '), reasonColor(e.Reason), n.reason)
		b = append(append(b, n.link...), n.next...)
	}
	if n.missed != "" {
		b = append(append(b, ' '), n.missed...)
	}
	return b
}

// appendCut appends a space and the beginning of text in room columns, or nothing where not even a letter fits.
func appendCut(b []byte, text string, room int) []byte {
	if room < len(" a")+1 {
		return b
	}
	b = append(append(b, ' '), text[:room-2]...)
	return append(b, ellipsis...)
}

// stateName returns the kernel's spelling, or ss's short one for the longest.
func stateName(s tcp.State, tight bool) string {
	if tight && s == tcp.Established {
		return "ESTAB"
	}
	return s.String()
}
