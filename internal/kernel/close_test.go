package kernel

import (
	"net/netip"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// pair is a connection between two processes.
func (s *stage) pair(addr netip.AddrPort) (client, server *nettest.Conn) {
	s.t.Helper()
	l := s.actor("server").Listen(addr, 1)
	to := l.Local()
	if to.Addr().IsUnspecified() { // dual stack
		to = nettest.Loopback4(to.Port())
	}
	client = s.actor("client").Dial(to)
	return client, l.Accept()
}

var (
	opened   = []string{"CLOSE>SYN_SENT connect:client", "SYN_SENT>ESTABLISHED connect:client"}
	accepted = []string{"LISTEN>SYN_RECV listen:server", "SYN_RECV>ESTABLISHED listen:server"}
)

func then(start []string, more ...string) []string {
	return append(append([]string{}, start...), more...)
}

func TestPrivilegedActiveAndPassiveClose(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	client.Write(5)
	server.Read(5)
	server.Write(3)
	client.Read(3)
	client.Close()
	server.WaitState(nettest.CloseWait)
	s.waitOrphan(client)
	server.Close()
	s.wait(server, nettest.Gone)
	s.end()
	s.expect(client, then(opened, "ESTABLISHED>FIN_WAIT1 close:client", "FIN_WAIT1>FIN_WAIT2 close:client",
		"FIN_WAIT2>CLOSE close:client fin_local next=FIN_WAIT2")...)
	s.expect(server, then(accepted, "ESTABLISHED>CLOSE_WAIT accepted:server", "CLOSE_WAIT>LAST_ACK close:server",
		"LAST_ACK>CLOSE close:server fin_remote")...)
	checkBytes(t, s.last(client), 5, 3)
	checkBytes(t, s.last(server), 3, 5)
	if e := s.last(client); e.SRTT <= 0 || e.Retrans != 0 {
		t.Errorf("srtt %v, retransmits %d, want some and none", e.SRTT, e.Retrans)
	}
}

func checkBytes(t *testing.T, e tcp.Event, sent, received uint64) {
	t.Helper()
	if e.BytesSent != sent || e.BytesRecv != received {
		t.Errorf("%v: %d bytes sent and %d received, want %d and %d", e.Local, e.BytesSent, e.BytesRecv, sent, received)
	}
}

func TestPrivilegedHalfCloseAndItsSelfTransition(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	client.Shutdown()
	client.WaitState(nettest.FinWait2)
	client.Close() // traced as FIN_WAIT2>FIN_WAIT2
	server.Close()
	s.wait(server, nettest.Gone)
	s.end()
	s.expect(client, then(opened, "ESTABLISHED>FIN_WAIT1 close:client", "FIN_WAIT1>FIN_WAIT2 close:client",
		"FIN_WAIT2>FIN_WAIT2 close:client", "FIN_WAIT2>CLOSE close:client fin_local next=FIN_WAIT2")...)
	events := s.of(client)
	entered, self, left := events[3], events[4], events[5]
	if got, want := self.InOld.Nanoseconds(), self.Mono-entered.Mono; got != want {
		t.Errorf("at the self-transition %d ns in FIN_WAIT2, want %d", got, want)
	}
	if got, want := left.InOld.Nanoseconds(), left.Mono-entered.Mono; got != want {
		t.Errorf("the self-transition restarted the clock: %d ns in FIN_WAIT2, want %d", got, want)
	}
}

func TestPrivilegedHeldHalfCloseEndsInTimeWait(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	client.Shutdown()
	client.WaitState(nettest.FinWait2)
	server.Close()
	client.WaitState(nettest.Close)
	s.end()
	s.expect(client, then(opened, "ESTABLISHED>FIN_WAIT1 close:client", "FIN_WAIT1>FIN_WAIT2 close:client",
		"FIN_WAIT2>CLOSE close:client fin_local next=TIME_WAIT")...)
}

func TestPrivilegedSimultaneousClose(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	c, peer := s.playedPeer()
	c.Close()
	peer.Expect(nettest.FIN | nettest.ACK)
	peer.SendFIN(false)
	s.wait(c, nettest.Closing)
	peer.Expect(nettest.ACK)
	peer.SendACK()
	s.wait(c, nettest.TimeWait)
	s.end()
	s.expect(c, then(opened, "ESTABLISHED>FIN_WAIT1 close:client", "FIN_WAIT1>CLOSING close:client",
		"CLOSING>CLOSE close:client fin_local next=TIME_WAIT")...)
}

func TestPrivilegedProcessExit(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	client.Actor().Kill()
	server.WaitState(nettest.CloseWait)
	s.waitOrphan(client)
	server.Actor().Exit() // the peer's FIN was first, whoever exits
	s.wait(server, nettest.Gone)
	s.end()
	s.expect(client, then(opened, "ESTABLISHED>FIN_WAIT1 close:client", "FIN_WAIT1>FIN_WAIT2 close:client",
		"FIN_WAIT2>CLOSE close:client process_exit next=FIN_WAIT2")...)
	s.expect(server, then(accepted, "ESTABLISHED>CLOSE_WAIT accepted:server", "CLOSE_WAIT>LAST_ACK close:server",
		"LAST_ACK>CLOSE close:server fin_remote")...)
}

func TestPrivilegedIPv6(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback6(0))
	client.Close()
	server.WaitState(nettest.CloseWait)
	server.Close()
	s.wait(server, nettest.Gone)
	s.end()
	checkEnds(t, s.of(client)[1:], tcp.Inet6, client.Local(), client.Remote())
	checkEnds(t, s.of(server), tcp.Inet6, server.Local(), server.Remote())
}

