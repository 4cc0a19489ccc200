package leak

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestDueOnTimeAmongHundredThousand(t *testing.T) {
	const n = 100_000
	w := NewWatcher(WatchOptions{Limits: DefaultLimits()})
	random := rand.New(rand.NewPCG(1, 2))
	entered := make([]int64, n)
	at := 100 * second
	var late []*tcp.Event
	for i := range n {
		at += random.Int64N(int64(time.Millisecond))
		entered[i] = at
		state := []tcp.State{tcp.CloseWait, tcp.FinWait2}[i%2]
		if e := event(uint64(i+1), at, tcp.Established, state); random.IntN(100) == 0 {
			late = append(late, e)
		} else {
			w.Observe(e)
		}
	}
	for _, e := range late {
		w.Observe(e)
	}
	w.check(t)
	want := 0
	for now := entered[0]; want < n; {
		due, next := w.Due(now)
		for want < n && entered[want]+60*second <= now {
			want++
		}
		if due != want {
			t.Fatalf("at %d: %d due, want %d", now, due, want)
		}
		if want == n {
			if next != Never {
				t.Errorf("all are due, but next is %d", next)
			}
			break
		}
		if next != entered[want]+60*second {
			t.Fatalf("at %d: next is %d, want %d", now, next, entered[want]+60*second)
		}
		now = next
		if random.IntN(3) == 0 {
			now += random.Int64N(int64(100 * time.Millisecond))
		}
	}
}

func TestSelfTransitionsKeepTheClock(t *testing.T) {
	w := NewWatcher(WatchOptions{Limits: limitsOf("LAST_ACK=60s,FIN_WAIT2=60s")})
	w.Observe(event(1, 10*second, tcp.CloseWait, tcp.LastAck))
	w.Observe(event(1, 50*second, tcp.LastAck, tcp.LastAck))
	if _, next := w.Due(50 * second); next != 70*second {
		t.Errorf("due at %d, want 70 s", next/second)
	}
	w.Observe(event(2, 10*second, tcp.FinWait1, tcp.FinWait2))
	w.Observe(event(2, 20*second, tcp.FinWait2, tcp.FinWait2))
	if n := w.Stats().Watched; n != 1 {
		t.Errorf("%d watched: a FIN_WAIT2 that was closed is an orphan", n)
	}
}

func TestLateEntryAfterExitIsDroppedByTheLook(t *testing.T) {
	r := newReports(ReportOptions{})
	w := r.watcher
	w.Observe(event(1, 20*second, tcp.CloseWait, tcp.LastAck))
	late := event(1, 10*second, tcp.Established, tcp.CloseWait)
	late.Late = true
	w.Observe(late)
	if n, _ := w.Due(70 * second); n != 1 {
		t.Fatalf("%d due", n)
	}
	if found := r.Report(70*second, snapshot(), nil); len(found) != 0 {
		t.Errorf("found %+v", found)
	}
	if n, next := w.Due(70 * second); n != 0 || next != Never {
		t.Errorf("%d due after the look, next %d", n, next)
	}
}

func TestYoungerEventWinsOverSnapshot(t *testing.T) {
	w := NewWatcher(WatchOptions{Limits: DefaultLimits()})
	s := snapshot(stuckSocket(2, tcp.CloseWait, time.Hour))
	s.Took = time.Second
	w.Observe(event(1, 100*second+1, tcp.Established, tcp.CloseWait)) // after the look at its place
	w.Observe(event(2, 100*second+2, tcp.Established, tcp.CloseWait)) // before it
	if got := w.Resync(s, 101*second); got != (Resynced{}) {
		t.Errorf("%+v", got)
	}
	if n, next := w.Due(101 * second); n != 0 || next != 160*second+1 {
		t.Errorf("%d due, next %d", n, next)
	}
	if got := w.Resync(s, 200*second); got != (Resynced{Removed: 1}) {
		t.Errorf("later: %+v", got)
	}
	s.Sockets[0].Age = tcp.ExactAge(tcp.AgeTraced, 50*time.Second)
	if got := w.Resync(s, 201*second); got != (Resynced{Removed: 1, Added: 1}) {
		t.Errorf("the same socket in a later connection: %+v", got)
	}
}

