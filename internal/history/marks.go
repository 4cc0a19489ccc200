package history

import (
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/record"
)

// maxMarks is how many sessions and losses are told apart: more than years of recording have.
const maxMarks = 200_000

// marks are what lines tell of all sockets: where sessions begin and events are missing, in order. Between two of them it
// takes the same time to sum up, however many there are.
type marks struct {
	sessions []session
	all      []mark
}

// session is a stretch of recording by one tracer.
type session struct {
	host, boot string
	began      int64 // ns since 1970
	last       int64 // when it was still going on
}

type mark struct {
	session int    // the last one that has begun
	begins  bool   // with this mark
	lost    uint64 // events in all, up to here
	time    int64
}

func newMarks() *marks { return &marks{sessions: []session{{}}} }

func (m *marks) lost() uint64 {
	if len(m.all) == 0 {
		return 0
	}
	return m.all[len(m.all)-1].lost
}

func (m *marks) begin(r *record.Record) {
	m.sessions = append(m.sessions, session{
		host: cut(r.Session.Host, maxHost), boot: cut(r.Session.BootID, maxBootID), began: r.Time, last: r.Time,
	})
	m.all = append(m.all, mark{len(m.sessions) - 1, true, m.lost(), r.Time})
}

func (m *marks) loss(r *record.Record) {
	lost := m.lost() + r.Lost
	if lost < r.Lost {
		lost = ^uint64(0)
	}
	m.all = append(m.all, mark{len(m.sessions) - 1, false, lost, r.Time})
}

// alive says that the session that is current was still going on.
func (m *marks) alive(at int64) {
	s := &m.sessions[len(m.sessions)-1]
	s.last = max(s.last, at)
}

// sessionAt returns the session at a time; lines of which no session is known are of the first.
func (m *marks) sessionAt(at int64) *session {
	low, high := 1, len(m.sessions)
	for low < high {
		if middle := (low + high) / 2; m.sessions[middle].began <= at {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return &m.sessions[low-1]
}

// sessionOf returns the session of a line before which there were so many marks.
func (m *marks) sessionOf(before int) *session {
	if before == 0 {
		return &m.sessions[0]
	}
	return &m.sessions[m.all[before-1].session]
}

// between returns what is not known between two lines, before which there were so many marks.
func (m *marks) between(from, to int) (gaps []output.Step) {
	if from >= to {
		return nil
	}
	last := m.all[to-1]
	lost, at := last.lost, int64(0)
	if from > 0 {
		lost -= m.all[from-1].lost
	}
	if lost > 0 {
		at = m.firstLoss(from, to)
		gaps = append(gaps, output.Step{Gap: output.GapLost, Lost: lost, Time: at})
	}
	if before := m.sessionOf(from); before != m.sessionOf(to) {
		gap := output.Step{Gap: output.GapUnrecorded, Time: before.last, Until: m.sessionOf(to).began}
		if at > before.last { // of a later session
			return append([]output.Step{gap}, gaps...)
		}
		gaps = append(gaps, gap)
	}
	return gaps
}

// firstLoss returns the time of the first loss. There is one.
func (m *marks) firstLoss(from, to int) int64 {
	before := uint64(0)
	if from > 0 {
		before = m.all[from-1].lost
	}
	low, high := from, to-1
	for low < high {
		if middle := (low + high) / 2; m.all[middle].lost > before {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return m.all[low].time
}

// nextSession returns how many marks there are before the one that begins the next session, or in all.
func (m *marks) nextSession(from int) (before int, ok bool) {
	current := 0
	if from > 0 {
		current = m.all[from-1].session
	}
	low, high := from, len(m.all)
	for low < high {
		if middle := (low + high) / 2; m.all[middle].session > current {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low, low < len(m.all)
}

// behind returns how many of the last marks come after a time.
func (m *marks) behind(at int64) (n int) {
	for i := len(m.all) - 1; i >= 0 && m.all[i].time > at; i-- {
		n++
	}
	return n
}
