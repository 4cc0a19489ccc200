package kernel

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestPrivilegedReset(t *testing.T) {
	tests := []struct {
		name           string
		play           func(client, server *nettest.Conn)
		client, server string
	}{
		{"linger 0", func(client, server *nettest.Conn) {
			client.Linger0()
			client.Close()
			server.WaitState(nettest.Close)
		}, "ESTABLISHED>CLOSE connect:client reset_sent", "ESTABLISHED>CLOSE accepted:server reset_received"},
		{"unread data", func(client, server *nettest.Conn) {
			server.Write(7)
			client.Read(3)
			client.Close()
			server.WaitState(nettest.Close)
		}, "ESTABLISHED>CLOSE connect:client abort_unread", "ESTABLISHED>CLOSE accepted:server reset_received"},
		{"exit with unread data", func(client, server *nettest.Conn) {
			server.Write(7)
			client.Read(3)
			client.Actor().Exit()
			server.WaitState(nettest.Close)
		}, "ESTABLISHED>CLOSE connect:client process_exit", "ESTABLISHED>CLOSE accepted:server reset_received"},
		{"disconnect", func(client, server *nettest.Conn) {
			client.Disconnect()
			server.WaitState(nettest.Close)
		}, "ESTABLISHED>CLOSE connect:client reset_sent", "ESTABLISHED>CLOSE accepted:server reset_received"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			s.trace(Options{})
			client, server := s.pair(nettest.Loopback4(0))
			test.play(client, server)
			s.end()
			s.expect(client, then(opened, test.client)...)
			s.expect(server, then(accepted, test.server)...)
		})
	}
}

// A socket that was reset and is still held: ss shows nothing, and the kernel keeps it.
func TestPrivilegedZombie(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	client.Linger0()
	client.Close()
	server.WaitState(nettest.Close)
	s.wait(server, nettest.Gone)
	s.end()
	s.expect(server, then(accepted, "ESTABLISHED>CLOSE accepted:server reset_received")...)
	if e := s.last(server); unix.Errno(e.Errno) != unix.ECONNRESET {
		t.Errorf("errno %d, want ECONNRESET", e.Errno)
	}
}

func TestPrivilegedResetInCloseWait(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	client.Close()
	server.WaitState(nettest.CloseWait)
	s.waitOrphan(client)
	server.Write(1) // nobody is there to take it
	server.WaitState(nettest.Close)
	s.end()
	s.expect(server, then(accepted, "ESTABLISHED>CLOSE_WAIT accepted:server",
		"CLOSE_WAIT>CLOSE accepted:server reset_received")...)
}

func TestPrivilegedNeverAccepted(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	l := s.actor("server").Listen(nettest.Loopback4(0), 4)
	client := s.actor("client").Dial(l.Local())
	client.Write(5)
	client.Close()
	s.waitOrphan(client)
	l.Close()
	s.wait(l, nettest.Gone)
	s.end()
	s.expect(l, "CLOSE>LISTEN listen:server", "LISTEN>CLOSE close:server listener_closed")
	for _, e := range s.events {
		if e.Local == l.Local() && e.Cookie != l.Cookie() {
			s.expectCookie(e.Cookie, then(accepted, "ESTABLISHED>CLOSE_WAIT listen:server",
				"CLOSE_WAIT>CLOSE listen:server listener_closed")...)
			return
		}
	}
	t.Error("the connection that nobody accepted was not seen")
}

func TestPrivilegedRefused(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	c := s.actor("client").Open(unix.AF_INET)
	c.Failing(unix.ECONNREFUSED).Connect(nettest.Loopback4(9))
	s.end()
	s.expect(c, "CLOSE>SYN_SENT connect:client", "SYN_SENT>CLOSE connect:client refused")
}

func TestPrivilegedUnreachable(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	tun := nettest.OpenTUN(t, s.ns)
	client := s.actor("client")
	dial := func(port uint16, code byte) *nettest.Conn {
		peer := tun.Peer(port)
		c := client.StartDial(peer.Addr())
		peer.AcceptSYN()
		peer.SendUnreachable(code)
		c.WaitState(nettest.Close)
		return c
	}
	host, port := dial(1, nettest.HostUnreachable), dial(2, nettest.PortUnreachable)
	s.end()
	s.expect(host, "CLOSE>SYN_SENT connect:client", "SYN_SENT>CLOSE connect:client unreachable")
	s.expect(port, "CLOSE>SYN_SENT connect:client", "SYN_SENT>CLOSE connect:client refused")
}

