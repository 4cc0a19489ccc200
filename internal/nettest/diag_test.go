package nettest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// comparableInfo drops what the two views tell apart: cookies, and a listener's backlog, which is not in /proc.
func comparableInfo(s SocketInfo) SocketInfo {
	s.Cookie = 0
	if s.State == Listening {
		s.WQueue = 0
	}
	return s
}

func bySocket(a, b SocketInfo) int {
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

func TestPrivilegedSocketsMatchProc(t *testing.T) {
	ns := NewNS(t)
	actor := InProcess(t, ns)
	listener := actor.Listen(Any6(0), 3)
	port := listener.Local().Port()
	unread := actor.Dial(Loopback4(port))
	unread.Write(1234)
	actor.Dial(Loopback6(port)).Shutdown()
	_, client, server := connect(actor)
	client.Close()
	server.ReadEOF()
	server.Close()
	mustSocket(t, ns, client.Cookie(), TimeWait)

	var got, want []SocketInfo
	ok, err := poll(func() (bool, error) { // a delayed ACK may come between the two
		var err error
		if want, err = ns.ProcNet(); err != nil {
			return false, err
		}
		got = mustSockets(t, ns)
		for i := range got {
			got[i] = comparableInfo(got[i])
		}
		slices.SortFunc(got, bySocket)
		slices.SortFunc(want, bySocket)
		return slices.Equal(got, want), nil
	})
	if !ok || err != nil {
		t.Errorf("%v; sock_diag:\n%+v\n/proc/net/tcp:\n%+v", err, got, want)
	}
	if len(got) != 7 { // two listeners, two connections with both ends, one minisock
		t.Errorf("%d sockets, want 7", len(got))
	}
}

func TestPrivilegedSocketsFields(t *testing.T) {
	ns := NewNS(t)
	actor := InProcess(t, ns)
	listener := actor.Listen(Loopback4(0), 5)
	client := actor.Dial(listener.Local())
	info := mustSocket(t, ns, listener.Cookie(), Listening)
	if info.RQueue != 1 || info.WQueue != 5 {
		t.Errorf("listener: %d to accept, backlog %d, want 1, 5", info.RQueue, info.WQueue)
	}
	server := listener.Accept()
	client.Write(10)
	info = mustSocket(t, ns, server.Cookie(), Established)
	want := SocketInfo{
		State: Established, Local: listener.Local(), Remote: client.Local(), Cookie: server.Cookie(), Inode: server.Inode(),
		RQueue: 10,
	}
	if info != want {
		t.Errorf("got %+v, want %+v", info, want)
	}
}

func TestPrivilegedSocketsSeesOnlyItsNamespace(t *testing.T) {
	one, two := NewNS(t), NewNS(t)
	InProcess(t, one).Listen(Loopback4(0), 1)
	if got := mustSockets(t, two); len(got) != 0 {
		t.Errorf("%d sockets in an empty namespace", len(got))
	}
}

// More sockets than one datagram takes.
func TestPrivilegedSocketsMany(t *testing.T) {
	const connections = 300
	ns := NewNS(t)
	actor := InProcess(t, ns)
	listener := actor.Listen(Loopback4(0), connections)
	cookies := make(map[uint64]bool)
	for range connections {
		cookies[actor.Dial(listener.Local()).Cookie()] = true
	}
	all := mustSockets(t, ns)
	for _, s := range all {
		delete(cookies, s.Cookie)
	}
	if len(cookies) != 0 || len(all) != 2*connections+1 {
		t.Errorf("%d sockets, want %d; %d clients missing", len(all), 2*connections+1, len(cookies))
	}
}

func TestPrivilegedDumpRefused(t *testing.T) {
	if _, err := dump(255); !errors.Is(err, unix.EINVAL) { // beyond AF_MAX
		t.Errorf("dump of sockets of family 255: %v, want %v", err, unix.EINVAL)
	}
}
