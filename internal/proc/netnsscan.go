package proc

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// errNoNetNS refuses an inode number.
var errNoNetNS = errors.New("no process is in a namespace of this inode number, and it is not mounted: " +
	"lsns -t net lists those that are")

// checkNetNS returns nil if inode is a network namespace that a mount, a process or a thread keeps, or if that could
// not be found out for lack of CAP_SYS_PTRACE. One that lives by an open descriptor or a socket alone is not found.
func (f FS) checkNetNS(inode uint32) error {
	if f.Elsewhere {
		return nil
	}
	link := fmt.Sprintf("net:[%d]", inode)
	mounts, err := f.mounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.fsType == "nsfs" && m.root == link {
			return nil
		}
	}
	pids, err := numbers(f.path())
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	refused := false
	for _, pid := range pids {
		found, err := f.processHas(pid, link)
		if found {
			return nil
		}
		refused = refused || errors.Is(err, os.ErrPermission)
	}
	// Some processes show nothing even to those who may look, for a security module's sake: they prove nothing.
	if (refused || f.hidesOthers()) && !f.mayTrace() {
		return nil
	}
	return errNoNetNS
}

// hidesOthers says whether /proc has only what is ours (proc(5), hidepid): the first process is always there.
func (f FS) hidesOthers() bool {
	_, err := os.Stat(f.path("1"))
	return isGone(err) && f.isHidden("1")
}

// mayTrace says whether the calling thread has CAP_SYS_PTRACE.
func (f FS) mayTrace() bool {
	status, err := f.readFile("thread-self", "status")
	if err != nil {
		return false
	}
	effective, err := strconv.ParseUint(statusField(status, "CapEff:"), 16, 64)
	return err == nil && effective>>unix.CAP_SYS_PTRACE&1 == 1
}

// processHas says whether any thread of a process is in the namespace. The error is of the last thread that could not
// be asked; threads that ended meanwhile are none.
func (f FS) processHas(pid, link string) (found bool, refusal error) {
	tids, err := numbers(f.path(pid, "task"))
	if err != nil {
		return false, err
	}
	for _, tid := range tids {
		switch got, err := os.Readlink(f.path(pid, "task", tid, "ns", "net")); {
		case err == nil && got == link:
			return true, nil
		case err != nil:
			refusal = err
		}
	}
	return false, refusal
}

// numbers returns the entries of a directory whose names are numbers.
func numbers(path string) ([]string, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }() // only read
	names, err := dir.Readdirnames(-1)
	tasks := names[:0]
	for _, name := range names {
		if isNumber(name) {
			tasks = append(tasks, name)
		}
	}
	if len(tasks) > 0 { // a process that ends while its threads are listed
		return tasks, nil
	}
	return nil, err
}
