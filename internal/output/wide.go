package output

import (
	"bytes"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// changeWidth is the widest transition: to a state of ten letters.
const changeWidth = oldWidth + len(arrowLoose) + len("CLOSE_WAIT") + 1

// The columns that a wide table has beyond a table.
const (
	extraCookie = iota
	extraNetNS
	extraCgroup
	extraUID
	extraRunning
	extraErrno
	extraSent
	extraRecv
	extraRetrans
	extraSRTT
	extraNext
	extras // how many
)

// extraColumns has their names and the widths that they start with.
var extraColumns = [extras]struct {
	name  string
	width int
	right bool // numbers stand at the right
}{
	extraCookie:  {"COOKIE", 6, true},
	extraNetNS:   {"NETNS", len("4026531840"), true}, // PROC_NET_INIT_INO and those around it
	extraCgroup:  {"CGROUP", 6, true},
	extraUID:     {"UID", 5, true},
	extraRunning: {"RUNNING", 7, true},
	extraErrno:   {"ERRNO", len("ECONNREFUSED"), false},
	extraSent:    {"SENT", 8, true},
	extraRecv:    {"RECV", 8, true},
	extraRetrans: {"RETRANS", 7, true},
	extraSRTT:    {"SRTT", durationWidth, true},
	extraNext:    {"NEXT", len("TIME_WAIT"), false},
}

// wide is a table with all that is known and no limit to its width.
type wide struct {
	table
	widths [extras]int
}

func newWide(o Options) wide {
	if o.Time == Auto {
		o.Time = Full
	}
	o.Width = 0
	w := wide{table: newTable(o)}
	for i, column := range extraColumns {
		w.widths[i] = column.width
	}
	return w
}

func (w *wide) header(b []byte) []byte {
	b = w.headTitles(b)
	b = padRight(append(b, changeLoose...), len(b), changeWidth)
	for i, column := range extraColumns {
		b = w.pad(append(b, column.name...), i, len(b))
	}
	return append(b, titleReason+"\n"...)
}

// pad ends the cell of an extra column, which began at start, and widens the column when the cell does not fit.
func (w *wide) pad(b []byte, column, start int) []byte {
	grow(&w.widths[column], len(b)-start)
	if extraColumns[column].right {
		return padLeft(b, start, w.widths[column])
	}
	return padRight(b, start, w.widths[column])
}

// row appends one transition.
func (w *wide) row(b []byte, e *tcp.Event) []byte {
	b = w.head(b, e)
	b = w.change(b, e)
	for column := range extras {
		b = w.pad(appendExtra(b, e, column), column, len(b))
	}
	b = w.paint.paint(b, reasonColor(e.Reason), e.Reason.Phrase())
	if e.Missed {
		b = append(b, " (missed before)"...)
	}
	return append(bytes.TrimRight(b, " "), '\n')
}

// change appends the transition, padded.
func (w *wide) change(b []byte, e *tcp.Event) []byte {
	used := w.changeColumns(e)
	b = w.table.change(b, e)
	return padRight(b, len(b)-used, changeWidth)
}

// appendExtra appends the cell of an extra column.
func appendExtra(b []byte, e *tcp.Event, column int) []byte {
	switch column {
	case extraCookie:
		if e.Cookie == 0 {
			return append(b, '-')
		}
		return appendHex(b, e.Cookie)
	case extraNetNS:
		return appendUint(b, uint64(e.NetNS))
	case extraCgroup:
		return appendOrDash(b, e.CgroupID)
	case extraUID:
		return appendUint(b, uint64(e.UID))
	case extraRunning:
		if e.Late {
			return append(b, '-')
		}
		return appendUint(b, uint64(e.RunningPID))
	case extraErrno:
		if e.Errno == 0 {
			return append(b, '-')
		}
		return appendErrno(b, e.Errno)
	case extraNext:
		return appendNameOrDash(b, nextName(e))
	}
	return appendTotal(b, e, column)
}

// appendTotal appends the cell of a column that has something to say on CLOSE alone.
func appendTotal(b []byte, e *tcp.Event, column int) []byte {
	if e.New != tcp.Close {
		return append(b, '-')
	}
	switch column {
	case extraSent:
		return appendUint(b, e.BytesSent)
	case extraRecv:
		return appendUint(b, e.BytesRecv)
	case extraRetrans:
		return appendUint(b, uint64(e.Retrans))
	case extraSRTT:
		return appendDuration(b, e.SRTT)
	}
	return b
}