func TestMinisockIsNotItsFullSocket(t *testing.T) {
	r := newReports(ReportOptions{})
	minisock := tcp.Socket{Cookie: 1, State: tcp.FinWait2, Kind: tcp.Minisock, NetNS: 1, Timer: tcp.Timer{Kind: tcp.TimerTimeWait, Left: time.Minute}}
	held := zombie(1, 2*time.Minute)
	for _, s := range []*tcp.Snapshot{snapshot(minisock, held), snapshot(held, minisock)} {
		found := r.Report(1000*second, s, nil)
		if len(found) != 1 || found[0].Key.Cause != ZombieHeld || r.Tally().Orphans != 1 || r.Tally().OrphansEnd != time.Minute {
			t.Errorf("%+v, tally %+v", found, r.Tally())
		}
	}
	if found := r.Report(1001*second, snapshot(minisock), nil); len(found) != 1 || found[0].Status != Resolved {
		t.Errorf("%+v", found)
	}
}

func TestZombieClockStartsAtClose(t *testing.T) {
	r := newReports(ReportOptions{})
	w := r.watcher
	for i, tt := range []struct {
		old    tcp.State
		reason tcp.Reason
		next   tcp.State
		due    int
	}{
		{tcp.Established, tcp.ReasonResetReceived, 0, 1},
		{tcp.CloseWait, tcp.ReasonTimeout, 0, 1},
		{tcp.FinWait2, tcp.ReasonFinLocal, tcp.TimeWait, 1},
		{tcp.LastAck, tcp.ReasonFinRemote, 0, 1},
		{tcp.FinWait2, tcp.ReasonFinLocal, tcp.FinWait2, 0},
		{tcp.Established, tcp.ReasonAbortUnread, 0, 0},
		{tcp.CloseWait, tcp.ReasonProcessExit, 0, 0},
		{tcp.SynSent, tcp.ReasonRefused, 0, 0},
		{tcp.Listen, tcp.ReasonListenerClosed, 0, 0},
	} {
		at := int64(i+1) * 1000 * second
		e := event(uint64(i+1), at, tt.old, tcp.Close)
		e.Reason, e.Next = tt.reason, tt.next
		w.Observe(e)
		before, next := w.Due(at + 60*second - 1)
		if n, _ := w.Due(at + 60*second); before != 0 || n != tt.due || n > 0 && next != at+60*second {
			t.Errorf("%v, %v: due %d, then %d; next %d", tt.old, tt.reason, before, n, next-at)
		}
		r.Report(at+60*second+1, snapshot(), nil)
	}
	if n := w.Stats().Watched; n != 0 {
		t.Errorf("%d candidates are left", n)
	}
}

// TestOneLookFindsAllZombiesOnTime: of orderly ends only the first is kept, and yet each zombie is found when it is due.
func TestOneLookFindsAllZombiesOnTime(t *testing.T) {
	r := newReports(ReportOptions{})
	w := r.watcher
	for i := range 50 {
		e := event(uint64(i+1), int64(100+i)*second, tcp.FinWait2, tcp.Close)
		e.Reason, e.Next = tcp.ReasonFinLocal, tcp.TimeWait
		w.Observe(e)
	}
	if w.Stats().Watched != 0 {
		t.Fatalf("%d kept", w.Stats().Watched)
	}
	if n, next := w.Due(159 * second); n != 0 || next != 160*second {
		t.Fatalf("%d due, next %d", n, next/second)
	}
	r.Report(160*second, snapshot(zombie(31, 30*time.Second)), nil)
	if n, next := w.Due(160 * second); n != 0 || next != 190*second {
		t.Errorf("after the look: %d due, next %d, want the one that is held at 190", n, next/second)
	}
	if found := r.Report(190*second, snapshot(zombie(31, time.Minute)), nil); len(found) != 1 || found[0].AtLeast {
		t.Errorf("%+v", found)
	}
}

func TestZombieOfUnknownAge(t *testing.T) {
	s := zombie(1, 0)
	s.Age = tcp.Age{Source: tcp.AgeLastData, AtMost: time.Hour}
	once := newReports(ReportOptions{Unproven: true})
	if found := once.Report(1000*second, snapshot(s), nil); len(found) != 1 || found[0].Proven != 0 || !found[0].AtLeast {
		t.Errorf("a single look: %+v", found)
	}
	s.Age.AtMost = 59 * time.Second
	if found := newReports(ReportOptions{Unproven: true}).Report(1000*second, snapshot(s), nil); len(found) != 0 {
		t.Errorf("at most 59 s old: %+v", found)
	}
	busy := stuckSocket(2, tcp.FinWait2, 0)
	busy.Age, busy.LastReceived = tcp.Age{Source: tcp.AgeLastAck, AtMost: tcp.Unknown}, 0
	if found := newReports(ReportOptions{Unproven: true}).Report(1000*second, snapshot(busy), nil); len(found) != 0 {
		t.Errorf("bytes flow: %+v", found)
	}
	s.Age.AtMost = time.Hour
	r := newReports(ReportOptions{})
	if found := r.Report(1000*second, snapshot(s), nil); len(found) != 0 {
		t.Errorf("not proven: %+v", found)
	}
	if n, next := r.watcher.Due(1000 * second); n != 0 || next != 1060*second {
		t.Errorf("%d due, next %d", n, next/second)
	}
	s.Age.AtMost += time.Minute
	if found := r.Report(1060*second, snapshot(s), nil); len(found) != 1 || found[0].Oldest != time.Minute || !found[0].AtLeast {
		t.Errorf("a minute after it was first seen: %+v", found)
	}
}

