package cli

import (
	"errors"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// mustFollower follows what flags and a filter select.
func mustFollower(t *testing.T, w *world, flags filter.Filter, text ...string) *follower {
	t.Helper()
	s, err := (&selectFlags{filter: flags}).resolve(w.env, text)
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFollower(w.env, s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// awaitTransitions waits until so many have been noted.
func awaitTransitions(t *testing.T, f *follower, old, now tcp.State, n uint64) {
	t.Helper()
	eventually(t, "the transitions are noted", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.transitions[old][now] == n
	})
}

// A part of the host is counted by snapshots, with pauses between them, and its transitions by reading each.
func TestFollower(t *testing.T) {
	const took = 30 * time.Millisecond
	w, clock := liveWorld(t)
	w.look.then = func(int) { clock.advance(took) }
	w.look.sockets = []tcp.Socket{socket(tcp.CloseWait, 9), zombie(3), halfOpen(), socket(tcp.Listen, 2)}
	w.look.sockets[3].PID, w.look.sockets[3].Holders = 1, nil
	f := mustFollower(t, w, filter.Filter{Comms: []string{"w*"}}, "dport = 443 and age gt 1ms")

	s := mustSample(t, f)
	if s.Elapsed != 0 || !s.Reconciled || s.Counts.Total() != 3 || s.Counts.States[tcp.CloseWait] != 1 || s.Counts.Zombies != 1 {
		t.Errorf("first sample: %+v", s)
	}
	other := event(tcp.SynSent, tcp.Established)
	other.Comm = tcp.Comm{'d', 'b'}
	brief := event(tcp.SynSent, tcp.Established)
	brief.InOld = time.Microsecond
	long := event(tcp.SynSent, tcp.Established)
	long.InOld = time.Second
	w.source.feed(other, brief, long, long)
	w.source.count(kernel.Stats{Lost: 4, Missed: 5})
	awaitTransitions(t, f, tcp.SynSent, tcp.Established, 2)
	clock.advance(followerShare*took - time.Nanosecond)
	s = mustSample(t, f)
	if s.Reconciled || w.look.looks != 1 || s.Transitions[tcp.SynSent][tcp.Established] != 2 || s.Lost != 4 || s.Missed != 5 ||
		s.Elapsed != followerShare*took-time.Nanosecond || s.Counts.Total() != 3 {
		t.Errorf("second sample: %+v", s)
	}
	clock.advance(time.Nanosecond)
	w.look.sockets = w.look.sockets[:1]
	s = mustSample(t, f)
	if !s.Reconciled || w.look.looks != 2 || s.Transitions != [tcp.States + 1][tcp.States + 1]uint64{} || s.Counts.Total() != 1 {
		t.Errorf("third sample: %+v", s)
	}
	if err := f.close(); err != nil || w.look.closed != 1 || !w.source.closed.Load() || w.source.misused() {
		t.Errorf("close: %v", err)
	}
}

// An error of reading is told by the next sample, and once.
func TestFollowerReadError(t *testing.T) {
	w, _ := liveWorld(t)
	f := mustFollower(t, w, filter.Filter{}, "dport = 443")
	bad := errors.New("bad")
	w.source.failures <- bad
	eventually(t, "the error is there", func() bool { return len(f.done) == 1 })
	if _, err := f.sample(); !errors.Is(err, bad) {
		t.Errorf("sample: %v", err)
	}
	if err := f.close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
