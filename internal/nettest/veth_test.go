package nettest

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// A connection between two namespaces has one end in each.
func TestPrivilegedLink(t *testing.T) {
	a, b := NewNS(t), NewNS(t)
	addrA, addrB := Link(t, a, b)
	listener := StartActor(t, b, "server").Listen(netip.AddrPortFrom(addrB, 0), 1)
	client := StartActor(t, a, "client").Dial(listener.Local())
	server := listener.Accept()
	if client.Local().Addr() != addrA || server.Remote() != client.Local() {
		t.Errorf("client at %v, server's peer %v, want both %v", client.Local(), server.Remote(), addrA)
	}
	client.Write(100_000)
	server.Read(100_000)
	for _, end := range []struct {
		ns   *NS
		conn *Conn
	}{{a, client}, {b, server}} {
		mustSocket(t, end.ns, end.conn.Cookie(), Established)
	}
	if all := mustSockets(t, a); len(all) != 1 {
		t.Errorf("%d sockets in the client's namespace, want 1", len(all))
	}
}

// TUN and veth go together.
func TestPrivilegedLinkBesideTUN(t *testing.T) {
	a, b := NewNS(t), NewNS(t)
	peer := OpenTUN(t, a).Peer(443)
	_, addrB := Link(t, a, b)
	actor := InProcess(t, a)
	actor.StartDial(peer.Addr())
	peer.AcceptSYN()
	actor.Dial(InProcess(t, b).Listen(netip.AddrPortFrom(addrB, 0), 1).Local())
}

func TestPrivilegedLinkTwice(t *testing.T) {
	a, b := NewNS(t), NewNS(t)
	Link(t, a, b)
	if got := fatalOf(t, func(tb testing.TB) { Link(tb, a, b) }); got == "" {
		t.Errorf("second link: succeeded, want %v", unix.EEXIST)
	}
}
