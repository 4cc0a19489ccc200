package nettest

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// onBoth runs a test with an actor in the test's process, and with one in a process of its own: both ought to do the
// same.
func onBoth(t *testing.T, test func(*testing.T, *NS, *Actor)) {
	t.Helper()
	t.Run("in process", func(t *testing.T) {
		ns := NewNS(t)
		test(t, ns, InProcess(t, ns))
	})
	t.Run("other process", func(t *testing.T) {
		ns := NewNS(t)
		test(t, ns, StartActor(t, ns, "actor"))
	})
}

// connect returns a listener and both ends of a connection to it, all of one actor.
func connect(a *Actor) (listener, client, server *Conn) {
	listener = a.Listen(Loopback4(0), 1)
	client = a.Dial(listener.Local())
	return listener, client, listener.Accept()
}

// mustSocket returns the kernel's view of a socket once it is in the state.
func mustSocket(t *testing.T, ns *NS, cookie uint64, want State) SocketInfo {
	t.Helper()
	info, err := ns.WaitSocket(cookie, want)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// mustSysctl sets a setting of the namespace.
func mustSysctl(t *testing.T, ns *NS, name, value string) {
	t.Helper()
	if err := ns.Sysctl(name, value); err != nil {
		t.Fatal(err)
	}
}

// mustSockets returns the kernel's view of all sockets.
func mustSockets(t *testing.T, ns *NS) []SocketInfo {
	t.Helper()
	all, err := ns.Sockets()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
