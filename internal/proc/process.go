package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxPID is the highest pid that the kernel gives (include/linux/threads.h, PID_MAX_LIMIT, less one).
const maxPID = 1<<22 - 1

// ErrNoProcess says that a pid belongs to no process.
var ErrNoProcess = errors.New("no such process (ps -e lists those that run)")

// PID returns the number in arg, which must be that of a process; a thread's is refused with its process named, since
// sockets are owned by processes.
func (f FS) PID(arg string) (uint32, error) {
	pid, err := strconv.ParseUint(arg, 10, 32)
	if !isNumber(arg) || err != nil || pid == 0 || pid > maxPID {
		return 0, fmt.Errorf("pid %q: give a number from 1 to %d", arg, maxPID)
	}
	if f.Elsewhere {
		return uint32(pid), nil
	}
	group, err := f.threadGroup(uint32(pid))
	if err != nil {
		return 0, fmt.Errorf("pid %d: %w", pid, err)
	}
	if group != uint32(pid) {
		return 0, fmt.Errorf("pid %d: this is a thread of process %d: give %d", pid, group, group)
	}
	return uint32(pid), nil
}

// Exists says whether pid is a process. It is false for the id of a thread that does not lead its process, although
// /proc has a directory of that name; true for a zombie.
func (f FS) Exists(pid uint32) bool {
	group, err := f.threadGroup(pid)
	return err == nil && group == pid
}

// Comm returns the name of a process or thread as the kernel keeps it: bytes of the process's own choice, so hostile
// until escaped. The error matches ErrNoProcess if there is none.
func (f FS) Comm(pid uint32) (string, error) {
	stat, err := f.readFile(decimal(pid), "stat")
	if err != nil {
		return "", fmt.Errorf("pid %d: %w", pid, f.noProcess(decimal(pid), err))
	}
	comm, ok := parseComm(stat)
	if !ok {
		return "", fmt.Errorf("pid %d: unknown format of %s", pid, f.path(decimal(pid), "stat"))
	}
	return string(comm), nil
}

// threadGroup returns the pid of the process that a thread belongs to.
func (f FS) threadGroup(tid uint32) (uint32, error) {
	status, err := f.readFile(decimal(tid), "status")
	if err != nil {
		return 0, f.noProcess(decimal(tid), err)
	}
	group, ok := parseThreadGroup(status)
	if !ok {
		return 0, fmt.Errorf("unknown format of %s", f.path(decimal(tid), "status"))
	}
	return group, nil
}

// errHidden says that there is a process of which this /proc shows nothing (proc(5), hidepid).
var errHidden = fmt.Errorf("%w: hidepid of /proc hides the process: run as root, or mount proc with gid= of a group of yours",
	os.ErrPermission)

// noProcess returns what it means that reading a file of a task failed with err: ErrNoProcess where there is none.
func (f FS) noProcess(task string, err error) error {
	switch {
	case !isGone(err):
		return err
	case f.isMissing():
		return ErrNoProc
	case f.isHidden(task):
		return errHidden
	}
	return ErrNoProcess
}

// isHidden says whether a task that /proc does not have is there all the same: kill(2) with no signal tells a process that
// we may not signal from one that is not.
func (f FS) isHidden(task string) bool {
	pid, err := strconv.Atoi(task)
	return err == nil && f.path() == procRoot && errors.Is(unix.Kill(pid, 0), unix.EPERM)
}

// parseComm finds the name in /proc/PID/stat. It may hold anything but NUL, parentheses and line ends included, as the
// kernel writes it there unescaped (fs/proc/array.c, do_task_stat); only numbers and the state follow it. So it ends at
// the last parenthesis.
func parseComm(stat []byte) (comm []byte, ok bool) {
	start, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if start < 0 || end < start {
		return nil, false
	}
	return stat[start+1 : end], true
}

// parseThreadGroup finds the line "Tgid:" in /proc/PID/status.
func parseThreadGroup(status []byte) (pid uint32, ok bool) {
	number, err := strconv.ParseUint(statusField(status, "Tgid:"), 10, 32)
	return uint32(number), err == nil
}

// statusField returns the value of a line in /proc/PID/status, "" if there is none. The process's name, which stands
// above all others, cannot forge a line: there its line ends are escaped (fs/proc/array.c, task_name).
func statusField(status []byte, key string) string {
	for line := range bytes.Lines(status) {
		if value, found := bytes.CutPrefix(line, []byte(key)); found {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}
