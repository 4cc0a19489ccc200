package kernel

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// idle is a time in which nothing happens, to be found in ages: far longer than clocks are wrong.
const idle = 300 * time.Millisecond

// aged is a socket that came to its state at a known moment.
type aged struct {
	name   string
	state  tcp.State
	cookie uint64
	kind   tcp.Kind
	moment
}

// aging brings sockets into their states, one after the other with a pause before each.
type aging struct {
	t              *testing.T
	ns             *nettest.NS
	server, client *nettest.Actor
	tun            *nettest.TUN
	l              *nettest.Conn
	began          time.Time
	peers          uint16
	all            []*aged
}

func newAging(t *testing.T, ns *nettest.NS) *aging {
	a := &aging{
		t: t, ns: ns, began: time.Now(), tun: nettest.OpenTUN(t, ns),
		server: nettest.StartActor(t, ns, "server"), client: nettest.StartActor(t, ns, "client"),
	}
	for _, setting := range [][2]string{
		{"net.ipv4.tcp_syn_retries", "12"},
		{"net.ipv4.tcp_synack_retries", "12"},
		{"net.ipv4.tcp_orphan_retries", "15"},
		{"net.ipv4.tcp_rfc1337", "1"},
	} {
		if err := ns.Sysctl(setting[0], setting[1]); err != nil {
			t.Fatal(err)
		}
	}
	a.l = a.server.Listen(nettest.Loopback4(0), 64)
	return a
}

// enter lets a while pass, and then has f bring a socket into the state.
func (a *aging) enter(name string, state tcp.State, c *nettest.Conn, f func()) *aged {
	a.t.Helper()
	time.Sleep(idle)
	one := &aged{name: name, state: state, moment: momentOf(func() {
		f()
		if c != nil && state != tcp.Close {
			if _, err := a.ns.WaitSocket(c.Cookie(), nettest.State(state)); err != nil {
				a.t.Fatal(err)
			}
		}
	})}
	if c != nil {
		one.cookie = c.Cookie()
	}
	a.all = append(a.all, one)
	return one
}

// pair is a connection over which data went either way.
func (a *aging) pair() (client, server *nettest.Conn) {
	a.t.Helper()
	client = a.client.Dial(a.l.Local())
	server = a.l.Accept()
	client.Write(10)
	server.Read(10)
	server.Write(20)
	client.Read(20)
	return client, server
}

func (a *aging) peer() *nettest.Peer {
	a.peers++
	return a.tun.Peer(2000 + a.peers)
}

func (a *aging) played() (*nettest.Conn, *nettest.Peer) {
	a.t.Helper()
	p := a.peer()
	c := a.client.StartDial(p.Addr())
	p.AcceptSYN()
	p.Establish()
	c.FinishConnect()
	return c, p
}

// handshakes makes what is not established, or was in an unusual way.
func (a *aging) handshakes() {
	a.t.Helper()
	c := a.client.Open(unix.AF_INET)
	a.enter("connecting", tcp.SynSent, c, func() { c.StartConnect(a.peer().Addr()) })

	on := a.server.Listen(a.tun.Local(0), 64)
	p := a.peer()
	request := a.enter("request", tcp.SynRecv, nil, func() {
		p.StartConnect(on.Local())
		p.Expect(nettest.SYN | nettest.ACK)
	})
	request.kind = tcp.Request
	all, err := a.ns.Sockets()
	if err != nil {
		a.t.Fatal(err)
	}
	for _, info := range all {
		if info.Remote == p.Addr() {
			request.cookie = info.Cookie
		}
	}

	p = a.peer()
	c = a.client.StartDial(p.Addr())
	p.AcceptSYN()
	a.enter("crossed", tcp.SynRecv, c, func() { p.SendSYN(false) })

	p = a.peer()
	crossed := a.client.StartDial(p.Addr())
	p.AcceptSYN()
	p.SendSYN(false)
	p.Expect(nettest.SYN | nettest.ACK)
	a.enter("crossed and answered", tcp.Established, crossed, p.SendACK)
}

