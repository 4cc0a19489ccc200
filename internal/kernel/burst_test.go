package kernel

import (
	"os"
	"sync"
	"testing"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
	"github.com/tcptrail/tcptrail/internal/traffic"
)

const (
	burstWorkers = 2
	burstEach    = 10_000 // connections a worker
)

// aloneEnv says that nobody else has sockets on this host, as in a virtual machine that runs these tests only.
const aloneEnv = "TCPTRAIL_ALONE"

// othersAllowed is how many sockets of others may change their state during a burst: the matrix is the whole host's. A
// tracer that counts wrong is wrong by thousands.
func othersAllowed() uint64 {
	if os.Getenv(aloneEnv) != "" {
		return 0
	}
	return 500
}

// A consumer that stands still while 20,000 connections come and go: what did not fit is counted, what did is
// delivered in order, and the kernel's own counts are whole all the same.
func TestPrivilegedBurstWithAStuckConsumer(t *testing.T) {
	ns := nettest.NewNS(t)
	r := &recorder{done: make(chan error, 1)}
	var err error
	if r.tracer, err = Open(Options{RingBytes: 1, Filter: filter.Filter{NetNS: []uint32{ns.Inode()}}}); err != nil {
		t.Fatal(err)
	}
	defer r.tracer.Close()
	release, entered := make(chan struct{}), make(chan struct{})
	var once sync.Once
	go r.read(func(e *tcp.Event) {
		once.Do(func() { close(entered) })
		<-release
		r.events = append(r.events, *e)
	})
	burst(t, ns, 1)
	<-entered
	burst(t, ns, burstEach)
	close(release)
	stats := r.stop(t)
	if stats.Lost == 0 || len(r.events) < minSlots/2 {
		t.Errorf("%d lost and %d delivered: the consumer was not slow, or the ring not used", stats.Lost, len(r.events))
	}
	checkBalance(t, &stats, burstWorkers*(burstEach+1))
}

// The same with a consumer that reads.
func TestPrivilegedBurst(t *testing.T) {
	ns := nettest.NewNS(t)
	r := record(t, Options{Filter: filter.Filter{NetNS: []uint32{ns.Inode()}}})
	burst(t, ns, burstEach)
	stats := r.stop(t)
	t.Logf("%d seen, %d lost, %d missed", stats.Seen, stats.Lost, stats.Missed)
	checkBalance(t, &stats, burstWorkers*burstEach)
}

func burst(t *testing.T, ns *nettest.NS, each int) {
	t.Helper()
	err := ns.Do(func() error {
		_, err := traffic.Count(burstWorkers, each)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkBalance wants at least so many connections in the matrix, and nobody left in a state that they passed through.
func checkBalance(t *testing.T, s *Stats, connections uint64) {
	t.Helper()
	if n := s.Transitions[tcp.Close][tcp.SynSent]; n < connections {
		t.Errorf("%d connects counted, want %d", n, connections)
	}
	for _, state := range []tcp.State{
		tcp.SynSent, tcp.SynRecv, tcp.Established, tcp.FinWait1, tcp.FinWait2, tcp.CloseWait, tcp.LastAck, tcp.Closing,
	} {
		var in, out uint64
		for other := range s.Transitions {
			if tcp.State(other) != state {
				in += s.Transitions[other][state]
				out += s.Transitions[state][other]
			}
		}
		if max(in, out)-min(in, out) > othersAllowed() {
			t.Errorf("%v: entered %d times and left %d times", state, in, out)
		}
	}
}

// Two tracers see the same and do not disturb each other, whichever ends first.
func TestPrivilegedTracersSideBySide(t *testing.T) {
	ns := nettest.NewNS(t)
	o := Options{Filter: filter.Filter{NetNS: []uint32{ns.Inode()}}}
	first, second := record(t, o), record(t, o)
	burst(t, ns, 100)
	second.stop(t)
	burst(t, ns, 100)
	first.stop(t)
	const events = 100 * burstWorkers * traffic.TransitionsPerConnection
	// Each burst also opens and closes its listeners.
	if got, want := len(first.events), 2*(events+2*burstWorkers); got != want {
		t.Errorf("first tracer: %d events, want %d", got, want)
	}
	if got, want := len(second.events), events+2*burstWorkers; got != want {
		t.Errorf("second tracer: %d events, want %d", got, want)
	}
}
