package nettest

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// What the specimens are made with.
const (
	specimenBacklog = 64   // far from full: with half of it full the kernel gives requests up early (reqsk_timer_handler)
	unreadBytes     = 100  // that the process never reads
	unackedBytes    = 1000 // that the peer never acknowledges or never lets come: one segment
)

// patience is the settings with which the kernel goes on for minutes where nobody answers. By default a request lasts
// one minute, and an orphan 100 s. And a TIME_WAIT lasts until an RST, which comes when a delayed ACK overtakes, or is
// overtaken by, the FIN after it (seen once in 10,000 connections on a busy machine; RFC 1337, section 2).
var patience = [...][2]string{
	{"net.ipv4.tcp_syn_retries", "12"},    // SYN_SENT, SYN_RECV of a full socket
	{"net.ipv4.tcp_synack_retries", "12"}, // SYN_RECV of a request
	{"net.ipv4.tcp_orphan_retries", "15"}, // FIN_WAIT1, CLOSING and LAST_ACK without a descriptor
	{"net.ipv4.tcp_rfc1337", "1"},         // TIME_WAIT
}

// EveryState puts sockets into every TCP state, in every way that makes a difference to who looks, and returns them.
// The namespace has to be fresh, so that States.All is all there is; EveryState opens its TUN device, raises its
// retries, sets net.ipv4.tcp_rfc1337 and leaves net.ipv4.tcp_fin_timeout at 60.
//
// No socket changes its state by itself for ten minutes, but for minisocks, which the kernel keeps for one
// (TCP_TIMEWAIT_LEN in include/net/tcp.h), and which are made last. What is unanswered is sent again in the meantime:
// timers and counts of retransmissions move.
//
// The names, for States.Named. Where two words are given for one connection, both ends are there.
//
//	LISTEN IPv4, IPv6, dual stack, TUN
//	LISTEN queue                           two connections wait in it for accept()
//	ESTABLISHED IPv4 client, server        and so IPv6
//	ESTABLISHED mapped client, server      AF_INET6 socket that connected to ::ffff:127.0.0.1, server AF_INET
//	ESTABLISHED dual client, server        AF_INET socket that connected to the dual stack listener
//	ESTABLISHED unread client, server      100 bytes wait in the server
//	ESTABLISHED shut                       the peer's window is shut: 1000 bytes wait, and the kernel probes it
//	ESTABLISHED duplicate client, server   the client's process has two descriptors
//	ESTABLISHED unaccepted client, server  the server waits in LISTEN queue
//	SYN_SENT                               nobody answers
//	SYN_RECV request, mapped request       the peer never sends the ACK; to the dual stack listener
//	SYN_RECV full                          two SYNs crossed
//	FIN_WAIT1, CLOSING, LAST_ACK held      after shutdown(); the peer never acknowledges the FIN
//	FIN_WAIT1, CLOSING, LAST_ACK orphan    after close()
//	FIN_WAIT2, CLOSE_WAIT unread data      FIN_WAIT2 after shutdown(); 100 bytes and the FIN are unread
//	FIN_WAIT2, CLOSE_WAIT unread FIN       and so IPv6
//	FIN_WAIT2, CLOSE_WAIT not closed       the server read to EOF
//	FIN_WAIT2, CLOSE_WAIT unaccepted       waits in LISTEN queue
//	FIN_WAIT2, CLOSE_WAIT inherited        Server and Heir hold it
//	FIN_WAIT2, CLOSE_WAIT passed           Receiver alone holds it
//	CLOSE_WAIT sending                     1000 bytes that the peer never acknowledges
//	FIN_WAIT2, CLOSE_WAIT orphan           closed with tcp_fin_timeout over a minute: FIN_WAIT2 is a full socket
//	FIN_WAIT2, CLOSE_WAIT minisock         closed with tcp_fin_timeout at a minute
//	TIME_WAIT IPv4, IPv6, mapped           closed
//	TIME_WAIT, CLOSE held                  after shutdown(): the cookie is both the minisock's and the zombie's
//	CLOSE reset                            zombie: the peer sent RST
//	CLOSE refused, bound, unconnected      never was a connection
func EveryState(tb testing.TB, ns *NS) *States {
	tb.Helper()
	s := &States{tb: tb, ns: ns}
	for _, setting := range patience {
		s.sysctl(setting[0], setting[1])
	}
	s.Client, s.Server, s.Receiver = StartActor(tb, ns, "client"), StartActor(tb, ns, "server"), StartActor(tb, ns, "receiver")
	s.TUN = OpenTUN(tb, ns)
	l := s.listen()
	s.establish(l)
	s.handshake(l)
	s.closeUnanswered()
	s.closeWait(l)
	s.queue()
	s.unconnected(l.v4)
	s.leave(l)
	return s
}

