package cli

import (
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// liveWorld is a world with a clock that stands still.
func liveWorld(t *testing.T) (*world, *dial) {
	w, clock := newWorld(t), newDial()
	w.env.now = clock.Now
	return w, clock
}

func mustSample(t *testing.T, s sampler) output.LiveSample {
	t.Helper()
	sample, err := s.sample()
	if err != nil {
		t.Fatal(err)
	}
	return sample
}

func mustGauges(t *testing.T, w *world) *gauges {
	t.Helper()
	g, err := newGauges(w.env)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// full returns a count of full sockets.
func full(established, closeWait uint64) tcp.Tally {
	return tcp.Tally{
		Full:    [tcp.States + 1]uint64{tcp.Established: established, tcp.CloseWait: closeWait, tcp.Close: 3},
		Bare:    [tcp.States + 1]uint64{tcp.TimeWait: 7},
		Zombies: 2,
	}
}

// Gauges follow the kernel's counts of transitions at every sample, what these do not have is as of the last look, and
// looks are paid for by long pauses.
func TestGauges(t *testing.T) {
	const took = 20 * time.Millisecond
	w, clock := liveWorld(t)
	w.look.then = func(int) { clock.advance(took) }
	w.look.tallies = []tcp.Tally{full(5, 1)}
	w.source.change(func(s *kernel.Stats) { s.Adopted[tcp.Established], s.Adopted[tcp.CloseWait] = 5, 1 })
	g := mustGauges(t, w)

	s := mustSample(t, g)
	if s.Elapsed != 0 || !s.Reconciled || s.Counts.States[tcp.Established] != 5 || s.Counts.States[tcp.CloseWait] != 1 ||
		s.Counts.States[tcp.TimeWait] != 7 || s.Counts.States[tcp.Close] != 3 || s.Counts.Zombies != 2 || s.Drift != 0 ||
		s.Transitions != [tcp.States + 1][tcp.States + 1]uint64{} || s.Time != clock.Now().UnixNano() {
		t.Errorf("first sample: %+v", s)
	}

	clock.advance(time.Second - time.Nanosecond)
	w.source.change(func(s *kernel.Stats) { s.Transitions[tcp.Established][tcp.CloseWait] = 2; s.Missed = 1 })
	s = mustSample(t, g)
	if s.Elapsed != time.Second-time.Nanosecond || s.Reconciled || w.look.looks != 1 || s.Missed != 1 ||
		s.Counts.States[tcp.Established] != 3 || s.Counts.States[tcp.CloseWait] != 3 || s.Counts.States[tcp.TimeWait] != 7 ||
		s.Transitions[tcp.Established][tcp.CloseWait] != 2 {
		t.Errorf("second sample, before %v × %d are over: %+v", took, gaugeShare, s)
	}

	clock.advance(time.Nanosecond) // now they are
	next := full(3, 3)
	next.Bare[tcp.TimeWait], next.Zombies = 1, 0
	w.look.tallies = []tcp.Tally{next}
	s = mustSample(t, g)
	if !s.Reconciled || w.look.looks != 2 || s.Drift != 0 || s.Counts.States[tcp.TimeWait] != 1 || s.Counts.Zombies != 0 ||
		s.Transitions[tcp.Established][tcp.CloseWait] != 0 || s.Elapsed != took+time.Nanosecond {
		t.Errorf("third sample: %+v", s)
	}
	if err := g.close(); err != nil || w.look.closed != 1 || !w.source.closed.Load() {
		t.Errorf("close: %v", err)
	}
}

// A difference counts when a second look has found it, too, and then once.
func TestGaugesDrift(t *testing.T) {
	w, clock := liveWorld(t)
	w.source.change(func(s *kernel.Stats) { s.Adopted[tcp.Established] = 5 })
	w.look.tallies = []tcp.Tally{full(4, 0), full(5, 0)} // one was between two tables
	g := mustGauges(t, w)
	if s := mustSample(t, g); s.Drift != 0 || s.Counts.States[tcp.Established] != 5 || w.look.looks != 2 {
		t.Errorf("unconfirmed: %+v after %d looks", s, w.look.looks)
	}
	w.look.tallies = []tcp.Tally{full(3, 1)} // two are gone from ESTABLISHED that no transition told of, and one is new
	for i := range 3 {
		clock.advance(time.Hour)
		s := mustSample(t, g)
		if s.Drift != 3 || s.Counts.States[tcp.Established] != 3 || s.Counts.States[tcp.CloseWait] != 1 || !s.Reconciled {
			t.Errorf("confirmed, sample %d: %+v", i, s)
		}
	}
	if w.look.looks != 2+2+1+1 {
		t.Errorf("%d looks", w.look.looks)
	}
	// Transitions during a look widen what it may find.
	clock.advance(time.Hour)
	w.look.tallies = []tcp.Tally{full(2, 1)}
	w.look.then = func(int) {
		w.source.change(func(s *kernel.Stats) { s.Transitions[tcp.Established][tcp.CloseWait]++ })
	}
	if s := mustSample(t, g); s.Drift != 3 || s.Counts.States[tcp.Established] != 2 || s.Counts.States[tcp.CloseWait] != 2 {
		t.Errorf("moved meanwhile: %+v", s)
	}
}
