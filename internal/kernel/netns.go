package kernel

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inNetNSOf runs f on a thread in the network namespace of process pid. For our own namespace that takes no privilege,
// for others CAP_SYS_ADMIN, and CAP_SYS_PTRACE where the process is another user's.
func inNetNSOf(pid int, f func() error) error {
	theirs, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer theirs.Close()
	if same, err := isOurNetNS(theirs); err == nil && same {
		return f()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and with it its namespace
		if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace of process %d: %w", pid, err)
			return
		}
		done <- f()
	}()
	return <-done
}

func isOurNetNS(theirs *os.File) (bool, error) {
	a, err := theirs.Stat()
	if err != nil {
		return false, err
	}
	b, err := os.Stat("/proc/thread-self/ns/net")
	if err != nil {
		return false, err
	}
	return os.SameFile(a, b), nil
}
