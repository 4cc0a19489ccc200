package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// inhabited is a namespace and the cookie of a socket in it.
type inhabited struct {
	name  string
	inode uint32
	// cookie is that of a socket in TIME_WAIT, which keeps no namespace alive, or, if listens is set, of a listener.
	cookie  uint64
	listens bool
}

// leaveTimeWait makes a socket in TIME_WAIT and leaves nothing else behind.
func leaveTimeWait(t *testing.T, ns *nettest.NS) (cookie uint64) {
	t.Helper()
	if err := ns.Sysctl("net.ipv4.tcp_rfc1337", "1"); err != nil {
		t.Fatal(err)
	}
	a := nettest.InProcess(t, ns)
	l := a.Listen(nettest.Loopback4(0), 1)
	c := a.Dial(l.Local())
	s := l.Accept()
	c.Close()
	s.WaitState(nettest.CloseWait)
	s.Close()
	l.Close()
	if _, err := ns.WaitSocket(c.Cookie(), nettest.TimeWait); err != nil {
		t.Fatal(err)
	}
	return c.Cookie()
}

// byProcess makes a namespace that a process lives in.
func byProcess(t *testing.T, name string) inhabited {
	t.Helper()
	ns := nettest.NewNS(t)
	l := nettest.StartActor(t, ns, "server").Listen(nettest.Loopback4(0), 1)
	return inhabited{name, ns.Inode(), l.Cookie(), true}
}

// byDescriptor makes a namespace that lives by a descriptor of the test's process alone.
func byDescriptor(t *testing.T) inhabited {
	t.Helper()
	ns := nettest.NewNS(t)
	return inhabited{"descriptor", ns.Inode(), leaveTimeWait(t, ns), false}
}

// byMount makes a namespace that lives by a mount alone. What keeps it while it is made belongs to a test of its own.
func byMount(t *testing.T) (in inhabited) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a name with spaces\nand more")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("mount", func(t *testing.T) {
		ns := nettest.NewNS(t)
		in = inhabited{"mount", ns.Inode(), leaveTimeWait(t, ns), false}
		if err := unix.Mount(ns.Path(), path, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return in
}

// bySocket makes a namespace that lives by a listener in it alone.
func bySocket(t *testing.T) (in inhabited) {
	t.Helper()
	t.Run("socket", func(parent *testing.T) {
		ns := nettest.NewNS(parent)
		err := ns.Do(func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = unix.Close(fd) })
			cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
			in = inhabited{"socket", ns.Inode(), cookie, true}
			return errors.Join(err, unix.Listen(fd, 1))
		})
		if err != nil {
			parent.Fatal(err)
		}
	})
	return in
}

// check wants the socket in the snapshot once, and its namespace among those visited.
func (in inhabited) check(t *testing.T, snapshot *tcp.Snapshot) {
	t.Helper()
	n := 0
	for i := range snapshot.Sockets {
		if s := &snapshot.Sockets[i]; s.Cookie == in.cookie && s.NetNS == in.inode && (s.State == tcp.Listen) == in.listens {
			n++
		}
	}
	if n != 1 || !contains(snapshot.NetNS, in.inode) {
		t.Errorf("namespace kept by a %s: its socket is there %d times, visited %v", in.name, n, contains(snapshot.NetNS, in.inode))
	}
}

func take(t *testing.T, s *Snapshots) *tcp.Snapshot {
	t.Helper()
	snapshot, err := s.Take()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(snapshot.NetNS) {
		t.Errorf("namespaces out of order: %v", snapshot.NetNS)
	}
	return snapshot
}