// closings makes what follows from close() and shutdown().
func (a *aging) closings() {
	a.t.Helper()
	client, server := a.pair()
	shut := a.enter("half closed", tcp.FinWait2, client, client.Shutdown)
	a.enter("half closed by the peer", tcp.CloseWait, server, func() {}).moment = shut.moment

	client, server = a.pair()
	a.enter("peer reads on", tcp.CloseWait, server, client.Shutdown)
	time.Sleep(idle)
	server.Write(30) // the state is older than what the peer last acknowledged
	client.Read(30)

	client, server = a.pair()
	client.Linger0()
	a.enter("reset", tcp.Close, server, func() {
		client.Close()
		server.WaitState(nettest.Close)
	})

	c, _ := a.played()
	a.enter("closing unanswered", tcp.FinWait1, c, c.Close)
	c, p := a.played()
	c.Close()
	p.Expect(nettest.FIN | nettest.ACK)
	a.enter("both closing", tcp.Closing, c, func() { p.SendFIN(false) })
	c, p = a.played()
	p.SendFIN(true)
	c.ReadEOF()
	a.enter("closed after the peer", tcp.LastAck, c, c.Close)

	client, server = a.pair()
	client.Shutdown()
	server.WaitState(nettest.CloseWait)
	client.WaitState(nettest.FinWait2)
	half := a.enter("minisock", tcp.FinWait2, client, client.Close)
	half.kind = tcp.Minisock // FIN_WAIT2 began before it
	half.after = a.began

	client, server = a.pair()
	client.Shutdown()
	server.WaitState(nettest.CloseWait)
	client.WaitState(nettest.FinWait2)
	a.enter("both closed", tcp.TimeWait, client, server.Close).kind = tcp.Minisock
}

// Ages of sockets that no tracer saw: bounds, with the truth between them, and exact where the kernel knows.
func TestPrivilegedSnapshotAges(t *testing.T) {
	ns := nettest.NewNS(t)
	a := newAging(t, ns)
	a.handshakes()
	a.closings()
	client, _ := a.pair()
	a.enter("idle", tcp.Established, client, func() {}).after = a.began
	s := openSnapshots(t, SnapshotOptions{NetNS: []uint32{ns.Inode()}})
	time.Sleep(idle)
	p := s.photo(t, ns)
	slack := jiffySlack(t)
	birth := kernelHas(t, "inet_timewait_sock", "tw_entry_stamp")
	for _, one := range a.all {
		socket := one.in(p)
		t.Logf("%v, %s: %+v", one.state, one.name, socket.Age)
		switch {
		case one.name == "connecting", one.kind == tcp.Request:
			p.checkExact(one.name, socket.Age, tcp.AgeKernel, one.moment, 2*time.Millisecond)
		case one.state == tcp.TimeWait && birth:
			p.checkExact(one.name, socket.Age, tcp.AgeTimer, one.moment, slack)
		default:
			p.checkBounds(one.name, socket.Age, one.moment, slack)
		}
		switch one.state {
		case tcp.Established, tcp.CloseWait, tcp.Closing:
			if socket.Age.AtLeast < idle-slack {
				t.Errorf("%v, %s: %+v says less than there is to know", one.state, one.name, socket.Age)
			}
		}
	}
}

// in returns the socket, which has to be in the state.
func (one *aged) in(p *photo) *tcp.Socket {
	p.t.Helper()
	s := p.only(p.all(one.cookie, one.kind != tcp.Full), one.cookie)
	if s.State != one.state || s.Kind != one.kind {
		p.t.Errorf("%s: %v in %v, want %v in %v", one.name, s.Kind, s.State, one.kind, one.state)
	}
	return s
}

// With a tracer the age of every full socket is exact, but for one that nobody saw come to its state.
func TestPrivilegedSnapshotAgesTraced(t *testing.T) {
	s := newStage(t)
	a := newAging(t, s.ns)
	older, _ := a.pair()
	s.trace(Options{})
	a.handshakes()
	a.closings()
	a.enter("older than the tracer", tcp.Established, older, func() {}).after = a.began
	p := look(t, s.ns, SnapshotOptions{Tracer: s.tracer})
	slack := jiffySlack(t)
	for _, one := range a.all {
		socket := one.in(p)
		switch {
		case one.cookie == older.Cookie():
			if socket.Age.Source == tcp.AgeTraced {
				t.Errorf("%s: %+v", one.name, socket.Age)
			}
			p.checkBounds(one.name, socket.Age, one.moment, slack)
		case one.kind != tcp.Full:
			p.checkBounds(one.name, socket.Age, one.moment, slack)
		default:
			p.checkExact(one.name, socket.Age, tcp.AgeTraced, one.moment, 0)
		}
	}
	if got := p.one(older.Cookie()); got.PID != uint32(a.client.PID()) || got.Evidence != tcp.EvidenceFD {
		t.Errorf("older than the tracer: owner %d by %v", got.PID, got.Evidence)
	}
	s.end()
}

