package traffic

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// socketsOf returns how many descriptors of sockets a process has.
func socketsOf(t *testing.T, pid int) (n int) {
	t.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// Each process has a name and a connection of its own, and none of another's; all end when they are told to.
func TestProcesses(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ours := socketsOf(t, os.Getpid())
	const n = 20
	p, err := StartProcesses(8, n)
	if err != nil {
		t.Fatal(err)
	}
	pids := p.PIDs()
	if len(pids) != n || socketsOf(t, os.Getpid()) != ours {
		t.Errorf("%d processes; %d sockets are ours, %d were", len(pids), socketsOf(t, os.Getpid()), ours)
	}
	for i, pid := range pids {
		want := fmt.Sprintf("holder-%05d\n", i)
		comm := waitComm(t, pid, want)
		if got := socketsOf(t, pid); got != ours+2 || comm != want {
			t.Errorf("process %d: %q with %d sockets", i, comm, got)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
			t.Errorf("%d is still there: %v", pid, err)
		}
	}
}

// waitComm returns a process's name once it is what it is to be, or what it is at the end of patience.
func waitComm(t *testing.T, pid int, want string) (comm string) {
	t.Helper()
	for deadline := time.Now().Add(stateLimit); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil {
			t.Fatal(err)
		}
		if comm = string(text); comm == want || time.Now().After(deadline) {
			return comm
		}
	}
}
