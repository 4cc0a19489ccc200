package leak

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// nextStates is what the kernel's state machine allows, self-transitions included.
var nextStates = map[tcp.State][]tcp.State{
	tcp.Close:       {tcp.SynSent},
	tcp.SynSent:     {tcp.Established, tcp.Established, tcp.Established, tcp.Close},
	tcp.Established: {tcp.FinWait1, tcp.CloseWait, tcp.CloseWait, tcp.Close},
	tcp.FinWait1:    {tcp.FinWait1, tcp.FinWait2, tcp.FinWait2, tcp.Closing, tcp.Close},
	tcp.FinWait2:    {tcp.FinWait2, tcp.Close},
	tcp.CloseWait:   {tcp.LastAck, tcp.Close},
	tcp.LastAck:     {tcp.LastAck, tcp.Close},
	tcp.Closing:     {tcp.Closing, tcp.Close},
}

// model is a host that is simulated the plain way, and what a watcher ought to know of it.
type model struct {
	random  *rand.Rand
	sockets []modelSocket
	now     int64
	pending []*tcp.Event // held back
	watcher *Watcher
	last    *tcp.Event
	lose    float64
	delay   float64
}

type modelSocket struct {
	state     tcp.State
	entered   int64
	connected bool
	orphan    bool
	missed    bool
}

func newModel(seed uint64, lose, delay float64) *model {
	m := &model{
		random: rand.New(rand.NewPCG(seed, 5)), sockets: make([]modelSocket, 40), now: 1000 * second, lose: lose, delay: delay,
		watcher: NewWatcher(WatchOptions{Limits: limitsOf("CLOSE_WAIT=20s,FIN_WAIT2=10s,ZOMBIE=30s,SYN_SENT=3s,LAST_ACK=7s,FIN_WAIT1=5s,CLOSING=5s,ESTABLISHED=15s")}),
	}
	for i := range m.sockets {
		m.sockets[i].state = tcp.Close
	}
	return m
}

// step lets a socket make a transition, and tells the watcher, or not, or later.
func (m *model) step() {
	m.now += int64(50*time.Millisecond) + m.random.Int64N(second)
	i := m.random.IntN(len(m.sockets))
	s := &m.sockets[i]
	next := nextStates[s.state][m.random.IntN(len(nextStates[s.state]))]
	e := event(uint64(i+1), m.now, s.state, next)
	e.Missed, s.missed = s.missed, false
	switch {
	case next == tcp.SynSent:
		*s = modelSocket{}
	case s.state == tcp.SynSent && next == tcp.Established:
		s.connected = true
	case s.state == tcp.FinWait2 && next == tcp.FinWait2:
		s.orphan = true
	case next == tcp.Close:
		e.Reason = []tcp.Reason{tcp.ReasonNone, tcp.ReasonResetReceived, tcp.ReasonTimeout}[m.random.IntN(3)]
	}
	if s.state != next {
		s.state, s.entered = next, m.now
	}
	switch p := m.random.Float64(); {
	case p < m.lose:
		s.missed = true
	case p < m.lose+m.delay:
		e.Late = true
		m.pending = append(m.pending, e)
	default:
		m.watcher.Observe(e)
	}
	m.last = e
	if len(m.pending) > 0 && m.random.IntN(4) == 0 {
		m.flush()
	}
}

func (m *model) flush() {
	for _, e := range m.pending {
		m.watcher.Observe(e)
	}
	m.pending = nil
}

// truth returns what is in a condition with a limit, and since when; zombies are those of connected sockets.
func (m *model) truth() map[uint64]clock {
	truth := map[uint64]clock{}
	for i, s := range m.sockets {
		c := Condition(s.state)
		if s.state == tcp.Close {
			c = Zombie
		}
		if c == Zombie && !s.connected || c == finWait2 && s.orphan {
			continue
		}
		truth[uint64(i+1)] = clock{c, s.entered}
	}
	return truth
}

type clock struct {
	c       Condition
	entered int64
}

// take is a snapshot of the model with exact ages, or, with a bound, with ages that are only known to lie within that.
func (m *model) take(bound time.Duration) *tcp.Snapshot {
	var sockets []tcp.Socket
	for i, s := range m.sockets {
		age := time.Duration(m.now - s.entered)
		x := stuckSocket(uint64(i+1), s.state, age)
		x.Zombie = s.state == tcp.Close && s.connected
		x.Orphan = s.orphan && s.state == tcp.FinWait2
		if bound > 0 {
			x.Age = tcp.Age{Source: tcp.AgeLastAck, AtLeast: max(0, age-bound), AtMost: age + bound}
		}
		sockets = append(sockets, x)
	}
	s := snapshot(sockets...)
	s.Took = 0
	return s
}

// known returns what the watcher has a clock of.
func (w *Watcher) known() map[uint64]clock {
	known := map[uint64]clock{}
	for _, block := range w.pool.blocks {
		for i := range block {
			if s := &block[i]; s.cookie != 0 {
				known[s.cookie] = clock{s.condition, s.entered}
			}
		}
	}
	return known
}

