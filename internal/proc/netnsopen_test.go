package proc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// checkOpened says whether file is the namespace of that number, opened so that setns(2) takes it and a child does not
// inherit it.
func checkOpened(tb testing.TB, file *os.File, got uint32, err error, want uint64) {
	tb.Helper()
	if err != nil {
		tb.Error(err)
		return
	}
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil || st.Ino != want || uint64(got) != want {
		tb.Errorf("opened %d, returned %d, %v, want %d", st.Ino, got, err, want)
	}
	if kind, err := unix.IoctlRetInt(int(file.Fd()), unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWNET {
		tb.Errorf("opened a namespace of type %#x, %v", kind, err)
	}
	if flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		tb.Errorf("descriptor flags %#x, %v: children would inherit it", flags, err)
	}
}

func TestOpenNetNS(t *testing.T) {
	want := mustInode(t, "/proc/self/ns/net")
	file, got, err := FS{}.OpenNetNS(uint32(os.Getpid()))
	checkOpened(t, file, got, err, want)
	file, got, err = FS{}.OpenNetNSPath("/proc/self/ns/net")
	checkOpened(t, file, got, err, want)
	descriptor, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer descriptor.Close()
	pid, fd := uint32(os.Getpid()), uint32(descriptor.Fd())
	file, got, err = FS{}.OpenNetNSFile(pid, fd)
	checkOpened(t, file, got, err, want)
	if err := unix.Dup3(int(openOf(t, "/proc/self/ns/mnt").Fd()), int(fd), unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	checkGone(t, func() (*os.File, uint32, error) { return FS{}.OpenNetNSFile(pid, fd) })
}

func openOf(tb testing.TB, path string) *os.File {
	tb.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EISDIR) {
		file, err = os.Open(path)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { file.Close() })
	return file
}

// checkGone wants a refusal at once, and no descriptor left.
func checkGone(tb testing.TB, open func() (*os.File, uint32, error)) {
	tb.Helper()
	type result struct {
		file  *os.File
		inode uint32
		err   error
	}
	done := make(chan result, 1)
	go func() {
		file, inode, err := open()
		done <- result{file, inode, err}
	}()
	select {
	case got := <-done:
		if got.file != nil || got.inode != 0 || !errors.Is(got.err, ErrNetNSGone) {
			tb.Errorf("got %v, %d, %v, want ErrNetNSGone", got.file, got.inode, got.err)
		} else {
			checkRefusal(tb, got.err, "open network namespace|no network namespace there any more")
		}
	case <-time.After(10 * time.Second):
		tb.Fatal("blocked")
	}
}

// What a process may put in a namespace's place.
func TestOpenNetNSOfOtherFiles(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo\x1b[31m\n")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	lookalike := filepath.Join(t.TempDir(), "net:[4026531833]")
	if err := os.WriteFile(lookalike, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("net:[4026531833]", link); err != nil {
		t.Fatal(err)
	}
	memfd, err := unix.MemfdCreate("net:[4026531833]", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(memfd)
	pid := uint32(os.Getpid())
	files := map[string]uint32{"memfd": uint32(memfd)}
	for _, path := range []string{fifo, lookalike, "/dev/null", "/", "/proc/self/ns/user"} {
		files[path] = uint32(openOf(t, path).Fd())
	}
	for path, fd := range files {
		checkGone(t, func() (*os.File, uint32, error) { return FS{}.OpenNetNSFile(pid, fd) })
		if strings.HasPrefix(path, "/") {
			checkGone(t, func() (*os.File, uint32, error) { return FS{}.OpenNetNSPath(path) })
		}
	}
	for _, path := range []string{link, "/etc/passwd/x", "", filepath.Join(t.TempDir(), "none")} {
		checkGone(t, func() (*os.File, uint32, error) { return FS{}.OpenNetNSPath(path) })
	}
	const none = 1 << 30
	checkGone(t, func() (*os.File, uint32, error) { return FS{}.OpenNetNSFile(pid, none) })
	checkGone(t, func() (*os.File, uint32, error) { return FS{}.OpenNetNSFile(none, 0) })
	checkGone(t, func() (*os.File, uint32, error) { return FS{}.OpenNetNS(none) })
}

// A proc file system that does not show this process gives no second way to what was found; nothing is gone.
func TestOpenNetNSWithoutSelf(t *testing.T) {
	_, _, err := tree(t, nil).OpenNetNSPath("/proc/self/ns/net")
	checkRefusal(t, err, "open network namespace")
	if errors.Is(err, ErrNetNSGone) {
		t.Errorf("%v is ErrNetNSGone", err)
	}
}

func TestOpenNetNSOfClosedProcess(t *testing.T) {
	proc := tree(t, map[string]string{"10/ns/net": "", "10/fd/3": ""})
	mustChmod(t, filepath.Dir(proc.Root), 0o755) // temporary directories are closed to others
	mustChmod(t, proc.path("10"), 0)
	for _, open := range []func() (*os.File, uint32, error){
		func() (*os.File, uint32, error) { return proc.OpenNetNS(10) },
		func() (*os.File, uint32, error) { return proc.OpenNetNSFile(10, 3) },
	} {
		_, err := asNobody(t, func() (*os.File, error) { file, _, err := open(); return file, err })
		checkRefusal(t, err, "permission denied: run as root, or add CAP_SYS_PTRACE")
		if !errors.Is(err, os.ErrPermission) {
			t.Errorf("%v is not os.ErrPermission", err)
		}
	}
}
