package proc

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// readCgroup returns the names of a cgroup's children, in no order.
func readCgroup(path string) (children []string, st unix.Stat_t, err error) {
	if err := unix.Lstat(path, &st); err != nil {
		return nil, st, err
	}
	// A directory's link count is two and its subdirectories (fs/kernfs/inode.c, kernfs_refresh_inode): most cgroups have
	// none, and each has dozens of files to read past.
	if st.Nlink == 2 {
		return nil, st, nil
	}
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, st, err
	}
	defer func() { _ = dir.Close() }() // only read
	entries, err := dir.ReadDir(-1)
	for _, entry := range entries {
		if entry.IsDir() {
			children = append(children, entry.Name())
		}
	}
	if isGone(err) {
		err = nil // removed meanwhile, and so are its children
	}
	return children, st, err
}

// staysUnseen says whether a directory that could not be read will not be seen by a later walk either: it was removed,
// or it is closed to us or too deep for us.
func staysUnseen(err error) bool {
	return isGone(err) || errors.Is(err, os.ErrPermission) || errors.Is(err, unix.ENAMETOOLONG)
}
