package leak

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// overdue returns what is past its limit, and how far.
func (m *model) overdue() map[uint64]Level {
	overdue := map[uint64]Level{}
	for cookie, k := range m.truth() {
		if limit, ok := m.watcher.limits.Of(k.c); ok {
			if level := limit.level(time.Duration(m.now - k.entered)); level > None {
				overdue[cookie] = level
			}
		}
	}
	return overdue
}

func reported(findings []Finding) map[uint64]Level {
	stuck := map[uint64]Level{}
	for _, f := range findings {
		if f.Status.IsOver() {
			continue
		}
		for _, s := range f.Sample {
			stuck[s.Socket.Cookie] = s.Level
		}
	}
	return stuck
}

// TestLooksWhenDueMissNothing: who looks when Due says so, and never else, knows at any time of every socket that is past
// a limit, and of none that is not.
func TestLooksWhenDueMissNothing(t *testing.T) {
	for _, delay := range []float64{0, 0.1} {
		looks, steps := 0, 0
		for seed := range uint64(10) {
			m := newModel(seed, 0, delay)
			r := NewReporter(m.watcher, ReportOptions{Sample: 100})
			m.watcher.Seed(m.take(0), m.now)
			var known map[uint64]Level
			for range 400 {
				m.step()
				m.flush()
				if n, next := m.watcher.Due(m.now); n > 0 {
					known = reported(r.Report(m.now, m.take(0), nil))
					looks++
				} else if next <= m.now {
					t.Fatalf("seed %d: nothing is due, but next is %d at %d", seed, next, m.now)
				}
				if want := m.overdue(); !maps.Equal(known, want) {
					t.Fatalf("seed %d: %v, want %v", seed, known, want)
				}
				steps++
			}
			m.watcher.check(t)
		}
		if looks == steps {
			t.Error("looked at every step")
		}
	}
}

// within leaves out what lies beyond the horizon, as the kernel's side does.
func within(s *tcp.Snapshot, h tcp.Horizon, now int64) *tcp.Snapshot {
	s.Horizon = h
	s.Sockets = slices.DeleteFunc(s.Sockets, func(k tcp.Socket) bool {
		return h[k.State] != 0 && k.Age.AtMost != tcp.Unknown && now-int64(k.Age.AtMost) > h[k.State]
	})
	return s
}

// TestHorizonHidesNothing: looks that see no farther than they must find what looks that see all do, of sockets that are
// older than the events, too, and they see less.
func TestHorizonHidesNothing(t *testing.T) {
	all, seen := 0, 0
	for seed := range uint64(20) {
		m := newModel(seed, 0, 0)
		bound := time.Duration(seed%3) * 4 * time.Second
		far := NewWatcher(WatchOptions{Limits: m.watcher.limits})
		near := NewWatcher(WatchOptions{Limits: m.watcher.limits})
		farReports, nearReports := NewReporter(far, ReportOptions{Sample: 100}), NewReporter(near, ReportOptions{Sample: 100})
		for range 100 {
			m.step()
		}
		far.Seed(m.take(bound), m.now)
		near.Seed(m.take(bound), m.now)
		for range 400 {
			m.step()
			far.Observe(m.last)
			near.Observe(m.last)
			want := reported(farReports.Report(m.now, m.take(0), nil))
			var got map[uint64]Level
			for looks := 0; ; looks++ {
				h := near.Horizon(m.now)
				s := within(m.take(0), h, m.now)
				got = reported(nearReports.Report(m.now, s, nil))
				all, seen = all+len(m.sockets), seen+len(s.Sockets)
				if n, _ := near.Due(m.now); n == 0 {
					break
				}
				if looks == 2 {
					t.Fatalf("seed %d: still due after three looks", seed)
				}
			}
			if !maps.Equal(got, want) {
				t.Fatalf("seed %d: %v, want %v", seed, got, want)
			}
		}
		near.check(t)
	}
	if seen*10 > all*9 { // most are old in the model
		t.Errorf("saw %d of %d sockets", seen, all)
	}
}

