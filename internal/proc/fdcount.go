package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// maxAsked is how many threads are asked for the descriptors of a process whose first one has ended: any that lives knows
// them all, and none but the first stays when it has ended.
const maxAsked = 16

// errNoThread says that a process has no thread left whose descriptors could be read: it is being reaped.
var errNoThread = errors.New("its threads have ended")

// countFDs returns how many descriptors a process has. That of a first thread that has ended before the others is an
// empty table (fs/proc/fd.c reads task->files, which do_exit() gives up), and says nothing of theirs.
func (f FS) countFDs(pid uint32) (int, error) {
	open, err := numbers(f.path(decimal(pid), "fd"))
	if err != nil || len(open) > 0 || !f.hasEnded(decimal(pid)) {
		return len(open), err
	}
	threads, err := numbers(f.path(decimal(pid), "task"))
	if err != nil {
		return 0, err
	}
	for _, tid := range threads[:min(len(threads), maxAsked)] {
		if tid == decimal(pid) {
			continue
		}
		open, err := numbers(f.path(decimal(pid), "task", tid, "fd"))
		switch {
		case errors.Is(err, os.ErrPermission):
			return 0, err
		case err == nil && (len(open) > 0 || !f.hasEnded(decimal(pid), "task", tid)):
			return len(open), nil
		}
	}
	return 0, fmt.Errorf("count descriptors: %w", errNoThread)
}

// hasEnded says whether a process or thread, by its directory, has none but its entry in the table of processes left
// (proc_pid_stat(5), state).
func (f FS) hasEnded(dir ...string) bool {
	stat, err := f.readFile(append(dir, "stat")...)
	if err != nil {
		return isGone(err)
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // the name may hold anything: see parseComm
	return len(fields) > 0 && (fields[0][0] == 'Z' || fields[0][0] == 'X')
}
