package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// stage is a network namespace, a tracer that sees it alone, and what it has seen. Actors are started before or after
// the tracer, so that sockets can be older than it.
type stage struct {
	*recorder
	t     *testing.T
	ns    *nettest.NS
	names map[uint32]string // actors by pid
}

// recorder is a tracer and all that it has handed out.
type recorder struct {
	tracer *Tracer
	done   chan error
	events []tcp.Event // complete after stop
}

// record starts a tracer, walk included; what happens from now on is recorded.
func record(t *testing.T, o Options) *recorder {
	t.Helper()
	tracer, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tracer.Close(); err != nil {
			t.Errorf("close tracer: %v", err)
		}
	})
	unknown, err := tracer.Adopt()
	if err != nil || unknown != 0 {
		t.Fatalf("adopt: %d unknown, %v", unknown, err)
	}
	r := &recorder{tracer: tracer, done: make(chan error, 1)}
	go r.read(func(e *tcp.Event) { r.events = append(r.events, *e) })
	return r
}

func (r *recorder) read(handle func(*tcp.Event)) {
	for {
		if err := r.tracer.Read(handle); err != nil {
			r.done <- err
			return
		}
	}
}

// stop stops the tracer, waits for the last event, and checks that the books balance.
func (r *recorder) stop(t *testing.T) Stats {
	t.Helper()
	if err := r.tracer.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-r.done; !errors.Is(err, ErrStopped) {
		t.Fatalf("read: %v", err)
	}
	stats, err := r.tracer.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if delivered := uint64(len(r.events)); stats.Seen != delivered+stats.Lost+stats.Filtered {
		t.Errorf("seen %d, but delivered %d + lost %d + filtered %d", stats.Seen, delivered, stats.Lost, stats.Filtered)
	}
	if !slices.IsSortedFunc(r.events, byTime) {
		t.Errorf("events are not in the order of their time")
	}
	return stats
}

// byTime leaves out what was held back, which comes after the event that it waited for.
func byTime(a, b tcp.Event) int {
	if a.Late || b.Late {
		return 0
	}
	return cmp.Compare(a.Mono, b.Mono)
}

func newStage(t *testing.T) *stage {
	return &stage{t: t, ns: nettest.NewNS(t), names: map[uint32]string{}}
}

func (s *stage) actor(name string) *nettest.Actor {
	s.t.Helper()
	a := nettest.StartActor(s.t, s.ns, name)
	s.names[uint32(a.PID())] = name
	return a
}

func (s *stage) spawn(parent *nettest.Actor, name string, conns ...*nettest.Conn) (*nettest.Actor, []*nettest.Conn) {
	s.t.Helper()
	a, inherited := parent.Spawn(name, conns...)
	s.names[uint32(a.PID())] = name
	return a, inherited
}

// playedPeer is a client's connection to a peer whose every segment the test sends itself.
func (s *stage) playedPeer() (*nettest.Conn, *nettest.Peer) {
	s.t.Helper()
	peer := nettest.OpenTUN(s.t, s.ns).Peer(443)
	c := s.actor("client").StartDial(peer.Addr())
	peer.AcceptSYN()
	peer.Establish()
	c.FinishConnect()
	return c, peer
}

// trace records the namespace from now on, and nothing else.
func (s *stage) trace(o Options) {
	s.t.Helper()
	o.Filter.NetNS = []uint32{s.ns.Inode()}
	s.recorder = record(s.t, o)
}

// end stops recording. A stage has few events, so none may be lost; missed ones may be anybody's on this host.
func (s *stage) end() Stats {
	s.t.Helper()
	stats := s.stop(s.t)
	if stats.Lost != 0 {
		s.t.Errorf("%d events lost", stats.Lost)
	}
	if stats.Missed != 0 {
		s.t.Logf("%d transitions missed on this host", stats.Missed)
	}
	// What processes leave is told of all namespaces, and other tests end processes, too.
	s.events = slices.DeleteFunc(s.events, func(e tcp.Event) bool { return e.NetNS != s.ns.Inode() })
	return stats
}

// of returns the events of one socket.
func (s *stage) of(c *nettest.Conn) []tcp.Event { return s.ofCookie(c.Cookie()) }

func (s *stage) ofCookie(cookie uint64) []tcp.Event {
	var events []tcp.Event
	for _, e := range s.events {
		if e.Cookie == cookie {
			events = append(events, e)
		}
	}
	return events
}

// expect compares the life of a socket with lines such as
//
//	FIN_WAIT2>CLOSE close:client fin_local next=TIME_WAIT
//
// where "accepted:server" stands for the evidence that accept() leaves: accept where it can be watched, else listen.
func (s *stage) expect(c *nettest.Conn, want ...string) {
	s.t.Helper()
	s.expectCookie(c.Cookie(), want...)
}

func (s *stage) expectCookie(cookie uint64, want ...string) {
	s.t.Helper()
	accepted := "listen:"
	if s.tracer.accept != nil {
		accepted = "accept:"
	}
	for i := range want {
		want[i] = strings.Replace(want[i], "accepted:", accepted, 1)
	}
	var got []string
	for _, e := range s.ofCookie(cookie) {
		got = append(got, s.line(&e))
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("socket %#x:\n got  %s\n want %s", cookie, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

func (s *stage) line(e *tcp.Event) string {
	line := fmt.Sprintf("%v>%v", e.Old, e.New)
	if e.PID != 0 {
		name := s.names[e.PID]
		if got := string(e.Comm.Bytes()); got != name {
			name = fmt.Sprintf("%s(pid %d, known as %q)", got, e.PID, name)
		}
		line += fmt.Sprintf(" %v:%s", e.Evidence, name)
	}
	if e.Reason != tcp.ReasonNone {
		line += " " + e.Reason.String()
	}
	if e.Next != 0 {
		line += " next=" + e.Next.String()
	}
	if e.Missed {
		line += " missed"
	}
	return line
}

// last returns the last event of a socket.
func (s *stage) last(c *nettest.Conn) tcp.Event {
	s.t.Helper()
	events := s.of(c)
	if len(events) == 0 {
		s.t.Fatalf("socket %#x: no events", c.Cookie())
	}
	return events[len(events)-1]
}

func (s *stage) wait(c *nettest.Conn, state nettest.State) {
	s.t.Helper()
	if _, err := s.ns.WaitSocket(c.Cookie(), state); err != nil {
		s.t.Fatal(err)
	}
}

// waitOrphan waits until the kernel keeps only a minisock in FIN_WAIT2 of a socket that was closed: its last transition
// is over then.
func (s *stage) waitOrphan(c *nettest.Conn) {
	s.t.Helper()
	if _, err := s.ns.WaitMinisock(c.Cookie(), nettest.FinWait2); err != nil {
		s.t.Fatal(err)
	}
}

// waitQuiet waits until there are only minisocks left, which make no transitions: tracers see the same whenever they end.
func (s *stage) waitQuiet() {
	s.t.Helper()
	if err := s.ns.WaitMinisocks(); err != nil {
		s.t.Fatal(err)
	}
}
