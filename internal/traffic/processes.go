package traffic

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Processes is processes that do nothing but hold a connection each, with both its ends. One thread at a time may use it.
type Processes struct {
	pids []int
}

// commPrefix begins the names of processes, so that they sort as they were made.
const commPrefix = "holder-"

// StartProcesses makes n processes, named "holder-00000" and so on, that end when the calling thread does, at the latest:
// call it on one that is locked to its goroutine. Their connections are as those of [Gather].
//
// They are forks without exec: 10,000 take some seconds, and some 100 kB of memory each, most of it page tables.
func StartProcesses(host byte, n int) (_ *Processes, err error) {
	p := &Processes{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	for i := range n {
		crowd, err := Gather(host, 1)
		if err != nil {
			return p, err
		}
		pid, err := fork([]byte(fmt.Sprintf("%s%05d\x00", commPrefix, i)))
		crowd.Close() // our descriptors of what the process has now
		if err != nil {
			return p, fmt.Errorf("process %d of %d: %w: see ulimit -u, kernel.pid_max and pids.max of the cgroup", i+1, n, err)
		}
		p.pids = append(p.pids, pid)
	}
	return p, nil
}

// PIDs returns the processes.
func (p *Processes) PIDs() []int { return p.pids }

// Close ends all processes, and with them their connections.
func (p *Processes) Close() error {
	var errs []error
	for _, pid := range p.pids { // all of them first: they end side by side
		errs = append(errs, unix.Kill(pid, unix.SIGKILL))
	}
	for _, pid := range p.pids {
		_, err := unix.Wait4(pid, nil, 0, nil)
		errs = append(errs, err)
	}
	p.pids = nil
	return errors.Join(errs...)
}

// fork makes a process that waits to be killed. Signals are blocked for it: a handler would need a runtime that works.
func fork(comm []byte) (pid int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return 0, fmt.Errorf("block signals: %w", err)
	}
	id, errno := forkHolder(&comm[0], uintptr(unix.Getpid()))
	err = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	if errno != 0 {
		err = fmt.Errorf("fork: %w", errno)
	}
	return int(id), err
}

// forkHolder returns in the parent alone. The child has but this thread of the Go runtime, so it makes system calls and
// nothing else, and none that returns. It leaves the standard streams, at whose end somebody may wait.
//
//go:norace
//go:nosplit
func forkHolder(comm *byte, parent uintptr) (pid uintptr, errno unix.Errno) {
	pid, _, errno = unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0)
	_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(comm)), 0)
	for fd := uintptr(0); fd <= 2; fd++ {
		_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	}
	for {
		if ppid, _, _ := unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0); ppid != parent { // it ended before it could be followed
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0) // for ever: nothing wakes it
	}
}