func TestPrivilegedTimeouts(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	tun := nettest.OpenTUN(t, s.ns)
	client := s.actor("client")

	silent := tun.Peer(1)
	connecting := client.Open(unix.AF_INET)
	connecting.UserTimeout(time.Millisecond)
	connecting.StartConnect(silent.Addr())
	silent.AcceptSYN()

	deaf := tun.Peer(2)
	sending := client.StartDial(deaf.Addr())
	deaf.AcceptSYN()
	deaf.Establish()
	sending.FinishConnect()
	sending.UserTimeout(time.Millisecond)
	sending.Write(10)

	connecting.WaitState(nettest.Close)
	sending.WaitState(nettest.Close)
	s.end()
	s.expect(connecting, "CLOSE>SYN_SENT connect:client", "SYN_SENT>CLOSE connect:client timeout")
	s.expect(sending, then(opened, "ESTABLISHED>CLOSE connect:client timeout")...)
	if e := s.last(sending); unix.Errno(e.Errno) != unix.ETIMEDOUT || e.BytesSent != 10 {
		t.Errorf("errno %d and %d bytes sent, want ETIMEDOUT and 10", e.Errno, e.BytesSent)
	}
}

func TestPrivilegedAbandoned(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	peer := nettest.OpenTUN(t, s.ns).Peer(443)
	client := s.actor("client")
	c := client.StartDial(peer.Addr())
	peer.AcceptSYN()
	c.Close()
	s.wait(c, nettest.Gone)
	other := client.StartDial(peer.Addr())
	client.Exit()
	s.wait(other, nettest.Gone)
	s.end()
	s.expect(c, "CLOSE>SYN_SENT connect:client", "SYN_SENT>CLOSE connect:client abandoned")
	s.expect(other, "CLOSE>SYN_SENT connect:client", "SYN_SENT>CLOSE connect:client process_exit")
}

func TestPrivilegedRetransmits(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	c, peer := s.playedPeer()
	c.Write(10)
	peer.ExpectData()
	peer.ExpectData() // again, for want of an ACK
	peer.SendRST()
	c.WaitState(nettest.Close)
	s.end()
	s.expect(c, then(opened, "ESTABLISHED>CLOSE connect:client reset_received")...)
	if e := s.last(c); e.Retrans == 0 || e.BytesSent != 10 {
		t.Errorf("%d retransmits and %d bytes sent, want some and 10", e.Retrans, e.BytesSent)
	}
}

func TestPrivilegedKilled(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	if err := s.ns.Destroy(client); errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("this kernel cannot destroy sockets (CONFIG_INET_DIAG_DESTROY)")
	} else if err != nil {
		t.Fatal(err)
	}
	server.WaitState(nettest.Close)
	s.end()
	s.expect(client, then(opened, "ESTABLISHED>CLOSE connect:client killed")...)
	s.expect(server, then(accepted, "ESTABLISHED>CLOSE accepted:server reset_received")...)
}

// What gives up a half-closed connection is no orderly end.
func TestPrivilegedHalfCloseGivenUp(t *testing.T) {
	for _, tt := range []struct {
		name   string
		giveUp func(c, server *nettest.Conn)
		reason string
	}{
		{"linger 0", func(c, _ *nettest.Conn) { c.Linger0(); c.Close() }, "reset_sent"},
		{"disconnect", func(c, _ *nettest.Conn) { c.Disconnect() }, "reset_sent"},
		{"unread data", func(c, server *nettest.Conn) {
			server.Write(5)
			c.Read(1)
			c.Close()
		}, "abort_unread"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t)
			s.trace(Options{})
			client, server := s.pair(nettest.Loopback4(0))
			client.Shutdown()
			client.WaitState(nettest.FinWait2)
			tt.giveUp(client, server)
			server.WaitState(nettest.Close)
			s.end()
			last := s.last(client)
			if got := last.Reason.String(); got != tt.reason || last.Old != tcp.FinWait2 || last.Next != 0 {
				t.Errorf("%s, want %s", s.line(&last), tt.reason)
			}
		})
	}
}
