package kernel

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/proc"
)

func TestNamespacesKeepsWays(t *testing.T) {
	n := newNamespaces([]uint32{5, 3})
	for pid := range uint32(2 * maxWays) {
		for inode := range uint32(7) {
			n.add(inode, way{pid: pid})
		}
	}
	if got := n.pending(); !slices.Equal(got, []uint32{3, 5}) {
		t.Errorf("pending %v, want those asked for in order", got)
	}
	if got := len(n.ways[3]); got != maxWays {
		t.Errorf("%d ways, want %d", got, maxWays)
	}
	n.visited[3] = true
	if got := n.pending(); !slices.Equal(got, []uint32{5}) || !slices.Equal(n.seen(), []uint32{3}) {
		t.Errorf("pending %v, seen %v", got, n.seen())
	}
	n = newNamespaces([]uint32{})
	n.add(1, way{})
	if len(n.pending()) != 0 {
		t.Error("none was asked for")
	}
}

// Our own namespace needs no way, and whatever the look says is the answer.
func TestNamespacesVisitOwn(t *testing.T) {
	here, err := netnsOfThread()
	if err != nil {
		t.Fatal(err)
	}
	n := newNamespaces(nil)
	n.add(here, way{pid: 0})
	looks := 0
	for range 2 {
		if lost, err := n.visit(func() error { looks++; return nil }); lost != 0 || err != nil {
			t.Fatalf("%d lost, %v", lost, err)
		}
	}
	if looks != 1 || !slices.Equal(n.seen(), []uint32{here}) {
		t.Errorf("%d looks, seen %v", looks, n.seen())
	}
	n = newNamespaces(nil)
	n.add(here, way{pid: 0})
	broken := errors.New("broken")
	if _, err := n.visit(func() error { return broken }); !errors.Is(err, broken) || len(n.seen()) != 0 {
		t.Errorf("%v, seen %v", err, n.seen())
	}
}

// A way may lead nowhere, or somewhere else by now; neither is an error, and the namespace counts as lost.
func TestNamespacesVisitLost(t *testing.T) {
	const noPID = 1 << 30 // beyond pid_max
	self := uint32(os.Getpid())
	file, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ways := []way{
		{kind: snapshotNamespaceWayBY_TASK, pid: noPID},
		{kind: snapshotNamespaceWayBY_TASK, pid: self}, // another namespace than the one looked for
		{kind: snapshotNamespaceWayBY_FILE, pid: noPID, fd: 3},
		{kind: snapshotNamespaceWayBY_FILE, pid: self, fd: 1 << 20},
		{kind: snapshotNamespaceWayBY_FILE, pid: self, fd: uint32(file.Fd())},
		{kind: snapshotNamespaceWayBY_SOCKET, pid: noPID, fd: 3},
		{kind: snapshotNamespaceWayBY_SOCKET, pid: self, fd: 1 << 20},
		{kind: snapshotNamespaceWayBY_SOCKET, pid: self, fd: uint32(file.Fd())},
		{path: "/dev/null"},
		{path: "/nowhere/at/all"},
	}
	for _, w := range ways {
		n := newNamespaces(nil)
		n.add(1, w)
		lost, err := n.visit(func() error { t.Errorf("%+v led somewhere", w); return nil })
		if lost != 1 || err != nil || len(n.pending()) != 0 {
			t.Errorf("%+v: %d lost, %v, pending %v", w, lost, err, n.pending())
		}
	}
}

func TestGone(t *testing.T) {
	for err, want := range map[error]bool{unix.ESRCH: true, unix.EBADF: true, unix.EPERM: false, unix.EMFILE: false} {
		if got := errors.Is(gone(err), proc.ErrNetNSGone); got != want {
			t.Errorf("%v: gone %v, want %v", err, got, want)
		}
	}
}

func TestExplainEntry(t *testing.T) {
	var unsupported *UnsupportedError
	err := explainEntry(77, unix.EMFILE)
	if errors.As(err, &unsupported) || !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "77") {
		t.Errorf("%v", err)
	}
	refused := fmt.Errorf("open: %w", unix.EPERM)
	err = explainEntry(77, refused)
	missing := privilege.Missing(privilege.Namespaces)
	if is := errors.As(err, &unsupported); is != (missing != 0) || !errors.Is(err, unix.EPERM) || strings.Contains(err.Error(), "\n") {
		t.Errorf("missing %v: %v", missing, err)
	}
}
