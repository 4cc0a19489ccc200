package nettest

import (
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPrivilegedConnFamilies(t *testing.T) {
	tests := []struct {
		name                           string
		listen, dial                   func(port uint16) netip.AddrPort
		clientLocal, serverLocalRemote string
	}{
		{"IPv4", Loopback4, Loopback4, "127.0.0.1", "127.0.0.1"},
		{"IPv6", Loopback6, Loopback6, "::1", "::1"},
		{"IPv4 to dual stack", Any6, Loopback4, "127.0.0.1", "::ffff:127.0.0.1"},
		{"IPv6 to dual stack", Any6, Loopback6, "::1", "::1"},
		{"v4-mapped to IPv4", Loopback4, Mapped4, "::ffff:127.0.0.1", "127.0.0.1"},
		{"v4-mapped to dual stack", Any6, Mapped4, "::ffff:127.0.0.1", "::ffff:127.0.0.1"},
	}
	onBoth(t, func(t *testing.T, ns *NS, actor *Actor) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				listener := actor.Listen(test.listen(0), 1)
				port := listener.Local().Port()
				client := actor.Dial(test.dial(port))
				server := listener.Accept()
				clientWants := Identity{
					Local:  netip.AddrPortFrom(netip.MustParseAddr(test.clientLocal), client.Local().Port()),
					Remote: test.dial(port),
				}
				serverAddr := netip.MustParseAddr(test.serverLocalRemote)
				serverWants := Identity{
					Local:  netip.AddrPortFrom(serverAddr, port),
					Remote: netip.AddrPortFrom(serverAddr, client.Local().Port()),
				}
				checkIdentity(t, ns, client, clientWants)
				checkIdentity(t, ns, server, serverWants)
			})
		}
	})
}

// checkIdentity compares a connection's addresses with those expected, and all of it with the kernel's tables.
func checkIdentity(t *testing.T, ns *NS, c *Conn, want Identity) {
	t.Helper()
	if c.Local() != want.Local || c.Remote() != want.Remote || c.Local().Port() == 0 {
		t.Errorf("%v -> %v, want %v -> %v", c.Local(), c.Remote(), want.Local, want.Remote)
	}
	info := mustSocket(t, ns, c.Cookie(), Established)
	if info.Local != want.Local || info.Remote != want.Remote || info.Inode != c.Inode() {
		t.Errorf("in the kernel %v -> %v inode %d, want %v -> %v inode %d",
			info.Local, info.Remote, info.Inode, want.Local, want.Remote, c.Inode())
	}
}

func TestPrivilegedConnOrderlyClose(t *testing.T) {
	onBoth(t, func(t *testing.T, ns *NS, actor *Actor) {
		_, client, server := connect(actor)
		client.Write(5000)
		server.Read(5000)
		client.Shutdown()
		server.WaitState(CloseWait)
		client.WaitState(FinWait2)
		if got := server.ReadEOF(); got != 0 {
			t.Errorf("%d bytes before EOF, want 0", got)
		}
		server.Write(7)
		server.Close()
		if got := client.ReadEOF(); got != 7 {
			t.Errorf("%d bytes before EOF, want 7", got)
		}
		mustSocket(t, ns, client.Cookie(), TimeWait)
		mustSocket(t, ns, server.Cookie(), Gone)
		client.Close()
	})
}

func TestPrivilegedConnReset(t *testing.T) {
	onBoth(t, func(_ *testing.T, _ *NS, actor *Actor) {
		_, client, server := connect(actor)
		client.Linger0()
		client.Close()
		server.WaitState(Close)
		server.Failing(unix.ECONNRESET).Read(1)
		server.Failing(unix.EPIPE).Write(1)
	})
}

func TestPrivilegedConnRefused(t *testing.T) {
	onBoth(t, func(_ *testing.T, _ *NS, actor *Actor) {
		c := actor.Open(unix.AF_INET)
		c.Failing(unix.ECONNREFUSED).Connect(Loopback4(1))
		c.WaitState(Close)
		c = actor.StartDial(Loopback4(1))
		c.Failing(unix.ECONNREFUSED).FinishConnect()
	})
}

func TestPrivilegedConnStartDial(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *NS, actor *Actor) {
		listener := actor.Listen(Loopback4(0), 1)
		c := actor.StartDial(listener.Local())
		c.FinishConnect()
		if got := c.State(); got != Established {
			t.Errorf("state %v, want %v", got, Established)
		}
		if got := listener.Accept(); got.Remote() != c.Local() || c.Remote() != listener.Local() {
			t.Errorf("accepted from %v, connected %v -> %v", got.Remote(), c.Local(), c.Remote())
		}
	})
}

// A listener is at its own address, whatever address its clients come to.
func TestPrivilegedConnListenerKeepsAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *NS, actor *Actor) {
		listener := actor.Listen(Any6(0), 1)
		want := listener.Local()
		actor.Dial(Loopback4(want.Port()))
		listener.Accept()
		if listener.Local() != want || listener.Remote().IsValid() {
			t.Errorf("after accept %v -> %v, want %v", listener.Local(), listener.Remote(), want)
		}
	})
}

