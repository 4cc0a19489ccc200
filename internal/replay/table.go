package replay

import (
	"time"

	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Table is the sockets of the host as the transitions so far have left them, after a baseline if there was one. What never
// made a transition, it knows from that alone. It is for one goroutine.
type Table struct {
	full  map[uint64]*tcp.Socket // by cookie
	minis map[record.Key]mini
	whole bool
	ended map[uint64]int64 // by cookie, when: before a baseline, which may still have seen it
	now   int64            // CLOCK_MONOTONIC of the last event, ns
	at    int64            // the same on the wall clock
}

type mini struct {
	socket tcp.Socket
	until  int64
}

// How long the kernel keeps minisocks: TCP_TIMEWAIT_LEN, and tcp_fin_timeout's default.
const minisockLife = 60 * time.Second

// NewTable returns a Table that knows none.
func NewTable() *Table {
	return &Table{full: map[uint64]*tcp.Socket{}, minis: map[record.Key]mini{}, ended: map[uint64]int64{}}
}

// maxEnded is how many ends are remembered: of the second before a baseline. Without one there are ever more.
const maxEnded = 1 << 17

// Baseline takes over all sockets that there are.
func (t *Table) Baseline(s *tcp.Snapshot, now, at int64) {
	before, began := *t, now-int64(s.Took)
	*t = *NewTable()
	t.whole, t.now, t.at, t.ended = true, max(now, before.now), max(at, before.at), nil
	for cookie, k := range before.full {
		if k.Seen >= began { // younger than what the baseline saw
			t.full[cookie] = k
		}
	}
	for i := range s.Sockets {
		k := s.Sockets[i]
		if t.full[k.Cookie] != nil || before.ended[k.Cookie] >= began && before.ended[k.Cookie] != 0 {
			continue
		}
		if k.Kind == tcp.Minisock {
			left := k.Timer.Left
			if k.Timer.Kind == tcp.TimerNone {
				left = minisockLife - k.Age.AtLeast
			}
			t.minis[record.KeyOf(&k)] = mini{k, now + int64(left)}
			continue
		}
		t.full[k.Cookie] = &k
	}
}

// IsWhole says whether there was a baseline: else the Table has only what made transitions.
func (t *Table) IsWhole() bool { return t.whole }

// Apply follows an event.
func (t *Table) Apply(e *tcp.Event) {
	t.now, t.at = max(t.now, e.Mono), max(t.at, e.Time)
	if e.New == tcp.Close {
		delete(t.full, e.Cookie)
		if t.ended != nil && len(t.ended) < maxEnded {
			t.ended[e.Cookie] = e.Mono
		}
		if e.Next.Valid() {
			s := minisockOf(e)
			t.minis[record.KeyOf(&s)] = mini{s, e.Mono + int64(minisockLife)}
		}
		return
	}
	s := t.full[e.Cookie]
	if s == nil {
		s = &tcp.Socket{
			Cookie: e.Cookie, RTT: tcp.Unknown, RTTVar: tcp.Unknown, LastSent: tcp.Unknown, LastReceived: tcp.Unknown, LastAck: tcp.Unknown,
		}
		t.full[e.Cookie] = s
	}
	if e.Old != e.New || s.State != e.New {
		s.Seen, s.Age = e.Mono, tcp.ExactAge(tcp.AgeTraced, 0)
	}
	s.State, s.Kind, s.Zombie, s.Orphan = e.New, tcp.Full, false, s.Orphan && e.Old == e.New
	s.NetNS, s.CgroupID, s.UID, s.Family, s.Local, s.Remote = e.NetNS, e.CgroupID, e.UID, e.Family, e.Local, e.Remote
	s.PID, s.Comm, s.Evidence = e.PID, e.Comm, e.Evidence
}

func minisockOf(e *tcp.Event) tcp.Socket {
	return tcp.Socket{
		Seen: e.Mono, Cookie: e.Cookie, CgroupID: e.CgroupID, NetNS: e.NetNS, UID: tcp.NoUID, Family: e.Family, Local: e.Local,
		Remote: e.Remote, State: e.Next, Kind: tcp.Minisock, Age: tcp.ExactAge(tcp.AgeTraced, 0), RTT: tcp.Unknown,
		RTTVar: tcp.Unknown, LastSent: tcp.Unknown, LastReceived: tcp.Unknown, LastAck: tcp.Unknown,
	}
}

// Snapshot returns the sockets at the time of the last event.
func (t *Table) Snapshot() *tcp.Snapshot {
	s := &tcp.Snapshot{Time: t.at}
	for _, k := range t.full {
		s.Sockets = append(s.Sockets, t.aged(*k))
	}
	for key, m := range t.minis {
		if m.until <= t.now {
			delete(t.minis, key)
			continue
		}
		s.Sockets = append(s.Sockets, t.aged(m.socket))
	}
	return s
}

// aged returns a socket as it is by now: older.
func (t *Table) aged(s tcp.Socket) tcp.Socket {
	passed := time.Duration(max(0, t.now-s.Seen))
	for _, d := range []*time.Duration{&s.LastSent, &s.LastReceived, &s.LastAck} {
		if *d != tcp.Unknown {
			*d += passed
		}
	}
	if s.Age.Known() {
		s.Age.AtLeast += passed
		if s.Age.AtMost != tcp.Unknown {
			s.Age.AtMost += passed
		}
	}
	s.Timer.Left = max(0, s.Timer.Left-passed)
	s.Seen = t.now
	return s
}
