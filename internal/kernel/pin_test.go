package kernel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// pinDir is a place in a bpffs of the test's own.
func pinDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, "mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "tcptrail")
}

// pinned runs f while a tracer keeps its state in dir, and then closes the tracer.
func (s *stage) pinned(dir string, f func()) {
	s.t.Helper()
	tracer, err := Open(Options{Pin: dir})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := tracer.Close(); err != nil {
			s.t.Error(err)
		}
	}()
	f()
}

// look returns a socket as a process sees it that has nothing but the directory.
func (s *stage) look(dir string, c *nettest.Conn) tcp.Socket {
	s.t.Helper()
	snapshots, err := OpenSnapshots(SnapshotOptions{NetNS: []uint32{s.ns.Inode()}, Pin: dir})
	if err != nil {
		s.t.Fatal(err)
	}
	defer snapshots.Close()
	snapshot, err := snapshots.Take()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, socket := range snapshot.Sockets {
		if socket.Cookie == c.Cookie() && socket.Kind == tcp.Full {
			return socket
		}
	}
	s.t.Fatalf("socket %#x is not in the snapshot", c.Cookie())
	return tcp.Socket{}
}

// traced fails unless the socket's age is known exactly, and it came to its state between two moments.
func (s *stage) traced(dir string, c *nettest.Conn, after, before time.Time) {
	s.t.Helper()
	began := time.Now()
	socket := s.look(dir, c)
	ended := time.Now()
	age := socket.Age
	if age.Source != tcp.AgeTraced || !age.Exact() {
		s.t.Errorf("%v: age %+v is not what a tracer saw", socket.State, age)
		return
	}
	if least, most := began.Sub(before), ended.Sub(after); age.AtLeast < least || age.AtLeast > most {
		s.t.Errorf("%v: %v old, not %v to %v", socket.State, age.AtLeast, least, most)
	}
}

func TestPrivilegedPinOutlivesTracer(t *testing.T) {
	s := newStage(t)
	dir := pinDir(t)
	server, client := s.actor("server"), s.actor("client")
	l := server.Listen(nettest.Loopback4(0), 1)
	var c, a *nettest.Conn
	began := time.Now()
	s.pinned(dir, func() {
		c = client.Dial(l.Local())
		a = l.Accept()
		c.Shutdown()
		a.WaitState(nettest.CloseWait)
		c.WaitState(nettest.FinWait2)
		ended := time.Now()
		s.traced(dir, a, began, ended)
		s.traced(dir, c, began, ended)
	})
	ended := time.Now()
	s.traced(dir, a, began, ended)
	if socket := s.look(dir, c); socket.Evidence != tcp.EvidenceClose || socket.PID != uint32(client.PID()) {
		t.Errorf("owner %d by %v, want the client %d, which shut it", socket.PID, socket.Evidence, client.PID())
	}

	t.Log("a successor goes on with it")
	s.pinned(dir, func() { s.traced(dir, c, began, ended) })

	t.Log("what happened without a tracer is not known")
	a.Close()
	if socket := s.look(dir, c); socket.Age.Source == tcp.AgeTraced {
		t.Errorf("%v, which nobody saw it come to, is %+v old", socket.State, socket.Age)
	}
	b := client.Dial(l.Local())
	d := l.Accept()
	for _, unseen := range []*nettest.Conn{b, d} {
		if socket := s.look(dir, unseen); socket.Age.Source == tcp.AgeTraced {
			t.Errorf("a connection that nobody saw is %+v old", socket.Age)
		}
	}

	t.Log("nor is it missed")
	s.pinned(dir, func() {
		tracer := time.Now()
		d.Close()
		b.WaitState(nettest.CloseWait)
		s.traced(dir, b, tracer, time.Now())
	})

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if socket := s.look(dir, b); socket.Age.Source == tcp.AgeTraced {
		t.Errorf("forgotten, and still %+v old", socket.Age)
	}
}

// A gap in which the socket had another connection, and is in the same state again.
func TestPrivilegedPinKnowsConnectionsApart(t *testing.T) {
	s := newStage(t)
	dir := pinDir(t)
	l := s.actor("server").Listen(nettest.Loopback4(0), 2)
	c := s.actor("client").Open(unix.AF_INET)
	s.pinned(dir, func() { c.Connect(l.Local()) })
	began := time.Now()
	c.Disconnect()
	c.Connect(l.Local())
	if socket := s.look(dir, c); socket.Age.Source == tcp.AgeTraced && socket.Age.AtLeast > time.Since(began) {
		t.Errorf("the second connection is as old as the first: %+v", socket.Age)
	}
	s.pinned(dir, func() {
		if socket := s.look(dir, c); socket.Age.Source == tcp.AgeTraced && socket.Age.AtLeast > time.Since(began) {
			t.Errorf("a new tracer believes it: %+v", socket.Age)
		}
	})
}

func TestPrivilegedPinIsLocked(t *testing.T) {
	s := newStage(t)
	dir := pinDir(t)
	s.pinned(dir, func() {
		_, err := Open(Options{Pin: dir})
		if err == nil || !strings.Contains(err.Error(), "another tcptrail keeps its state in "+dir) {
			t.Errorf("a second tracer writes there: %v", err)
		}
	})
	s.pinned(dir, func() {}) // the lock is gone
}

func TestPrivilegedPinNeedsBPFFS(t *testing.T) {
	_, err := Open(Options{Pin: filepath.Join(t.TempDir(), "tcptrail")})
	if err == nil || !strings.Contains(err.Error(), "mount -t bpf") {
		t.Errorf("got %v", err)
	}
}

// A map of another tracer's making is replaced.
func TestPrivilegedPinReplacesWhatDoesNotFit(t *testing.T) {
	s := newStage(t)
	dir := pinDir(t)
	s.pinned(dir, func() {})
	spec, err := loadBpf()
	if err != nil {
		t.Fatal(err)
	}
	other := spec.Maps[bpfMapSubflows].Copy()
	m, err := ebpf.NewMap(other)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	path := filepath.Join(dir, pinName)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := m.Pin(path); err != nil {
		t.Fatal(err)
	}
	l := s.actor("server").Listen(nettest.Loopback4(0), 1)
	if socket := s.look(dir, l); socket.Age.Known() {
		t.Errorf("an age from nowhere: %+v", socket.Age)
	}
	s.pinned(dir, func() {})
}