// Namespaces are found by whatever keeps them alive, and narrowed down on request.
func TestPrivilegedSnapshotNamespaces(t *testing.T) {
	all := []inhabited{
		byProcess(t, "process"), byProcess(t, "second process"), byDescriptor(t), byMount(t), bySocket(t),
	}
	s := openSnapshots(t, SnapshotOptions{})
	snapshot := take(t, s)
	for _, in := range all {
		in.check(t, snapshot)
	}
	here, err := netnsOfThread()
	if err != nil || !contains(snapshot.NetNS, here) {
		t.Errorf("our own namespace %d (%v) is not among %v", here, err, snapshot.NetNS)
	}
	for _, in := range all {
		narrow := take(t, openSnapshots(t, SnapshotOptions{NetNS: []uint32{in.inode}}))
		in.check(t, narrow)
		if !slices.Equal(narrow.NetNS, []uint32{in.inode}) || len(narrow.Sockets) != 1 {
			t.Errorf("%s alone: %d sockets of %v", in.name, len(narrow.Sockets), narrow.NetNS)
		}
		tally, err := openCounter(t, SnapshotOptions{NetNS: []uint32{in.inode}}).Count()
		if counts := tally.Counts(); err != nil || counts.Total() != 1 {
			t.Errorf("%s alone: counted %+v (%v), want 1", in.name, counts, err)
		}
	}
	two := []uint32{all[2].inode, all[0].inode}
	if pair := take(t, openSnapshots(t, SnapshotOptions{NetNS: two})); len(pair.NetNS) != 2 || len(pair.Sockets) != 2 {
		t.Errorf("two: %d sockets of %v", len(pair.Sockets), pair.NetNS)
	}
	if none := take(t, openSnapshots(t, SnapshotOptions{NetNS: []uint32{1}})); len(none.NetNS)+len(none.Sockets) != 0 {
		t.Errorf("a namespace that there is not: %+v", none)
	}
}

// A connection between two namespaces has one end in each.
func TestPrivilegedSnapshotBothEndsOfALink(t *testing.T) {
	a, b := nettest.NewNS(t), nettest.NewNS(t)
	_, addrB := nettest.Link(t, a, b)
	server, client := nettest.StartActor(t, b, "server"), nettest.StartActor(t, a, "client")
	l := server.Listen(netip.AddrPortFrom(addrB, 0), 1)
	c := client.Dial(l.Local())
	s := l.Accept()
	snapshot := take(t, openSnapshots(t, SnapshotOptions{NetNS: []uint32{a.Inode(), b.Inode()}}))
	for _, end := range []struct {
		c  *nettest.Conn
		ns *nettest.NS
	}{{c, a}, {s, b}, {l, b}} {
		n := 0
		for i := range snapshot.Sockets {
			if got := &snapshot.Sockets[i]; got.Cookie == end.c.Cookie() && got.NetNS == end.ns.Inode() && got.PID == uint32(end.c.Actor().PID()) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s's end is there %d times", end.c.Actor().Name(), n)
		}
	}
	if len(snapshot.Sockets) != 3 {
		t.Errorf("%d sockets, want 3", len(snapshot.Sockets))
	}
}

// Namespaces that come and go meanwhile are no error, and those that stay are not lost among them.
func TestPrivilegedSnapshotNamespacesComeAndGo(t *testing.T) {
	all := []inhabited{byProcess(t, "process"), byDescriptor(t), byMount(t), bySocket(t)}
	s := openSnapshots(t, SnapshotOptions{})
	counter := openCounter(t, SnapshotOptions{})
	var made atomic.Int64
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- makeNamespaces(stop, &made) }()
	const atLeast = 5
	taken := 0
	for began := time.Now(); taken < atLeast || time.Since(began) < 2*time.Second; taken++ {
		snapshot := take(t, s)
		for _, in := range all {
			in.check(t, snapshot)
		}
		if _, err := counter.Count(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d snapshots while %d namespaces came and went", taken, made.Load())
	if made.Load() == 0 {
		t.Error("no namespace came or went")
	}
}

// makeNamespaces keeps making namespaces that end in turn: with a thread, a descriptor and a socket in each for a while.
func makeNamespaces(stop <-chan struct{}, made *atomic.Int64) error {
	failed := make(chan error, 1)
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		go func() {
			runtime.LockOSThread() // never unlocked: the namespace ends with the thread, and what it leaves
			failed <- inNewNamespace()
		}()
		if err := <-failed; err != nil {
			return err
		}
		made.Add(1)
	}
}

