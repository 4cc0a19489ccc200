package proc

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// inNewNetNS runs fn on a thread that is alone in a new network namespace and ends with it.
func inNewNetNS(t *testing.T, fn func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is thrown away
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- fn()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestPrivilegedNetNSOfThread(t *testing.T) {
	outside, err := FS{}.NetNS(strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	inNewNetNS(t, func() error {
		tid := unix.Gettid()
		want, err := inode("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		number := strconv.FormatUint(want, 10)
		for _, arg := range []string{"self", strconv.Itoa(tid), number, "net:[" + number + "]", "/proc/thread-self/ns/net"} {
			if got, err := (FS{}).NetNS(arg); err != nil || uint64(got) != want || got == outside {
				t.Errorf("NetNS(%q) = %d, %v, want %d", arg, got, err, want)
			}
		}
		return nil
	})
}

func TestPrivilegedNetNSByName(t *testing.T) {
	proc := FS{netnsDirs: []string{t.TempDir()}}
	path := filepath.Join(proc.netnsDirs[0], "blue")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var want uint64
	inNewNetNS(t, func() (err error) {
		if want, err = inode("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "") // as ip netns add does
	})
	defer func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			t.Error(err)
		}
	}()
	// Its thread has ended: the mount alone keeps it.
	for _, arg := range []string{"blue", path, strconv.FormatUint(want, 10)} {
		if got, err := proc.NetNS(arg); err != nil || uint64(got) != want {
			t.Errorf("NetNS(%q) = %d, %v, want %d", arg, got, err, want)
		}
	}
	if err := unix.Unmount(path, 0); err != nil {
		t.Fatal(err)
	}
	_, err := proc.NetNS("blue")
	checkRefusal(t, err, "not a namespace file")
}

func TestPrivilegedCgroup(t *testing.T) {
	tree, err := FS{}.cgroup2()
	if err != nil {
		t.Fatal(err)
	}
	parent := filepath.Join(tree.point, "tcptrail-test-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	child := filepath.Join(parent, "child")
	t.Cleanup(func() {
		if err := os.Remove(parent); err != nil {
			t.Error(err)
		}
	})
	if err := os.Mkdir(child, 0o755); err != nil {
		t.Fatal(err)
	}
	id := handleID(t, child)
	name, _ := under(tree.point, child)
	for _, arg := range []string{child, "/" + name, name, strconv.FormatUint(id, 10)} {
		if got, err := (FS{}).Cgroup(arg); err != nil || got != id {
			t.Errorf("Cgroup(%q) = %d, %v, want %d", arg, got, err, id)
		}
	}
	if err := os.Remove(child); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{child, "/" + name, strconv.FormatUint(id, 10)} {
		_, err := FS{}.Cgroup(arg)
		checkRefusal(t, err, tree.point)
	}
	_, err = FS{}.Cgroup(filepath.Join(parent, "cgroup.procs"))
	checkRefusal(t, err, "a file: give its directory, "+parent)
}

// handleID returns the id of a cgroup as its file handle holds it, which is how the kernel's own tools find it
// (fs/kernfs/mount.c, kernfs_encode_fh).
func handleID(t *testing.T, path string) uint64 {
	t.Helper()
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, path, 0)
	if err != nil {
		t.Fatal(err)
	}
	var id uint64
	for i, b := range handle.Bytes() {
		id |= uint64(b) << (8 * i) // little endian
	}
	return id
}

func TestPrivilegedCgroupOfSelf(t *testing.T) {
	tree, err := FS{}.cgroup2()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	path, ok := parseCgroup(string(text))
	if !ok {
		t.Fatalf("no cgroup v2 in %q", text)
	}
	want := handleID(t, filepath.Join(tree.point, path))
	if got, err := (FS{}).Cgroup("self"); err != nil || got != want {
		t.Errorf("got %d, %v, want %d", got, err, want)
	}
}

func TestPrivilegedCgroupV1IsRefused(t *testing.T) {
	mounts, err := FS{}.mounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		if m.fsType == "cgroup" {
			_, err := FS{}.Cgroup(m.point)
			checkRefusal(t, err, "a cgroup v1|give ")
			return
		}
	}
	t.Skip("no cgroup v1 is mounted on this machine")
}
