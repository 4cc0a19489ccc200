package nettest

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPrivilegedAddAddr(t *testing.T) {
	ns := NewNS(t)
	a := InProcess(t, ns)
	for _, text := range []string{"0.0.0.1", "255.255.255.254", "::2", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"} {
		addr := netip.MustParseAddr(text)
		at := netip.AddrPortFrom(addr, 1)
		c := a.Open(family(at))
		a.do(unix.EADDRNOTAVAIL, request{Op: opBind, FD: c.fd, Addr: at})
		ns.AddAddr(t, addr)
		l := a.Listen(at, 1)
		if got := l.Local(); got != at {
			t.Errorf("listens on %v, want %v", got, at)
		}
		a.Dial(at)
		if got := l.Accept().Local(); got != at {
			t.Errorf("accepted at %v, want %v", got, at)
		}
	}
}
