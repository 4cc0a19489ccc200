package census

import (
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

type (
	unsigned = [tcp.States + 1]uint64
	signed   = [tcp.States + 1]int64
)

const seeds = 400

// withoutClose leaves out what no count confirms.
func withoutClose(states unsigned) unsigned {
	states[tcp.Close] = 0
	return states
}

// TestNothingDriftsWithoutFaults counts while sockets come, move and go, and while the counters themselves are read.
func TestNothingDriftsWithoutFaults(t *testing.T) {
	for seed := range uint64(seeds) {
		k, r := newSim(seed), Reconciler{}
		busy := int(seed % 20)
		k.attach(busy)
		for round := range 6 {
			k.steps(30)
			before := k.read(busy)
			counted := k.count(busy)
			after := k.read(busy)
			if drift := r.Check(&before, &after, counted); drift != (signed{}) || r.Drift() != 0 {
				t.Fatalf("seed %d, round %d: drift %v", seed, round, drift)
			}
			flow := k.read(0)
			if gauge, truth := r.Gauge(&flow), k.truth(); gauge != truth {
				t.Fatalf("seed %d, round %d: gauges %v, want %v", seed, round, gauge, truth)
			}
		}
	}
}

// TestFaultsAreFoundAndRepaired hides events from the programs. Counted while nothing moves, the drift is exactly what the
// gauges are wrong by.
func TestFaultsAreFoundAndRepaired(t *testing.T) {
	found := uint64(0)
	for seed := range uint64(seeds) {
		k, r := newSim(seed), Reconciler{}
		k.losing = 0.05
		k.attach(10)
		total := uint64(0)
		for round := range 6 {
			k.steps(200)
			flow := k.read(0)
			truth, gauge := withoutClose(k.truth()), flow.Gauge()
			counted := k.count(0)
			if counted != truth {
				t.Fatalf("seed %d: the simulation counts %v, want %v", seed, counted, truth)
			}
			correction := r.correction
			drift := r.Check(&flow, &flow, counted)
			for s, d := range drift {
				if s != int(tcp.Close) && d != int64(truth[s])-gauge[s]-correction[s] {
					t.Fatalf("seed %d, round %d: drift of %s is %d, the gauge %d+%d, the truth %d",
						seed, round, tcp.State(s), d, gauge[s], correction[s], truth[s])
				}
				total += uint64(max(d, -d))
			}
			if got := withoutClose(r.Gauge(&flow)); got != truth || r.Drift() != total {
				t.Fatalf("seed %d, round %d: gauges %v after a check, want %v; drift %d, want %d",
					seed, round, got, truth, r.Drift(), total)
			}
			if again := r.Check(&flow, &flow, counted); again != (signed{}) {
				t.Fatalf("seed %d, round %d: a second check finds %v", seed, round, again)
			}
		}
		found += total
	}
	if found < seeds {
		t.Errorf("only %d drifts in %d hosts: nothing was tested", found, seeds)
	}
}

// TestRepairsHoldUnderLoad hides events and counts while sockets move: after a check the same count agrees, and once
// nothing is hidden any more and all has been seen, a check at rest puts the rest right.
func TestRepairsHoldUnderLoad(t *testing.T) {
	for seed := range uint64(seeds) {
		k, r := newSim(seed), Reconciler{}
		k.losing = 0.05
		k.attach(10)
		for round := range 6 {
			before := k.read(3)
			counted := k.count(3)
			after := k.read(3)
			drift := r.Compare(&before, &after, counted)
			if got := r.Check(&before, &after, counted); got != drift {
				t.Fatalf("seed %d, round %d: Check says %v, Compare %v", seed, round, got, drift)
			}
			if left := r.Compare(&before, &after, counted); left != (signed{}) {
				t.Fatalf("seed %d, round %d: %v is left of a drift of %v", seed, round, left, drift)
			}
		}
		k.losing = 0
		flow := k.read(0)
		r.Check(&flow, &flow, k.count(0))
		if got, want := withoutClose(r.Gauge(&flow)), withoutClose(k.truth()); got != want {
			t.Fatalf("seed %d: gauges %v at rest, want %v", seed, got, want)
		}
	}
}

// TestOneFault hides a single event, and follows what becomes of it.
func TestOneFault(t *testing.T) {
	hidden := func(k *sim, happen func()) {
		k.losing = 1
		happen()
		k.losing = 0
	}
	established := func(k *sim) *simSocket {
		s := k.open()
		k.set(s, tcp.Close, tcp.SynSent)
		k.set(s, tcp.SynSent, tcp.Established)
		return s
	}
	for _, test := range []struct {
		name string
		do   func(k *sim) (heal func())
		want map[tcp.State]int64
	}{
		{"transition", func(k *sim) func() {
			s := established(k)
			hidden(k, func() { k.set(s, tcp.Established, tcp.CloseWait) })
			return func() { k.set(s, tcp.CloseWait, tcp.LastAck) }
		}, map[tcp.State]int64{tcp.Established: -1, tcp.CloseWait: 1}},
		{"two transitions", func(k *sim) func() {
			s := established(k)
			hidden(k, func() { k.set(s, tcp.Established, tcp.FinWait1); k.set(s, tcp.FinWait1, tcp.FinWait2) })
			return func() { k.set(s, tcp.FinWait2, tcp.Close) }
		}, map[tcp.State]int64{tcp.Established: -1, tcp.FinWait2: 1}},
		{"transition to CLOSE", func(k *sim) func() {
			s := established(k)
			hidden(k, func() { k.set(s, tcp.Established, tcp.Close) })
			return func() { k.destroy(s) }
		}, map[tcp.State]int64{tcp.Established: -1}},
		{"birth", func(k *sim) func() {
			listener := k.open()
			k.set(listener, tcp.Close, tcp.Listen)
			var child *simSocket
			hidden(k, func() { child = k.bear(listener) })
			return func() { k.set(child, tcp.SynRecv, tcp.Established) }
		}, map[tcp.State]int64{tcp.SynRecv: 1}},
		{"adoption", func(k *sim) func() {
			k.attached = false
			s := established(k)
			k.attached = true
			return func() { k.set(s, tcp.Established, tcp.FinWait1) }
		}, map[tcp.State]int64{tcp.Established: 1}},
	} {
		k, r := newSim(1), Reconciler{}
		k.attached = true
		for range 3 {
			established(k)
		}
		heal := test.do(k)
		check := func() signed {
			flow := k.read(0)
			return r.Check(&flow, &flow, k.count(0))
		}
		sum := uint64(0)
		for s, d := range check() {
			if d != test.want[tcp.State(s)] {
				t.Errorf("%s: drift of %s is %d, want %d", test.name, tcp.State(s), d, test.want[tcp.State(s)])
			}
			sum += uint64(max(d, -d))
		}
		if again := check(); again != (signed{}) || r.Drift() != sum {
			t.Errorf("%s: a second check finds %v, drift %d, want %d", test.name, again, r.Drift(), sum)
		}
		heal()
		for s, d := range check() { // the programs made up for it, and the correction must go
			if d != -test.want[tcp.State(s)] {
				t.Errorf("%s: once healed, drift of %s is %d", test.name, tcp.State(s), d)
			}
		}
		if r.correction != (signed{}) {
			t.Errorf("%s: correction %v after all is well", test.name, r.correction)
		}
	}
}

// TestBounds moves one socket from ESTABLISHED to CLOSE_WAIT during a count: either state may have it, both, or none.
func TestBounds(t *testing.T) {
	before := Flow{}
	before.Adopted[tcp.Established] = 10
	after := before
	after.Transitions[tcp.Established][tcp.CloseWait]++
	after.Transitions[tcp.Listen][tcp.SynRecv] += 2
	for _, test := range []struct {
		counted map[tcp.State]uint64
		want    map[tcp.State]int64
	}{
		{map[tcp.State]uint64{tcp.Established: 10}, nil},
		{map[tcp.State]uint64{tcp.Established: 9}, nil},
		{map[tcp.State]uint64{tcp.Established: 9, tcp.CloseWait: 1, tcp.SynRecv: 2}, nil},
		{map[tcp.State]uint64{tcp.Established: 8}, map[tcp.State]int64{tcp.Established: -1}},
		{map[tcp.State]uint64{tcp.Established: 11}, map[tcp.State]int64{tcp.Established: 1}},
		{map[tcp.State]uint64{tcp.Established: 9, tcp.CloseWait: 3}, map[tcp.State]int64{tcp.CloseWait: 2}},
		{map[tcp.State]uint64{tcp.Established: 9, tcp.SynRecv: 3}, map[tcp.State]int64{tcp.SynRecv: 1}},
		{map[tcp.State]uint64{tcp.Established: 9, tcp.Listen: 1}, map[tcp.State]int64{tcp.Listen: 1}},
		{map[tcp.State]uint64{tcp.Established: 9, tcp.Close: 7}, nil},
	} {
		var counted unsigned
		for s, n := range test.counted {
			counted[s] = n
		}
		for s, d := range new(Reconciler).Compare(&before, &after, counted) {
			if d != test.want[tcp.State(s)] {
				t.Errorf("%v: drift of %s is %d, want %d", test.counted, tcp.State(s), d, test.want[tcp.State(s)])
			}
		}
	}
}

func TestGaugesAreNeverNegative(t *testing.T) {
	var f Flow
	f.Transitions[tcp.Established][tcp.CloseWait] = 1
	if got := f.Gauge(); got[tcp.Established] != -1 {
		t.Errorf("what was counted says %v", got)
	}
	if got := new(Reconciler).Gauge(&f); got != (unsigned{tcp.CloseWait: 1}) {
		t.Errorf("got %v", got)
	}
}

// A namespace of which nothing is left but orphans cannot be entered: a count misses them, and the gauges are right.
func TestReconcilerOfUnseenStates(t *testing.T) {
	var flow Flow
	flow.Adopted[tcp.FinWait1], flow.Adopted[tcp.Established] = 3, 3
	counted := [tcp.States + 1]uint64{tcp.FinWait1: 1, tcp.Established: 1}
	r := Reconciler{Unseen: tcp.SetOf(tcp.FinWait1)}
	if drift := r.Check(&flow, &flow, counted); drift[tcp.FinWait1] != 0 || drift[tcp.Established] != -2 {
		t.Errorf("drift %v", drift)
	}
	if gauge := r.Gauge(&flow); gauge[tcp.FinWait1] != 3 || gauge[tcp.Established] != 1 {
		t.Errorf("gauges %v", gauge)
	}
	counted[tcp.FinWait1], counted[tcp.Established] = 4, 1
	if drift := r.Check(&flow, &flow, counted); drift[tcp.FinWait1] != 1 {
		t.Errorf("one too many is none: %v", drift)
	}
}
