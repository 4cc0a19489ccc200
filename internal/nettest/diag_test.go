package nettest

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// procSockets reads /proc/net/tcp and tcp6, another view of the kernel's tables. It knows no cookies.
func procSockets(t *testing.T, ns *NS) (all []SocketInfo) {
	t.Helper()
	err := ns.Do(func() error {
		for _, path := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(text)) {
				if !strings.Contains(line, "local_address") {
					all = append(all, parseProcLine(t, line))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func parseProcLine(t *testing.T, line string) (s SocketInfo) {
	t.Helper()
	var slot, local, remote string
	var timer, when, retransmitted, timeout uint64
	_, err := fmt.Sscanf(line, "%s %s %s %x %x:%x %x:%x %x %d %d %d", &slot, &local, &remote, &s.State, &s.WQueue,
		&s.RQueue, &timer, &when, &retransmitted, &s.UID, &timeout, &s.Inode)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	s.Local, s.Remote = parseProcAddr(t, local), parseProcAddr(t, remote)
	return s
}

// parseProcAddr parses "0100007F:01BB": words of the address in the machine's order, the port in the usual one.
func parseProcAddr(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	words, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(words)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	addr, _ := netip.AddrFromSlice(b)
	var n uint16
	if _, err := fmt.Sscanf(port, "%x", &n); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return netip.AddrPortFrom(addr, n)
}

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
	ok, _ := poll(func() (bool, error) { // a delayed ACK may come between the two
		got, want = mustSockets(t, ns), procSockets(t, ns)
		for i := range got {
			got[i] = comparableInfo(got[i])
		}
		slices.SortFunc(got, bySocket)
		slices.SortFunc(want, bySocket)
		return slices.Equal(got, want), nil
	})
	if !ok {
		t.Errorf("sock_diag:\n%+v\n/proc/net/tcp:\n%+v", got, want)
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