func TestPrivilegedMapped(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Any6(0))
	client.Close()
	server.WaitState(nettest.CloseWait)
	server.Close()
	s.wait(server, nettest.Gone)
	s.end()
	local := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), client.Remote().Port())
	checkEnds(t, s.of(client)[1:], tcp.Inet, client.Local(), local)
	checkEnds(t, s.of(server), tcp.Inet6, local, client.Local())
	if e := s.last(server); !e.IsIPv4() {
		t.Errorf("v4-mapped connection is not IPv4: %v %v", e.Local, e.Remote)
	}
}

func checkEnds(t *testing.T, events []tcp.Event, family tcp.Family, local, remote netip.AddrPort) {
	t.Helper()
	if len(events) == 0 {
		t.Error("no events")
	}
	for _, e := range events {
		if e.Family != family || e.Local != local || e.Remote != remote {
			t.Errorf("%v>%v: %v %v %v, want %v %v %v", e.Old, e.New, e.Family, e.Local, e.Remote, family, local, remote)
		}
	}
}

func TestPrivilegedPortReuse(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	server, client := s.actor("server"), s.actor("client")
	l := server.Listen(nettest.Loopback4(0), 1)
	var cookies []uint64
	var port uint16
	for range 2 { // the same pair of ports twice; a reset leaves no TIME_WAIT behind
		c := client.Open(2)
		c.Bind(nettest.Loopback4(port))
		c.Connect(l.Local())
		port = c.Local().Port()
		a := l.Accept()
		c.Linger0()
		c.Close()
		a.WaitState(nettest.Close)
		a.Close()
		cookies = append(cookies, c.Cookie())
	}
	s.end()
	for _, cookie := range cookies {
		s.expectCookie(cookie, then(opened, "ESTABLISHED>CLOSE connect:client reset_sent")...)
	}
}

func TestPrivilegedDisconnectAndReconnect(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	l := s.actor("server").Listen(nettest.Loopback4(0), 2)
	c := s.actor("client").Dial(l.Local())
	l.Accept()
	c.Disconnect() // AF_UNSPEC: the same socket, the same cookie
	c.Connect(l.Local())
	l.Accept()
	s.end()
	s.expect(c, then(opened, then([]string{"ESTABLISHED>CLOSE connect:client reset_sent"}, opened...)...)...)
	if again := s.of(c)[3]; again.InOld == tcp.Unknown {
		t.Errorf("time in CLOSE between two connections of a socket is unknown")
	}
}
