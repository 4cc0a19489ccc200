package nettest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// NS is a network namespace. It lives as long as its descriptor, or a process or socket in it.
type NS struct {
	fd    int
	inode uint32
}

// NewNS makes a network namespace with lo up and nothing else, and closes it when the test ends.
func NewNS(tb testing.TB) *NS {
	tb.Helper()
	ns, err := openNS()
	if err != nil {
		tb.Fatalf("make a network namespace: %v", err)
	}
	tb.Cleanup(func() {
		if err := unix.Close(ns.fd); err != nil {
			tb.Errorf("close network namespace: %v", err)
		}
	})
	return ns
}

func openNS() (ns *NS, err error) {
	err = onVisit(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if err := setUp("lo"); err != nil {
			return err
		}
		ns, err = currentNS()
		return err
	})
	return ns, err
}

// currentNS opens the namespace of the calling thread.
func currentNS() (*NS, error) {
	const path = "/proc/thread-self/ns/net"
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("stat %s: %w", path, err)
	}
	// The kernel numbers namespaces from an unsigned int (proc_alloc_inum in fs/proc/generic.c).
	return &NS{fd: fd, inode: uint32(st.Ino)}, nil
}

// Inode returns the number by which the kernel and `ls -L /proc/PID/ns/net` know the namespace.
func (ns *NS) Inode() uint32 { return ns.inode }

// Path names the namespace for any process that may look into this one's descriptors. It is good until the test ends.
func (ns *NS) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.fd) }

// Do runs f in the namespace, in the calling goroutine: f may panic and may end the test. Its error is returned as it
// is. Only the calling thread moves: goroutines that f starts run outside, and f sees itself inside under
// /proc/thread-self, not under /proc/self. Processes that f starts, and sockets that it opens, stay inside for life.
// Calls may nest.
func (ns *NS) Do(f func() error) error {
	return onVisit(func() error {
		if err := unix.Setns(ns.fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace %d: %w", ns.inode, err)
		}
		return f()
	})
}

// onVisit runs f, which may change the thread's network namespace, and then returns the thread to where it was.
func onVisit(f func() error) (err error) {
	runtime.LockOSThread()
	home, err := currentNS()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		back := unix.Setns(home.fd, unix.CLONE_NEWNET)
		if back == nil {
			runtime.UnlockOSThread()
		} else { // The thread stays locked, and so dies with this goroutine instead of running others astray.
			back = fmt.Errorf("leave the network namespace: %w", back)
		}
		if back = errors.Join(back, unix.Close(home.fd)); back != nil {
			err = errors.Join(err, back)
		}
	}()
	return f()
}

// Sysctl sets a setting of the namespace, as "net.ipv4.tcp_fin_timeout" to "5".
func (ns *NS) Sysctl(name, value string) error {
	return ns.Do(func() error {
		// Which namespace /proc/sys/net shows depends on the thread that looks (net/sysctl_net.c).
		path := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
		return nil
	})
}