func (s *States) sysctl(name, value string) {
	s.tb.Helper()
	if err := s.ns.Sysctl(name, value); err != nil {
		s.tb.Fatal(err)
	}
}

type listeners struct{ v4, v6, dual, tun *Conn }

func (s *States) listen() listeners {
	s.tb.Helper()
	l := listeners{
		v4:   s.Server.Listen(Loopback4(0), specimenBacklog),
		v6:   s.Server.Listen(Loopback6(0), specimenBacklog),
		dual: s.Server.Listen(Any6(0), specimenBacklog),
		tun:  s.Server.Listen(s.TUN.Local(0), specimenBacklog),
	}
	s.addHeld("LISTEN IPv4", Listening, l.v4)
	s.addHeld("LISTEN IPv6", Listening, l.v6)
	s.addHeld("LISTEN dual stack", Listening, l.dual)
	s.addHeld("LISTEN TUN", Listening, l.tun)
	return l
}

// pair makes a connection of Client's to a listener of Server's.
func (s *States) pair(l *Conn, to netip.AddrPort) (client, server *Conn) {
	s.tb.Helper()
	client = s.Client.Dial(to)
	return client, l.Accept()
}

func (s *States) establish(l listeners) {
	s.tb.Helper()
	var client, server *Conn
	for _, one := range []struct {
		name     string
		listener *Conn
		to       netip.AddrPort
		then     func()
	}{
		{"IPv4", l.v4, l.v4.Local(), func() {}},
		{"IPv6", l.v6, l.v6.Local(), func() {}},
		{"mapped", l.v4, Mapped4(l.v4.Local().Port()), func() {}},
		{"dual", l.dual, Loopback4(l.dual.Local().Port()), func() {}},
		{"unread", l.v4, l.v4.Local(), func() {
			client.Write(unreadBytes)
			s.awaitQueues(server, unreadBytes, 0)
			s.awaitQueues(client, 0, 0)
		}},
	} {
		client, server = s.pair(one.listener, one.to)
		one.then()
		s.addHeld("ESTABLISHED "+one.name+" client", Established, client)
		s.addHeld("ESTABLISHED "+one.name+" server", Established, server)
	}
	client, server = s.pair(l.v4, l.v4.Local())
	s.add("ESTABLISHED duplicate client", Established, client.Cookie(), client, client.Dup())
	s.addHeld("ESTABLISHED duplicate server", Established, server)

	c, p := s.dialPeer()
	p.ShutWindow()
	c.Write(unackedBytes)
	s.addHeld("ESTABLISHED shut", Established, c)
}

// awaitQueues waits until so many bytes are unread and not acknowledged.
func (s *States) awaitQueues(c *Conn, unread, unacked uint32) {
	s.tb.Helper()
	var is SocketInfo
	ok, err := poll(func() (_ bool, err error) {
		is, err = s.ns.WaitSocket(c.Cookie(), Established)
		return is.RQueue == unread && is.WQueue == unacked, err
	})
	if err != nil || !ok {
		s.tb.Fatalf("%v -> %v: queues %d, %d, want %d, %d (%v)", c.Local(), c.Remote(), is.RQueue, is.WQueue, unread, unacked, err)
	}
}

