package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// cgroupForms is what a refusal offers; %s is where cgroup2 is mounted.
const cgroupForms = "give self, the path of a directory in %[1]s (its beginning may be left out), or the id of one, " +
	"as stat -c %%i prints"

var errNoCgroup2 = errors.New("cgroup2 is not mounted: mount -t cgroup2 none DIRECTORY")

// Cgroup returns the id of the cgroup v2 that arg names, as bpf_get_current_cgroup_id() and bpf_sk_cgroup_id() return
// it:
//
//   - self: that of this process;
//   - a number: the id itself, if a cgroup below the mount of cgroup2 has it;
//   - any other word: a directory on cgroup2, as a path of the system or from where cgroup2 is mounted.
//
// The id is the directory's inode number: kernfs uses the one for the other (include/linux/kernfs.h, kernfs_ino), on
// 64-bit machines; on others the id has a generation in its upper half, which a file's number cannot show. Cgroups v1
// are refused, as a socket knows the cgroup v2 of its creator alone.
func (f FS) Cgroup(arg string) (id uint64, err error) {
	if f.Elsewhere {
		if id, err = strconv.ParseUint(arg, 10, 64); err != nil {
			return 0, fmt.Errorf("cgroup %q: %w", arg, errElsewhere)
		}
		return id, nil
	}
	tree, err := f.cgroup2()
	if err != nil {
		return 0, fmt.Errorf("cgroup %q: %w", arg, err)
	}
	switch {
	case arg == "":
		err = fmt.Errorf(cgroupForms, tree.point)
	case arg == "self":
		id, err = f.cgroupOfSelf(tree)
	case isNumber(arg):
		id, err = findCgroup(tree, arg)
	default:
		id, err = f.cgroupOfPath(tree, arg)
	}
	if err != nil {
		return 0, fmt.Errorf("cgroup %q: %w", arg, err)
	}
	return id, nil
}

// cgroup2 returns the mount of cgroup2 that shows most.
func (f FS) cgroup2() (mount, error) {
	mounts, err := f.mounts()
	if err != nil {
		return mount{}, err
	}
	var best mount
	for _, m := range mounts {
		if m.fsType != "cgroup2" || best.root == "/" {
			continue
		}
		// Something else may be mounted over it.
		if fsType, err := f.statfs(m.point); err == nil && fsType == unix.CGROUP2_SUPER_MAGIC {
			if best.root == "" || m.root == "/" {
				best = m
			}
		}
	}
	if best.root == "" {
		return mount{}, errNoCgroup2
	}
	return best, nil
}

// cgroupOfSelf looks this process up in the tree. The path in /proc/self/cgroup starts at the same cgroup as the roots
// in mountinfo, that of the cgroup namespace.
func (f FS) cgroupOfSelf(tree mount) (uint64, error) {
	text, err := f.readFile("self", "cgroup")
	if err != nil {
		return 0, err
	}
	path, ok := parseCgroup(string(text))
	if !ok {
		return 0, errors.New("this process has no cgroup v2")
	}
	rest, ok := under(tree.root, path)
	if !ok {
		return 0, fmt.Errorf("this process is in %s, which the mount %s of %s does not show", path, tree.point, tree.root)
	}
	return inode(filepath.Join(tree.point, rest))
}

// parseCgroup finds the path of cgroup v2 in /proc/PID/cgroup, the line of hierarchy 0 (cgroups(7)).
func parseCgroup(text string) (path string, ok bool) {
	for line := range strings.Lines(text) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok && strings.HasPrefix(path, "/") {
			return path, true
		}
	}
	return "", false
}

// cgroupOfPath takes path as it stands if it is absolute and there is something; else from the mount on.
func (f FS) cgroupOfPath(tree mount, path string) (uint64, error) {
	whole := filepath.Join("/", path)
	if filepath.IsAbs(path) {
		switch fsType, err := f.statfs(whole); {
		case err == nil && fsType == unix.CGROUP2_SUPER_MAGIC:
			return cgroupDir(tree, whole)
		case err == nil && fsType == unix.CGROUP_SUPER_MAGIC:
			return 0, f.refuseV1(tree, whole)
		}
	}
	// From the cgroup namespace's root, as /proc/PID/cgroup and systemd-cgls have it, or from where the mount begins.
	rest, ok := under(tree.root, whole)
	if !ok {
		rest = whole
	}
	return cgroupDir(tree, filepath.Join(tree.point, rest))
}

// cgroupDir returns the id of a path on cgroup2.
func cgroupDir(tree mount, path string) (uint64, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR):
		return 0, fmt.Errorf("no such directory: "+cgroupForms, tree.point)
	case err != nil:
		return 0, err
	case !info.IsDir():
		return 0, fmt.Errorf("a file: give its directory, %s", filepath.Dir(path))
	}
	return inode(path)
}

// refuseV1 says which cgroup v2 is meant, if there is one with the same name.
func (f FS) refuseV1(tree mount, path string) error {
	mounts, err := f.mounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		rest, ok := under(m.point, path)
		if m.fsType != "cgroup" || !ok {
			continue
		}
		twin := filepath.Join(tree.point, rest)
		if _, err := os.Stat(twin); err == nil {
			return fmt.Errorf("a cgroup v1, which sockets do not know: give %s", twin)
		}
	}
	return fmt.Errorf("a cgroup v1, which sockets do not know: "+cgroupForms, tree.point)
}

// findCgroup walks the tree until a directory has the id. Directories that vanish meanwhile are passed over.
func findCgroup(tree mount, digits string) (uint64, error) {
	id, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("not an id: "+cgroupForms, tree.point)
	}
	found := false
	walk := func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil && info.Sys().(*syscall.Stat_t).Ino == id {
			found = true
			return fs.SkipAll
		}
		return nil
	}
	if err := filepath.WalkDir(tree.point, walk); err != nil {
		return 0, err
	}
	if !found {
		return 0, fmt.Errorf("no cgroup has this id: "+cgroupForms, tree.point)
	}
	return id, nil
}

// inode returns the inode number of what path leads to.
func inode(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("look up %s: %w", path, err)
	}
	return st.Ino, nil
}