func TestFullWatcherStillFindsAll(t *testing.T) {
	w := NewWatcher(WatchOptions{Limits: DefaultLimits(), MaxWatched: 2})
	r := NewReporter(w, ReportOptions{})
	var sockets []tcp.Socket
	for i := range uint64(5) {
		w.Observe(event(i+1, int64(100+i)*second, tcp.Established, tcp.CloseWait))
		sockets = append(sockets, stuckSocket(i+1, tcp.CloseWait, time.Duration(62-i)*time.Second))
	}
	if s := w.Stats(); s.Watched != 2 || s.Refused != 3 {
		t.Errorf("%+v", s)
	}
	if n, _ := w.Due(162 * second); n != 5 { // all that might be: those that were refused count from the first
		t.Errorf("%d due", n)
	}
	if found := r.Report(162*second, snapshot(sockets...), nil); len(found) != 1 || found[0].Count != 3 {
		t.Errorf("%+v", found)
	}
	if n, next := w.Due(162 * second); n != 0 || next != 163*second {
		t.Errorf("%d due, next %d, want the next that was refused", n, next/second)
	}
}

func TestUnseenNamespaceIsPutOff(t *testing.T) {
	r := newReports(ReportOptions{})
	e := event(1, 100*second, tcp.Established, tcp.CloseWait)
	e.NetNS = 9
	r.watcher.Observe(e)
	r.watcher.Due(160 * second)
	r.Report(160*second, snapshot(), nil)
	if n, next := r.watcher.Due(160 * second); n != 0 || next != 220*second {
		t.Errorf("%d due, next %d", n, next/second)
	}
}

func TestDueAfterTheStuckHaveLeft(t *testing.T) {
	r := newReports(ReportOptions{})
	r.watcher.Observe(event(1, 100*second, tcp.Established, tcp.CloseWait))
	s := stuckSocket(1, tcp.CloseWait, time.Minute)
	if found := r.Report(160*second, snapshot(s), nil); len(found) != 1 {
		t.Fatalf("%+v", found)
	}
	r.watcher.Observe(event(1, 161*second, tcp.CloseWait, tcp.LastAck))
	if n, _ := r.watcher.Due(161 * second); n != 1 {
		t.Errorf("%d due: nobody would notice that it is over", n)
	}
	if found := r.Report(161*second, snapshot(), nil); len(found) != 1 || found[0].Status != Resolved || !found[0].News {
		t.Errorf("%+v", found)
	}
	if n, _ := r.watcher.Due(161 * second); n != 0 {
		t.Errorf("%d due", n)
	}
}

func TestNamelessEventsAreCounted(t *testing.T) {
	w := NewWatcher(WatchOptions{Limits: DefaultLimits()})
	w.Observe(event(0, second, tcp.Established, tcp.CloseWait))
	if s := w.Stats(); s.Nameless != 1 || s.Watched != 0 {
		t.Errorf("%+v", s)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	w := NewWatcher(WatchOptions{Limits: DefaultLimits()})
	at, cookie := second, uint64(0)
	e := &tcp.Event{NetNS: 1}
	pass := func() {
		cookie++
		for _, step := range [...][2]tcp.State{
			{tcp.Listen, tcp.SynRecv},
			{tcp.SynRecv, tcp.Established},
			{tcp.Established, tcp.CloseWait},
			{tcp.CloseWait, tcp.LastAck},
			{tcp.LastAck, tcp.Close},
		} {
			at++
			e.Cookie, e.Mono, e.Old, e.New = cookie, at, step[0], step[1]
			w.Observe(e)
		}
		w.Due(at)
	}
	pass()
	if n := testing.AllocsPerRun(1000, pass); n != 0 {
		t.Errorf("%v allocations a connection", n)
	}
}