// check compares queues, index and slots with each other.
func (w *Watcher) check(t *testing.T) {
	t.Helper()
	queued := w.queues.waiting.n + len(w.queues.heap)
	for c := range w.queues.lists {
		for l := range w.queues.lists[c] {
			list, n := &w.queues.lists[c][l], 0
			last := int64(0)
			for p := list.head; p != nowhere; p = w.pool.at(p).next {
				s := w.pool.at(p)
				if s.deadline < last || s.where != inList || s.condition != Condition(c) {
					t.Fatalf("list of %v: %+v after %d", Condition(c), s, last)
				}
				last = s.deadline
				n++
			}
			if n != list.n {
				t.Fatalf("list of %v has %d, and says %d", Condition(c), n, list.n)
			}
			queued += n
		}
	}
	for i, p := range w.queues.heap {
		if s := w.pool.at(p); s.where != inHeap || int(s.prev) != i || i > 0 && w.queues.before(i, (i-1)/2) {
			t.Fatalf("heap is out of order at %d: %+v", i, s)
		}
	}
	known, none := w.known(), 0
	for cookie := range known {
		place := w.index.find(cookie, &w.pool)
		if place == nowhere {
			t.Fatalf("cookie %d is not in the index", cookie)
		}
		if w.pool.at(place).where == inNone {
			none++
		}
	}
	if len(known) != w.pool.used || w.index.used != w.pool.used || queued+none != w.pool.used {
		t.Fatalf("%d slots, %d used, %d in the index, %d queued, %d not", len(known), w.pool.used, w.index.used, queued, none)
	}
}

func withoutZombies(clocks map[uint64]clock) map[uint64]clock {
	maps.DeleteFunc(clocks, func(_ uint64, k clock) bool { return k.c == Zombie })
	return clocks
}

func TestWatcherKnowsWhatEventsTell(t *testing.T) {
	for seed := range uint64(50) {
		m := newModel(seed, 0, 0)
		for range 400 {
			m.step()
			if got, want := withoutZombies(m.watcher.known()), withoutZombies(m.truth()); !maps.Equal(got, want) {
				t.Fatalf("seed %d: %v, want %v", seed, got, want)
			}
		}
		m.watcher.check(t)
	}
}

func TestLateEventsLoseNothing(t *testing.T) {
	for seed := range uint64(50) {
		m := newModel(seed, 0, 0.3)
		for range 10 {
			for range 40 {
				m.step()
			}
			m.flush()
			known := m.watcher.known()
			for cookie, want := range withoutZombies(m.truth()) {
				if known[cookie] != want {
					t.Fatalf("seed %d: socket %d: %v, want %v", seed, cookie, known[cookie], want)
				}
			}
			m.watcher.check(t)
		}
	}
}

func TestResyncMakesUpForLosses(t *testing.T) {
	for seed := range uint64(100) {
		m := newModel(seed, 0.2, 0.1)
		for range 10 {
			for range 30 {
				m.step()
				m.watcher.Due(m.now)
			}
			m.flush()
			m.now += second
			m.watcher.Resync(m.take(0), m.now)
			m.watcher.check(t)
			if got, want := m.watcher.known(), m.truth(); !maps.Equal(got, want) {
				t.Fatalf("seed %d: %v, want %v", seed, got, want)
			}
			if again := m.watcher.Resync(m.take(0), m.now); again != (Resynced{}) {
				t.Fatalf("seed %d: a second look changes %+v", seed, again)
			}
		}
	}
}

// TestEventsDuringSnapshot: what a snapshot shows, and events have undone since, stays undone.
func TestEventsDuringSnapshot(t *testing.T) {
	for seed := range uint64(100) {
		m := newModel(seed, 0.1, 0)
		for range 10 {
			for range 30 {
				m.step()
			}
			m.now += second
			s, began := m.take(0), m.now
			m.lose = 0
			for range 10 {
				m.step()
			}
			s.Took = time.Duration(m.now - began)
			m.watcher.Resync(s, m.now)
			m.watcher.check(t)
			m.lose = 0.1
			got, want := withoutZombies(m.watcher.known()), withoutZombies(m.truth())
			for cookie, k := range got {
				if w, ok := want[cookie]; !ok || w.c != k.c || k.entered < w.entered || k.entered > w.entered+int64(s.Took) {
					t.Fatalf("seed %d: socket %d: %v, want %v", seed, cookie, k, w)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("seed %d: %v, want %v", seed, got, want)
			}
		}
	}
}

// TestBoundsNeverProveTooMuch: whatever is lost, and however loose the ages are, no socket counts as older than it is.
func TestBoundsNeverProveTooMuch(t *testing.T) {
	for seed := range uint64(100) {
		m := newModel(seed, 0.2, 0.1)
		r := NewReporter(m.watcher, ReportOptions{Sample: 100})
		for range 10 {
			for range 30 {
				m.step()
			}
			m.flush()
			m.now += second
			truth := m.truth()
			for _, f := range r.Report(m.now, m.take(300*time.Millisecond), nil) {
				if f.Status.IsOver() {
					continue
				}
				for _, s := range f.Sample {
					c := truth[s.Socket.Cookie]
					age := time.Duration(m.now - c.entered)
					if limit, _ := m.watcher.limits.Of(c.c); s.Age > age+imprecision || s.Age < limit.Warn {
						t.Fatalf("seed %d: %v for %v, of which %v are proven", seed, c.c, age, s.Age)
					}
				}
			}
			m.watcher.check(t)
		}
	}
}