// The same socket connects twice, and keeps its cookie.
func TestPrivilegedConnDisconnect(t *testing.T) {
	onBoth(t, func(t *testing.T, ns *NS, actor *Actor) {
		listener, client, server := connect(actor)
		client.Disconnect()
		client.WaitState(Close)
		server.WaitState(Close) // by RST
		client.Connect(listener.Local())
		mustSocket(t, ns, client.Cookie(), Established)
		again := listener.Accept()
		if again.Cookie() == server.Cookie() {
			t.Error("two connections accepted, one cookie")
		}
	})
}

func TestPrivilegedConnBind(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *NS, actor *Actor) {
		listener := actor.Listen(Loopback4(0), 1)
		from := netip.MustParseAddrPort("127.0.0.5:4321")
		client := actor.Open(unix.AF_INET)
		client.Bind(from)
		client.Connect(listener.Local())
		if got := listener.Accept().Remote(); got != from {
			t.Errorf("client comes from %v, want %v", got, from)
		}
		actor.Open(unix.AF_INET).Failing(unix.EADDRINUSE).Bind(listener.Local())
	})
}

func TestPrivilegedConnDup(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *NS, actor *Actor) {
		_, client, server := connect(actor)
		second := client.Dup()
		if second.FD() == client.FD() || second.Cookie() != client.Cookie() {
			t.Errorf("descriptors %d, %d, cookies %#x, %#x", client.FD(), second.FD(), client.Cookie(), second.Cookie())
		}
		client.Close()
		second.Write(1)
		server.Read(1)
		if got := server.State(); got != Established {
			t.Errorf("state %v with a descriptor left, want %v", got, Established)
		}
		second.Close()
		server.WaitState(CloseWait)
	})
}

func TestPrivilegedConnFill(t *testing.T) {
	onBoth(t, func(t *testing.T, ns *NS, actor *Actor) {
		_, client, server := connect(actor)
		total := client.Fill()
		out := mustSocket(t, ns, client.Cookie(), Established).WQueue
		in := mustSocket(t, ns, server.Cookie(), Established).RQueue
		if out == 0 || in == 0 || int(out+in) < total {
			t.Errorf("%d bytes written, %d unacknowledged, %d unread", total, out, in)
		}
		client.Shutdown()
		if got := server.ReadEOF(); got != total {
			t.Errorf("read %d bytes, want %d", got, total)
		}
	})
}

// A connection that nobody accepts has no descriptor and no owner.
func TestPrivilegedConnNeverAccepted(t *testing.T) {
	ns := NewNS(t)
	actor := InProcess(t, ns)
	listener := actor.Listen(Loopback4(0), 1)
	client := actor.Dial(listener.Local())
	client.Write(3)
	client.Close()
	for _, s := range mustSockets(t, ns) {
		if s.Remote == client.Local() {
			if mustSocket(t, ns, s.Cookie, CloseWait).Inode != 0 {
				t.Errorf("has inode %d, want none", s.Inode)
			}
			return
		}
	}
	t.Error("not in the kernel's tables")
}

func TestPrivilegedConnFailures(t *testing.T) {
	ns := NewNS(t)
	s, err := ns.Socket(unix.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Connect(netip.AddrPort{}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("connect to no address: %v, want %v", err, unix.EINVAL)
	}
	if err := s.Connect(netip.MustParseAddrPort("192.0.2.1:1")); !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("connect to nowhere: %v, want %v", err, unix.ENETUNREACH)
	}
	if _, err := s.Accept(); !errors.Is(err, unix.EINVAL) {
		t.Errorf("accept without listen: %v, want %v", err, unix.EINVAL)
	}
	if err := s.UserTimeout(time.Second); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"close":       s.Close(),
		"wait state":  s.WaitState(Close),
		"linger":      s.Linger0(),
		"listen":      s.Listen(1),
		"start":       s.StartConnect(Loopback4(1)),
		"finish":      s.FinishConnect(),
		"write":       s.Write(1),
		"disconnect":  s.Disconnect(),
		"shutdown":    s.Shutdown(),
		"read":        s.Read(1),
		"bind":        s.Bind(Loopback4(0)),
		"userTimeout": s.UserTimeout(0),
	} {
		if !errors.Is(err, unix.EBADF) {
			t.Errorf("%s on a closed descriptor: %v, want %v", name, err, unix.EBADF)
		}
	}
}

func TestPrivilegedSocketReadShort(t *testing.T) {
	ns := NewNS(t)
	_, client, server := connect(InProcess(t, ns))
	client.Write(2)
	client.Close()
	s := NewSocket(server.FD())
	if err := s.Read(3); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read: %v, want %v", err, io.ErrUnexpectedEOF)
	}
}