// close() after shutdown() is traced as a transition to the same state, in which the socket has been for longer.
func TestPrivilegedSnapshotAgeOfSelfTransition(t *testing.T) {
	s := newStage(t)
	if err := s.ns.Sysctl("net.ipv4.tcp_fin_timeout", "900"); err != nil { // for the full socket to stay
		t.Fatal(err)
	}
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	entered := momentOf(func() {
		client.Shutdown()
		client.WaitState(nettest.FinWait2)
	})
	time.Sleep(idle)
	client.Close()
	p := look(t, s.ns, SnapshotOptions{Tracer: s.tracer})
	got := p.one(client.Cookie())
	p.checkExact("orphan", got.Age, tcp.AgeTraced, entered, 0)
	if !got.Orphan || got.State != tcp.FinWait2 || got.Evidence != tcp.EvidenceClose || got.PID != uint32(client.Actor().PID()) {
		t.Errorf("orphan %v in %v, owner %d by %v", got.Orphan, got.State, got.PID, got.Evidence)
	}
	server.Close()
	s.end()
}

// Who acted is the owner as long as it holds the socket, or nobody does.
func TestPrivilegedSnapshotOwnersTraced(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	heir, inherited := s.spawn(client.Actor(), "heir", client)
	other := s.actor("other")
	passed := server.Send(other)
	accepted := tcp.EvidenceListen
	if s.tracer.accept != nil {
		accepted = tcp.EvidenceAccept
	}
	snapshots := openSnapshots(t, SnapshotOptions{NetNS: []uint32{s.ns.Inode()}, Tracer: s.tracer})
	expect := func(c *nettest.Conn, owner *nettest.Actor, evidence tcp.Evidence, holders int) {
		t.Helper()
		got := snapshots.photo(t, s.ns).one(c.Cookie())
		if got.PID != uint32(owner.PID()) || got.Evidence != evidence || len(got.Holders) != holders || !commIs(got.Comm, owner.Name()) {
			t.Errorf("owner %d %q by %v of %d holders, want %s %d by %v of %d", got.PID, got.Comm.Bytes(), got.Evidence, len(got.Holders),
				owner.Name(), owner.PID(), evidence, holders)
		}
	}
	expect(client, client.Actor(), tcp.EvidenceConnect, 2)
	expect(server, server.Actor(), accepted, 2)
	client.Close()
	expect(client, heir, tcp.EvidenceFD, 1)
	server.Close()
	expect(server, other, tcp.EvidenceFD, 1)
	inherited[0].Shutdown()
	expect(client, heir, tcp.EvidenceClose, 1)
	passed.WaitState(nettest.CloseWait)
	expect(server, other, tcp.EvidenceFD, 1)
	s.end()
}

// Two connections of one socket: the second is not as old as the first, and a socket that was let go says nothing of it.
func TestPrivilegedSnapshotAgeAfterDisconnect(t *testing.T) {
	ns := nettest.NewNS(t)
	server, client := nettest.StartActor(t, ns, "server"), nettest.StartActor(t, ns, "client")
	l := server.Listen(nettest.Loopback4(0), 4)
	s := openSnapshots(t, SnapshotOptions{NetNS: []uint32{ns.Inode()}})
	slack := jiffySlack(t)
	c := client.Dial(l.Local())
	l.Accept()
	time.Sleep(idle)
	let := momentOf(c.Disconnect)
	p := s.photo(t, ns)
	got := p.one(c.Cookie())
	if got.State != tcp.Close || got.LastReceived != tcp.Unknown && got.LastReceived > time.Hour {
		t.Errorf("let go: %v, last received %v ago", got.State, got.LastReceived)
	}
	p.checkBounds("let go", got.Age, let, slack)
	again := momentOf(func() { c.Connect(l.Local()) })
	p = s.photo(t, ns)
	p.checkBounds("again", p.one(c.Cookie()).Age, again, slack)
}
