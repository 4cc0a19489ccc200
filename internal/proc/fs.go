// Package proc answers the few questions that flags raise and that /proc, nsfs and the cgroup2 file system can answer:
// does this process exist, which number has this network namespace, which id has this cgroup. Every refusal is one line
// that says what would be right.
//
// It also answers the other way round, for what is shown: what a number is called. Names of namespaces, cgroups,
// containers and executables are returned as they are: they may hold any byte but NUL, and who prints them escapes them.
package proc

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// FS is a mounted proc file system. The zero value reads /proc. Its methods may be called from several goroutines.
//
// What it says is as seen from the mount: in a PID namespace the pids are that namespace's own, which are not those
// that a BPF program sees.
type FS struct {
	// Root is where proc is mounted; /proc when empty. Paths that a user gives are not taken below it.
	Root string
	// Etc is the directory of the file services; /etc when empty.
	Etc string
	// Elsewhere says that questions are about another host, or another time: numbers are taken as they are given, and
	// nothing has a name.
	Elsewhere bool

	// For tests, which cannot have namespaces and cgroups without privileges.
	netnsDirs []string // instead of defaultNetNSDirs
	fsType    func(path string) (int64, error)
}

// ErrNoProc says that /proc has nothing about the process that asks: it is not mounted, or is that of another PID
// namespace.
var ErrNoProc = errors.New("/proc is not mounted, or is another PID namespace's: mount -t proc none /proc")

var errElsewhere = errors.New("names are those of another host or time: give the number")

// procRoot is where proc is mounted everywhere.
const procRoot = "/proc"

// nowhere is where there is nothing, and nobody can put something: a path below a file.
const nowhere = "/dev/null/proc"

// path returns the path below the mount, as path("self", "cgroup").
func (f FS) path(elements ...string) string {
	root := f.Root
	if f.Elsewhere {
		root = nowhere
	}
	if root == "" {
		root = procRoot
	}
	return filepath.Join(append([]string{root}, elements...)...)
}

func (f FS) readFile(elements ...string) ([]byte, error) { return os.ReadFile(f.path(elements...)) }

// isMissing says whether there is nothing to ask at all. Where the link self leads nowhere, pids are another namespace's.
func (f FS) isMissing() bool {
	_, err := os.Stat(f.path("self"))
	return isGone(err)
}

// statfs returns the magic number of the file system that path is on (statfs(2), f_type). Links are followed.
func (f FS) statfs(path string) (int64, error) {
	if f.fsType != nil {
		return f.fsType(path)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return st.Type, nil
}

// isGone says whether err is what reading a file of /proc/PID gives when there is no such process (any more).
func isGone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// isNumber says whether arg is made of decimal digits alone, so that a wrong number is refused as a number.
func isNumber(arg string) bool {
	for _, r := range arg {
		if r < '0' || r > '9' {
			return false
		}
	}
	return arg != ""
}

func decimal(pid uint32) string { return strconv.FormatUint(uint64(pid), 10) }
