package output

import "math"

// listColumn is a column of a listing. Those after listVia are in Wide alone.
type listColumn uint8

const (
	listState listColumn = iota
	listAge
	listRecvQ
	listSendQ
	listLocal
	listRemote
	listPID
	listComm
	listFD
	listVia
	listSource
	listCookie
	listUID
	listInode
	listTimer
	listRTT
	listRetrans
	listSent
	listRecv
	listLastSent
	listLastRecv
	listLastAck
	listErrno
	listShut
	listMark
	listDevice
	listNetNS
	listContainer
	listCgroup
	listColumns // how many
)

const (
	// stateTight is the longest state when ESTABLISHED is written as ESTAB.
	stateTight = len("CLOSE_WAIT")
	// addressEnough has both ends of an IPv6 address; one long address is not to cost all rows a column.
	addressEnough = 30
)

// listTitles has the columns' names and the widths that they begin with when nothing is measured, if those are larger.
var listTitles = [listColumns]struct {
	name  string
	start int
	right bool // numbers stand at the right
}{
	listState:     {"STATE", len("ESTABLISHED"), false},
	listAge:       {"AGE", ageWidth, true},
	listRecvQ:     {"RECV-Q", 0, true},
	listSendQ:     {"SEND-Q", 0, true},
	listLocal:     {"LOCAL", addressStart, false},
	listRemote:    {"REMOTE", addressStart, false},
	listPID:       {"PID", pidStart, true},
	listComm:      {"COMM", commStart, false},
	listFD:        {"FD", len("12+2"), false},
	listVia:       {"VIA", viaWidth, false},
	listSource:    {"AGE-BY", len("last_data"), false},
	listCookie:    {"COOKIE", 6, true},
	listUID:       {"UID", 5, true},
	listInode:     {"INODE", 7, true},
	listTimer:     {"TIMER", len("timer:(keepalive,119min,0)"), false},
	listRTT:       {"RTT/VAR", 2*durationWidth + 1, false},
	listRetrans:   {"RETRANS", 0, true},
	listSent:      {"SENT", 8, true},
	listRecv:      {"RECV", 8, true},
	listLastSent:  {"LAST-SENT", 0, true},
	listLastRecv:  {"LAST-RECV", 0, true},
	listLastAck:   {"LAST-ACK", 0, true},
	listErrno:     {"ERRNO", len("ECONNREFUSED"), false},
	listShut:      {"SHUT", len("receive"), false},
	listMark:      {"MARK", 0, true},
	listDevice:    {"DEV", 0, true},
	listNetNS:     {"NETNS", len("4026531840"), false},
	listContainer: {"CONTAINER", len("0123456789ab"), false},
	listCgroup:    {"CGROUP", 0, false},
}

// listLayout is how wide the columns of a listing are; one of width 0 is left out.
type listLayout struct {
	widths   [listColumns]int
	tight    bool // ESTAB for ESTABLISHED
	portOnly bool // the local port without its address
}

// newListLayout returns columns as wide as their titles, and with start at least their usual width.
func newListLayout(columns listColumn, start bool) listLayout {
	var l listLayout
	for c := range columns {
		l.widths[c] = len(listTitles[c].name)
		if start {
			l.widths[c] = max(l.widths[c], listTitles[c].start)
		}
	}
	return l
}

// columns is the width of a row.
func (l *listLayout) columns() int {
	sum := -1
	for _, width := range l.widths {
		if width > 0 {
			sum += width + 1
		}
	}
	return sum
}

// A listSaving makes a listing narrower, as a saving does a trace.
type listSaving func(l *listLayout, excess int)

// listSavings come in the order in which a reader can best do without.
var listSavings = [...]listSaving{
	narrow(listVia, viaWidth),
	narrow(listComm, commStart),
	narrow(listRecvQ, len("RECV-Q")),
	narrow(listSendQ, len("SEND-Q")),
	func(l *listLayout, _ int) { l.tight, l.widths[listState] = true, min(l.widths[listState], stateTight) },
	narrow(listLocal, addressStart),
	narrow(listRemote, addressEnough),
	drop(listVia),
	func(l *listLayout, _ int) {
		l.portOnly, l.widths[listLocal] = true, min(l.widths[listLocal], portWidth)
	},
	narrow(listComm, commLeast),
	narrow(listRemote, addressStart),
	drop(listSendQ),
	narrow(listRemote, addressLeast),
	drop(listRecvQ),
	drop(listLocal),
	drop(listFD),
	drop(listComm),
	drop(listPID),
	drop(listRemote),
	drop(listAge),
	narrow(listState, 1),
}

// narrow takes from a column what is too much, but leaves least.
func narrow(c listColumn, least int) listSaving {
	return func(l *listLayout, excess int) { l.widths[c] = shrink(l.widths[c], excess, least) }
}

// drop leaves out a column.
func drop(c listColumn) listSaving {
	return func(l *listLayout, _ int) { l.widths[c] = 0 }
}

// fitted returns the layout with the savings that a terminal of that width asks for; 0 is endless.
func (l listLayout) fitted(width int) listLayout {
	if width <= 0 {
		width = math.MaxInt
	}
	for _, save := range listSavings {
		excess := l.columns() - width
		if excess <= 0 {
			break
		}
		save(&l, excess)
	}
	return l
}
