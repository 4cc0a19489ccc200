package proc

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrNetNSGone says that where a network namespace was found there is none any more: the process or thread has ended,
// its descriptor was closed or is another file's now, or the mount is gone.
var ErrNetNSGone = errors.New("no network namespace there any more")

// OpenNetNS opens the network namespace of a thread, for setns(2), and returns its inode number. The error matches
// ErrNetNSGone or os.ErrPermission where that is the cause. The caller closes the file, which keeps the namespace alive.
func (f FS) OpenNetNS(tid uint32) (*os.File, uint32, error) {
	return f.OpenNetNSPath(f.path(decimal(tid), "ns", "net"))
}

// OpenNetNSFile is OpenNetNS for a namespace that a process has a descriptor on.
func (f FS) OpenNetNSFile(pid, fd uint32) (*os.File, uint32, error) {
	return f.OpenNetNSPath(f.path(decimal(pid), "fd", decimal(fd)))
}

// OpenNetNSPath is OpenNetNS for NetNS.Path, or the path of any namespace file. The number returned may be another than
// the one that was found there before.
//
// Nothing but a namespace is ever opened, whatever a process puts in its place meanwhile: a fifo would block, and a
// device act.
func (f FS) OpenNetNSPath(path string) (*os.File, uint32, error) {
	file, inode, err := f.openNetNS(path)
	switch {
	case errors.Is(err, os.ErrPermission):
		err = fmt.Errorf("%w: run as root, or add CAP_SYS_PTRACE", err)
	case err == nil:
		return file, inode, nil
	}
	return nil, 0, fmt.Errorf("open network namespace %q: %w", path, err)
}

func (f FS) openNetNS(path string) (*os.File, uint32, error) {
	// This holds what is there without opening it (open(2), O_PATH); setns() wants it opened.
	held, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	switch {
	case isGone(err) || errors.Is(err, unix.ENOTDIR):
		return nil, 0, ErrNetNSGone
	case err != nil:
		return nil, 0, err
	}
	defer func() { _ = unix.Close(held) }() // nothing was written
	var fs unix.Statfs_t
	if err := unix.Fstatfs(held, &fs); err != nil {
		return nil, 0, err
	}
	if fs.Type != unix.NSFS_MAGIC {
		return nil, 0, ErrNetNSGone
	}
	fd, err := unix.Open(f.path("self", "fd", strconv.Itoa(held)), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, err
	}
	kind, inode, err := describeNS(fd)
	if err == nil && kind != unix.CLONE_NEWNET {
		err = ErrNetNSGone
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, 0, err
	}
	return os.NewFile(uintptr(fd), path), inode, nil
}