func TestHorizon(t *testing.T) {
	w := NewWatcher(WatchOptions{Limits: limitsOf("CLOSE_WAIT=1h,FIN_WAIT2=30s,LAST_ACK=20s,ZOMBIE=1m"), MaxWatched: 1})
	now := 7200 * second
	if h := w.Horizon(now); h != (tcp.Horizon{}) {
		t.Errorf("the first look: %v", h)
	}
	w.Seed(snapshot(), now)
	want := tcp.Horizon{}
	want[tcp.LastAck] = now - 18*second
	want[tcp.FinWait2] = now - 28*second
	want[tcp.CloseWait] = want[tcp.FinWait2] // its other end is wanted when it is due
	if h := w.Horizon(now); h != want {
		t.Errorf("%v, want %v", h, want)
	}
	w.Blind()
	if h := w.Horizon(now); h != (tcp.Horizon{}) {
		t.Errorf("after a loss: %v", h)
	}
	w.Resync(snapshot(), now)
	if h := w.Horizon(now); h != want {
		t.Errorf("after a look at all: %v", h)
	}
	w.Observe(event(1, now, tcp.Established, tcp.CloseWait))
	w.Observe(event(2, now, tcp.Established, tcp.CloseWait))
	if h := w.Horizon(now); h != (tcp.Horizon{}) {
		t.Errorf("with a socket without a clock: %v", h)
	}
}

// TestBeyondHorizonIsNotGone: a look that does not reach so far proves nothing about a young socket, but that an old one is gone.
func TestBeyondHorizonIsNotGone(t *testing.T) {
	w := NewWatcher(WatchOptions{Limits: limitsOf("CLOSE_WAIT=60s")})
	w.Seed(snapshot(), 100*second)
	w.Observe(event(1, 110*second, tcp.Established, tcp.CloseWait))
	w.Observe(event(2, 190*second, tcp.Established, tcp.CloseWait))
	now := 200 * second
	s := snapshot()
	s.Took, s.Horizon = 0, w.Horizon(now)
	if r := w.Resync(s, now); r.Removed != 1 {
		t.Errorf("%+v", r)
	}
	if known := w.known(); len(known) != 1 || known[2].entered != 190*second {
		t.Errorf("%v", known)
	}
}

// TestIdleSinceItWasSeen: how long ago bytes flowed refers to when the socket was looked at, and not to the end of the look.
func TestIdleSinceItWasSeen(t *testing.T) {
	r := newReports(ReportOptions{})
	s := stuckSocket(1, tcp.CloseWait, 59*time.Second)
	s.LastReceived = 59 * time.Second
	now := 1000 * second
	s.Seen = now - second
	if found := r.Report(now, snapshot(s), nil); len(found) != 1 || found[0].Oldest != 60*time.Second {
		t.Errorf("%+v", found)
	}
}

func TestFloodOfEndpointsMakesFewGroups(t *testing.T) {
	r := newReports(ReportOptions{})
	asked := 0
	var sockets []tcp.Socket
	for i := range uint64(5000) {
		s := stuckSocket(i+1, tcp.CloseWait, time.Hour)
		s.Remote = addr(fmt.Sprintf("10.1.%d.%d:443", i/256, i%256))
		sockets = append(sockets, s)
	}
	found := r.Report(10000*second, snapshot(sockets...), countingFacts{&asked})
	if len(found) != 1 || found[0].Count != 5000 || found[0].Endpoints != 5000 || asked != 1 {
		t.Errorf("%d findings, asked %d times", len(found), asked)
	}
	if len(r.records) != 1 {
		t.Errorf("%d records", len(r.records))
	}
}

func TestLimitsOfAProcessAreAskedOnce(t *testing.T) {
	asked := 0
	a, b := stuckSocket(1, tcp.CloseWait, time.Hour), stuckSocket(2, tcp.FinWait2, time.Hour)
	found := newReports(ReportOptions{}).Report(10000*second, snapshot(a, b), countingFacts{&asked})
	if len(found) != 2 || asked != 1 || !found[1].FDs.Known {
		t.Errorf("%d findings, asked %d times", len(found), asked)
	}
}

type countingFacts struct{ asked *int }

func (c countingFacts) FDLimit(uint32) (uint64, int, bool) {
	*c.asked++
	return 20000, 6000, true
}

func TestCandidatesKeepNobodyOut(t *testing.T) {
	w := NewWatcher(WatchOptions{Limits: DefaultLimits(), MaxWatched: 100})
	for i := range uint64(1000) {
		e := event(i+1, second+int64(i), tcp.Established, tcp.Close)
		e.Reason = tcp.ReasonResetReceived
		w.Observe(e)
	}
	w.Observe(event(5000, 2*second, tcp.Established, tcp.CloseWait))
	if s := w.Stats(); s.Watched != 51 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
	if n, _ := w.Due(61 * second); n != 1 {
		t.Errorf("%d due at the limit of the first", n)
	}
	if n, _ := w.Due(62 * second); n != 1001 {
		t.Errorf("%d due in all", n)
	}
}
