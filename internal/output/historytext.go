package output

import (
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	historyIndent = "  "
	historyTime   = "2006-01-02 15:04:05"
	microDigits   = 6
	// historyTimeWidth is a time to the microsecond with what stands before it.
	historyTimeWidth = len(atMostMark) + len(historyTime) + 1 + microDigits
	// stayWidth is the widest stay but for ranges: that of an age.
	stayWidth = ageWidth
)

// block appends a connection: a line that says which, and one for each of its steps.
func (h *History) block(b []byte, c *Connection) []byte {
	start := len(b)
	b = appendOwner(b, c.PID, &c.Comm, c.Evidence)
	b = appendEndpoint(append(b, "  "...), c.Local)
	b = appendEndpoint(append(b, arrowLoose...), c.Remote)
	var id [maxID]byte
	if text := appendID(id[:0], c); h.width > 0 && len(b)-start+len(text) > h.width {
		b = append(append(b, '\n'), text...)
	} else {
		b = append(b, text...)
	}
	b = append(b, '\n')
	if h.format == Wide {
		b = appendWhere(b, c)
	}
	if !c.Born && c.Kind == tcp.Full {
		b = h.note(b, "began before what is recorded")
	}
	for i := range c.Steps {
		b = h.step(b, &c.Steps[i], c)
	}
	if c.End != nil {
		b = h.end(b, c.End)
	}
	if c.Zombie {
		b = h.note(b, "zombie: seen in CLOSE with a descriptor still open")
	}
	if c.Kind != tcp.Full {
		b = h.note(b, "as a look saw it; its end is not recorded")
	}
	return b
}

// maxID is the longest text of appendID.
const maxID = len("  sk:  netns ") + maxHex + maxUint

// appendID appends what no two sockets of a boot have in common.
func appendID(b []byte, c *Connection) []byte {
	b = append(b, historyIndent+"sk:"...)
	if c.Cookie == 0 {
		b = append(b, '-')
	} else {
		b = appendHex(b, c.Cookie)
	}
	return appendUint(append(b, "  netns "...), uint64(c.NetNS))
}

// appendWhere appends what else is known of a connection.
func appendWhere(b []byte, c *Connection) []byte {
	b = append(b, historyIndent+"host "...)
	b = appendTextOrDash(b, c.Host)
	b = appendTextOrDash(append(b, "  boot "...), c.BootID)
	b = appendOrDash(append(b, "  cgroup "...), c.CgroupID)
	b = append(b, "  uid "...)
	if c.UID == tcp.NoUID {
		b = append(b, '-')
	} else {
		b = appendUint(b, uint64(c.UID))
	}
	return append(b, '\n')
}

func appendTextOrDash(b []byte, text string) []byte {
	if text == "" {
		return append(b, '-')
	}
	return appendPrintable(b, []byte(text))
}

// appendOwner appends an owner and by what evidence it is one.
func appendOwner(b []byte, pid uint32, comm *tcp.Comm, evidence tcp.Evidence) []byte {
	if pid == 0 {
		return append(b, "no known owner"...)
	}
	b = appendUint(append(appendPrintable(b, comm.Bytes()), ' '), uint64(pid))
	return append(appendNameOrDash(append(b, " ("...), evidence.String()), ')')
}

// note appends a line that stands under the states.
func (h *History) note(b []byte, text string) []byte {
	return append(append(h.under(b), text...), '\n')
}

// under leaves the column of time empty.
func (h *History) under(b []byte) []byte {
	b = append(b, historyIndent...)
	return append(padRight(b, len(b), h.timeWidth()), ' ')
}

// time appends the column of time.
func (h *History) time(b []byte, ns int64, noLater bool) []byte {
	b = append(b, historyIndent...)
	start := len(b)
	switch {
	case ns == 0:
		b = append(b, "  -"...)
	case noLater:
		b = h.moment(append(b, atMostMark...), ns)
	default:
		b = h.moment(append(b, "  "...), ns)
	}
	return append(padRight(b, start, h.timeWidth()), ' ')
}

// timeWidth is the width of the column of time.
func (h *History) timeWidth() int {
	if h.format == Wide {
		return historyTimeWidth + nanoDigits - microDigits
	}
	return historyTimeWidth
}

// moment appends a time: to the microsecond, and of a wide table to the nanosecond.
func (h *History) moment(b []byte, ns int64) []byte {
	number, rest := splitSecond(ns)
	b = append(time.Unix(number, 0).In(h.location).AppendFormat(b, historyTime), '.')
	b = appendNano(b, rest)
	if h.format == Wide {
		return b
	}
	return b[:len(b)-(nanoDigits-microDigits)]
}

const nanoDigits = 9

