package census

import (
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestFlowInAndOut(t *testing.T) {
	var f Flow
	f.Transitions[tcp.Listen][tcp.SynRecv] = 100 // births
	f.Transitions[tcp.SynRecv][tcp.Established] = 90
	f.Transitions[tcp.Established][tcp.FinWait1] = 50
	f.Transitions[tcp.FinWait1][tcp.FinWait1] = 7 // close() after shutdown()
	f.Transitions[tcp.FinWait1][tcp.Close] = 30
	f.Transitions[tcp.Close][tcp.Listen] = 3
	f.Transitions[tcp.Listen][tcp.Close] = 1
	f.Adopted[tcp.Established] = 5
	f.Adopted[tcp.Close] = 3
	f.Gone[tcp.Close] = 29
	for s, want := range map[tcp.State][2]uint64{
		tcp.Listen:      {3, 1},
		tcp.SynRecv:     {100, 90},
		tcp.Established: {95, 50},
		tcp.FinWait1:    {50, 30},
		tcp.Close:       {34, 32},
		tcp.TimeWait:    {0, 0},
	} {
		if in, out := f.In(s), f.Out(s); in != want[0] || out != want[1] {
			t.Errorf("%s: in %d, out %d, want %v", s, in, out, want)
		}
		if got := f.Gauge()[s]; got != int64(want[0])-int64(want[1]) {
			t.Errorf("%s: gauge %d", s, got)
		}
	}
}

func TestFlowSub(t *testing.T) {
	k := newSim(1)
	k.attach(5)
	earlier := k.read(0)
	for range 500 {
		k.step()
	}
	later := k.read(0)
	interval := later.Sub(&earlier)
	if later.Sub(&later) != (Flow{}) || interval == (Flow{}) {
		t.Error("an interval without time has events, or one with time has none")
	}
	a, b, change := earlier.Gauge(), later.Gauge(), interval.Gauge()
	for s := range a {
		if a[s]+change[s] != b[s] {
			t.Errorf("%s: %d and %d make %d", tcp.State(s), a[s], change[s], b[s])
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	k, r := newSim(1), Reconciler{}
	k.attach(5)
	flow, counted := k.read(0), k.count(0)
	b.ReportAllocs()
	for b.Loop() {
		r.Check(&flow, &flow, counted)
	}
}