// peer returns a new peer with a port of its own.
func (s *States) peer() *Peer {
	const firstPort = 1000
	s.peers++
	return s.TUN.Peer(firstPort + s.peers)
}

func (s *States) handshake(l listeners) {
	s.tb.Helper()
	c := s.Client.StartDial(s.peer().Addr())
	s.addHeld("SYN_SENT", SynSent, c)

	p := s.peer()
	c = s.Client.StartDial(p.Addr())
	p.AcceptSYN()
	p.SendSYN(false)
	s.addHeld("SYN_RECV full", SynRecv, c)

	p = s.peer()
	p.StartConnect(l.tun.Local())
	p.Expect(SYN | ACK)
	s.add("SYN_RECV request", SynRecv, s.cookieOf(l.tun.Local(), p.Addr())).Kind = RequestSocket

	p, local := s.peer(), s.TUN.Local(l.dual.Local().Port())
	p.StartConnect(local)
	p.Expect(SYN | ACK)
	s.add("SYN_RECV mapped request", SynRecv, s.cookieOf(mapped(local), mapped(p.Addr()))).Kind = RequestSocket
}

// mapped returns an IPv4 address as a socket of AF_INET6 has it.
func mapped(addr netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(addr.Addr().As16()), addr.Port())
}

// cookieOf finds a socket without a descriptor.
func (s *States) cookieOf(local, remote netip.AddrPort) (cookie uint64) {
	s.tb.Helper()
	ok, err := poll(func() (bool, error) {
		all, err := s.ns.Sockets()
		for _, info := range all {
			if info.Local == local && info.Remote == remote {
				cookie = info.Cookie
			}
		}
		return cookie != 0, err
	})
	if err != nil || !ok {
		s.tb.Fatalf("socket %v -> %v: not in the kernel's tables (%v)", local, remote, err)
	}
	return cookie
}

// dialPeer makes a connection of Client's to a peer.
func (s *States) dialPeer() (*Conn, *Peer) {
	s.tb.Helper()
	p := s.peer()
	c := s.Client.StartDial(p.Addr())
	p.AcceptSYN()
	p.Establish()
	c.FinishConnect()
	return c, p
}

// queue makes a listener that accepts nothing.
func (s *States) queue() {
	s.tb.Helper()
	l := s.Server.Listen(Loopback4(0), specimenBacklog)
	waits, left := s.Client.Dial(l.Local()), s.Client.Dial(l.Local())
	left.Shutdown()
	s.addHeld("ESTABLISHED unaccepted client", Established, waits)
	s.add("ESTABLISHED unaccepted server", Established, s.cookieOf(l.Local(), waits.Local())).Unaccepted = true
	s.addHeld("FIN_WAIT2 unaccepted", FinWait2, left)
	s.add("CLOSE_WAIT unaccepted", CloseWait, s.cookieOf(l.Local(), left.Local())).Unaccepted = true
	s.addHeld("LISTEN queue", Listening, l)
}

// unconnected makes what is in no table.
func (s *States) unconnected(l *Conn) {
	s.tb.Helper()
	client, server := s.pair(l, l.Local())
	client.Linger0()
	client.Close()
	s.addUntabled("CLOSE reset", server).Zombie = true

	s.addUntabled("CLOSE unconnected", s.Client.Open(unix.AF_INET))

	c := s.Client.Open(unix.AF_INET)
	c.Bind(Loopback4(0))
	s.addUntabled("CLOSE bound", c)

	// A port that is certain to refuse: someone's, who does not listen.
	refused := s.Client.Open(unix.AF_INET)
	refused.Failing(unix.ECONNREFUSED).Connect(c.Local())
	s.addUntabled("CLOSE refused", refused)
}