func inNewNamespace() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	ns, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(ns)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Listen(fd, 1)
}

// confinedEnv tells the test to be the one that may do less: which sockets it has to see, or "none".
const confinedEnv = "TCPTRAIL_KERNEL_CONFINED"

// confined runs a test anew in a process without some rights, which prepare takes from the thread that starts it, and
// which attr leaves, and returns what it prints.
func confined(t *testing.T, value string, attr *syscall.SysProcAttr, prepare func() error) string {
	t.Helper()
	out := make(chan string)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread has lost something
		if err := prepare(); err != nil {
			out <- err.Error()
			return
		}
		cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), confinedEnv+"="+value)
		cmd.SysProcAttr = attr
		text, err := cmd.CombinedOutput()
		if err != nil {
			text = append(text, err.Error()...)
		}
		out <- string(text)
	}()
	return <-out
}

// Without CAP_SYS_ADMIN other namespaces are out of reach: that is said, and nothing is left out in silence. Our own is
// not.
func TestPrivilegedSnapshotWithoutTheRightToEnter(t *testing.T) {
	if os.Getenv(confinedEnv) != "" {
		lookWithoutTheRight(t)
		return
	}
	other := byProcess(t, "process")
	got := confined(t, "none", nil, func() error { return unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_ADMIN, 0, 0, 0) })
	if !strings.Contains(got, "--- PASS") || !strings.Contains(got, "CAP_SYS_ADMIN") {
		t.Errorf("beside namespace %d: %s", other.inode, got)
	}
}

func lookWithoutTheRight(t *testing.T) {
	var unsupported *UnsupportedError
	_, err := openSnapshots(t, SnapshotOptions{}).Take()
	if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), "CAP_SYS_ADMIN") || strings.Contains(err.Error(), "\n") {
		t.Errorf("snapshot: %v", err)
	}
	t.Log(err)
	if _, err := openCounter(t, SnapshotOptions{}).Count(); !errors.As(err, &unsupported) {
		t.Errorf("count: %v", err)
	}
	here, err := netnsOfThread()
	if err != nil {
		t.Fatal(err)
	}
	if got := take(t, openSnapshots(t, SnapshotOptions{NetNS: []uint32{here}})); !slices.Equal(got.NetNS, []uint32{here}) {
		t.Errorf("our own alone: %v", got.NetNS)
	}
}

// The capabilities are enough for every namespace, whatever keeps it: one need not be root.
func TestPrivilegedSnapshotWithCapabilitiesAlone(t *testing.T) {
	if value := os.Getenv(confinedEnv); value != "" {
		lookForAll(t, value)
		return
	}
	var sockets []string
	for _, in := range []inhabited{byProcess(t, "process"), byDescriptor(t), bySocket(t)} {
		sockets = append(sockets, fmt.Sprintf("%s/%d/%d/%t", in.name, in.inode, in.cookie, in.listens))
	}
	const nobody = 65534
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	for _, c := range (privilege.Trace | privilege.Namespaces).Caps() {
		attr.AmbientCaps = append(attr.AmbientCaps, uintptr(c))
	}
	if got := confined(t, strings.Join(sockets, " "), attr, func() error { return nil }); !strings.Contains(got, "--- PASS") {
		t.Error(got)
	}
}

func lookForAll(t *testing.T, sockets string) {
	snapshot := take(t, openSnapshots(t, SnapshotOptions{}))
	for text := range strings.FieldsSeq(sockets) {
		var in inhabited
		if _, err := fmt.Sscanf(strings.ReplaceAll(text, "/", " "), "%s %d %d %t", &in.name, &in.inode, &in.cookie, &in.listens); err != nil {
			t.Fatal(err)
		}
		in.check(t, snapshot)
	}
}
