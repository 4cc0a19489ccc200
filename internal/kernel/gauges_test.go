package kernel

import (
	"os"
	"testing"

	"github.com/tcptrail/tcptrail/internal/census"
	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// gauges are a tracer that counts, and a counter to hold it against. Both see the whole host.
type gauges struct {
	t       *testing.T
	tracer  *Tracer
	counter *Counter
}

func openGauges(t *testing.T) *gauges {
	t.Helper()
	tracer, err := Open(Options{Gauges: true, Silent: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tracer.Close(); err != nil {
			t.Errorf("close tracer: %v", err)
		}
	})
	g := &gauges{t: t, tracer: tracer, counter: openCounter(t, SnapshotOptions{Tracer: tracer})}
	if err := g.counter.Watch(); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *gauges) flow() *census.Flow {
	g.t.Helper()
	stats, err := g.tracer.Stats()
	if err != nil {
		g.t.Fatal(err)
	}
	return &census.Flow{Transitions: stats.Transitions, Adopted: stats.Adopted, Gone: stats.Gone}
}

// drift holds the gauges against one count.
func (g *gauges) drift() [tcp.States + 1]int64 {
	g.t.Helper()
	before := g.flow()
	tally, err := g.counter.Count()
	if err != nil {
		g.t.Fatal(err)
	}
	var r census.Reconciler
	return r.Compare(before, g.flow(), tally.Full)
}

// expectNone wants no drift that stands. A single one may be a transition that was missed, made up for by the socket's
// next; a socket between two tables; or, before Linux 6.17, a count that skipped a socket.
func (g *gauges) expectNone(when string) {
	g.t.Helper()
	const tries = 6
	standing := g.drift()
	for range tries {
		for state := range standing {
			if isOutOfSight(tcp.State(state), standing[state]) {
				standing[state] = 0
			}
		}
		if standing == [tcp.States + 1]int64{} {
			return
		}
		for state, again := range g.drift() {
			if standing[state]*again <= 0 { // gone, or the other way
				standing[state] = 0
			}
		}
	}
	g.t.Errorf("%s: the gauges have drifted: %v", when, standing)
}

// isOutOfSight says whether others' sockets may explain the drift: when a namespace has lost all but its orphans, nothing
// leads there any more, though the tracer hears of them.
func isOutOfSight(state tcp.State, drift int64) bool {
	switch state {
	case tcp.FinWait1, tcp.FinWait2, tcp.Closing, tcp.LastAck:
		return drift < 0 && os.Getenv(aloneEnv) == ""
	}
	return false
}

// Gauges that follow from transitions agree with the kernel's tables, while connections come and go.
func TestPrivilegedCountGauges(t *testing.T) {
	ns := nettest.NewNS(t)
	crowd := ns.Crowd(t, scaled(2000, 100)) // older than the tracer
	bySocket(t)                             // found by the walk over descriptors alone
	churn := ns.Churn(t, 2)                 // and those that are younger
	g := openGauges(t)
	for range scaled(20, 4) {
		g.expectNone("while connections come and go")
	}
	crowd.CloseWait(crowd.Len() / 2)
	g.expectNone("after half of the crowd has shut down")
	later := ns.Crowd(t, scaled(1000, 50))
	g.expectNone("with more of them")
	if made := churn(); made == 0 {
		t.Error("nobody came or went")
	}
	later.CloseAll()
	crowd.CloseAll()
	g.expectNone("after all were closed")
	stats, err := g.tracer.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if stats.Filtered != stats.Seen || stats.Lost != 0 {
		t.Errorf("silent: %d seen, %d filtered, %d lost", stats.Seen, stats.Filtered, stats.Lost)
	}
	if stats.Adopted[tcp.Established] < uint64(2*crowd.Len()) || stats.Untracked != 0 {
		t.Errorf("adopted %v, %d untracked", stats.Adopted, stats.Untracked)
	}
	t.Logf("%d seen, %d missed, adopted %v", stats.Seen, stats.Missed, stats.Adopted)
}

// Every state of a full socket comes into the gauges, once, and to watch again adds nothing.
func TestPrivilegedCountGaugesOfEveryState(t *testing.T) {
	ns := nettest.NewNS(t)
	nettest.EveryState(t, ns)
	g := openGauges(t)
	g.expectNone("after the first watch")
	if err := g.counter.Watch(); err != nil {
		t.Fatal(err)
	}
	g.expectNone("after the second watch")
	if err := openCounter(t, SnapshotOptions{}).Watch(); err == nil {
		t.Error("watched for no tracer")
	}
}

// Who asks for some states gets the rest for nothing.
func TestPrivilegedCountStatesAlone(t *testing.T) {
	ns := nettest.NewNS(t)
	crowd := ns.Crowd(t, 10)
	crowd.CloseWait(4)
	only := SnapshotOptions{NetNS: []uint32{ns.Inode()}, States: tcp.SetOf(tcp.CloseWait)}
	tally, err := openCounter(t, only).Count()
	if counts := tally.Counts(); err != nil || counts.States[tcp.CloseWait] != 4 || counts.States[tcp.Established] != 12 {
		t.Errorf("%+v (%v), want 4 in CLOSE_WAIT, and the rest for nothing", counts, err)
	}
}
