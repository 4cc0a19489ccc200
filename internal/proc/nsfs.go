package proc

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// errNotOurs says that the namespace of a process may not be looked at.
var errNotOurs = errors.New("not allowed to look at this process: run as root, or add CAP_SYS_PTRACE, " +
	"or give the inode number")

// namespaceNames has the names of namespaces' types by their clone flags (include/uapi/linux/sched.h).
var namespaceNames = map[int]string{
	unix.CLONE_NEWCGROUP: "cgroup",
	unix.CLONE_NEWIPC:    "ipc",
	unix.CLONE_NEWNS:     "mnt",
	unix.CLONE_NEWPID:    "pid",
	unix.CLONE_NEWTIME:   "time",
	unix.CLONE_NEWUSER:   "user",
	unix.CLONE_NEWUTS:    "uts",
}

// netnsOfFile returns the inode number of a namespace file, after asking the kernel whether it is one.
func (f FS) netnsOfFile(path string) (uint32, error) {
	// Before opening, which may block or do things when path is a fifo or a device.
	fsType, err := f.statfs(path)
	switch {
	case errors.Is(err, os.ErrPermission):
		return 0, errNotOurs
	case isGone(err) || errors.Is(err, unix.ENOTDIR):
		return 0, fmt.Errorf("no such file: %s", netnsForms)
	case err != nil:
		return 0, err
	case fsType != unix.NSFS_MAGIC:
		return 0, fmt.Errorf("not a namespace file: %s", netnsForms)
	}
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // only read
	kind, inode, err := describeNS(int(file.Fd()))
	if err != nil {
		return 0, err
	}
	if kind != unix.CLONE_NEWNET {
		return 0, fmt.Errorf("a namespace of type %s: give one of type net", namespaceNames[kind])
	}
	return inode, nil
}

// describeNS returns the type of the namespace that a descriptor stands for, as its clone flag, and its inode number.
func describeNS(fd int) (kind int, inode uint32, err error) {
	kind, err = unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the type of namespace: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, 0, err
	}
	return kind, uint32(st.Ino), nil // struct ns_common's inum is 32 bits wide
}