func (h *History) step(b []byte, s *Step, c *Connection) []byte {
	if s.State == 0 {
		return h.unknown(b, s)
	}
	b = h.time(b, s.Time, s.NoLater)
	name := s.State.String()
	b = h.paint.paint(b, stateColor(s.State), name)
	for range oldWidth + 1 - len(name) {
		b = append(b, ' ')
	}
	start := len(b)
	if h.format == Wide {
		b = appendAgeRange(b, s.Stay)
	} else {
		b = appendAge(b, s.Stay)
	}
	if s.Open {
		b = append(b, " so far"...)
	}
	if s.PID != c.PID && c.PID != 0 {
		for len(b)-start < stayWidth {
			b = append(b, ' ')
		}
		b = appendOwner(append(b, "  "...), s.PID, &s.Comm, s.Evidence)
	}
	return append(b, '\n')
}

// unknown appends a gap.
func (h *History) unknown(b []byte, s *Step) []byte {
	b = h.time(b, s.Time, false)
	switch s.Gap {
	case GapLost:
		b = append(appendUint(append(b, "? "...), s.Lost), " events lost, of this or other sockets"...)
	case GapUnrecorded:
		if b = append(b, "? not recorded"...); s.Until != 0 {
			b = h.moment(append(b, " until "...), s.Until)
		}
	default:
		b = append(b, "? a transition was not seen"...)
	}
	return append(b, '\n')
}

// end appends how a connection ended.
func (h *History) end(b []byte, e *tcp.Event) []byte {
	b = append(h.time(b, e.Time, false), "CLOSE "...)
	for range oldWidth - len("CLOSE") {
		b = append(b, ' ')
	}
	if phrase := e.Reason.Phrase(); phrase != "" {
		b = h.paint.paint(b, reasonColor(e.Reason), phrase)
	} else {
		b = append(b, "for an unknown reason"...)
	}
	if next := nextName(e); next != "" {
		b = append(append(b, ", next "...), next...)
	}
	b = h.under(append(b, '\n'))
	b = appendUint(append(b, "sent "...), e.BytesSent)
	b = append(appendUint(append(b, ", received "...), e.BytesRecv), " bytes"...)
	if h.format == Wide {
		b = appendUint(append(b, ", sent again "...), uint64(e.Retrans))
		b = appendDuration(append(b, ", rtt "...), e.SRTT)
		if e.Errno != 0 {
			b = appendErrno(append(b, ", "...), e.Errno)
		}
	}
	return append(b, '\n')
}

// totals appends the sums.
func (h *History) totals(b []byte, t *HistoryTotals) []byte {
	b = append(appendUint(b, t.Connections), " connection"...)
	if t.Connections != 1 {
		b = append(b, 's')
	}
	link := ", by the last state that is known: "
	for _, state := range lifeCycle {
		if n := t.Final[state]; n > 0 {
			b = append(appendUint(append(b, link...), n), ' ')
			b = h.paint.paint(b, stateColor(state), state.String())
			link = ", "
		}
	}
	b = append(b, "\nSTATE          STAYS     TOTAL   LONGEST\n"...)
	for _, state := range lifeCycle {
		if s := &t.States[state]; s.Stays > 0 {
			b = h.total(b, state, s)
		}
	}
	return b
}

// Widths of the columns of sums.
const (
	totalStateWidth = len("NEW_SYN_RECV")
	totalStaysWidth = len("1234567")
)

func (h *History) total(b []byte, state tcp.State, s *StateTotal) []byte {
	name := state.String()
	b = h.paint.paint(b, stateColor(state), name)
	for range totalStateWidth + 1 - len(name) {
		b = append(b, ' ')
	}
	b = padLeft(appendUint(b, s.Stays), len(b), totalStaysWidth)
	sum, longest := tcp.Age{}, tcp.Age{}
	if s.Unknown < s.Stays {
		sum, longest = lengthOf(s.Total, s.Inexact+s.Unknown > 0), lengthOf(s.Longest, s.IsBound)
	}
	b = append(b, ' ')
	b = padLeft(appendAge(b, sum), len(b), stayWidth)
	b = append(b, ' ')
	start := len(b)
	b = appendAge(b, longest)
	for range stayWidth - (len(b) - start) {
		b = append(b, ' ')
	}
	if s.Cookie != 0 {
		b = appendHex(append(b, " sk:"...), s.Cookie)
	}
	if s.Unknown > 0 {
		b = append(appendUint(append(b, "  and "...), s.Unknown), " unknown"...)
	}
	return append(b, '\n')
}

// lengthOf returns a duration as an age that is exact, or a lower bound.
func lengthOf(d time.Duration, isBound bool) tcp.Age {
	a := tcp.ExactAge(tcp.AgeTraced, d)
	if isBound {
		a.AtMost = tcp.Unknown
	}
	return a
}
