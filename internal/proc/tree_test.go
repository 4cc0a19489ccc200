package proc

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tree makes a fake /proc out of paths and their content; content that begins with "->" makes a link. It is that of this
// process's PID namespace.
func tree(tb testing.TB, files map[string]string) FS {
	tb.Helper()
	root := tb.TempDir()
	if err := os.Mkdir(filepath.Join(root, "self"), 0o755); err != nil {
		tb.Fatal(err)
	}
	for path, content := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "->"); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return FS{Root: root}
}

// typedDirs plays statfs(2): what is below a directory of the map has its type; anything else is on tmpfs.
func typedDirs(types map[string]int64) func(path string) (int64, error) {
	return func(path string) (int64, error) {
		if _, err := os.Stat(path); err != nil {
			return 0, err
		}
		for dir, fsType := range types {
			if _, ok := under(dir, path); ok {
				return fsType, nil
			}
		}
		return unix.TMPFS_MAGIC, nil
	}
}

func mustMkdir(tb testing.TB, path string) uint64 {
	tb.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		tb.Fatal(err)
	}
	id, err := inode(path)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

// mustChmod sets a mode, and one that lets the directory be removed at the end.
func mustChmod(tb testing.TB, path string, mode os.FileMode) {
	tb.Helper()
	if err := os.Chmod(path, mode); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.Chmod(path, 0o700) })
}

// asNobody calls fn on a thread whose file accesses are those of a user without rights, if we are root.
func asNobody[T any](tb testing.TB, fn func() (T, error)) (got T, err error) {
	tb.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread is thrown away
		if os.Geteuid() == 0 {
			_ = unix.Setfsuid(65534) // never fails; capabilities over files go with it (capabilities(7))
		}
		got, err = fn()
	}()
	<-done
	return got, err
}

// checkRefusal says whether err has all words of want, which are separated by "|".
func checkRefusal(tb testing.TB, err error, want string) {
	tb.Helper()
	if err == nil {
		tb.Errorf("was not refused, want %q", want)
		return
	}
	for _, words := range strings.Split(want, "|") {
		if !strings.Contains(err.Error(), words) {
			tb.Errorf("refused with %q, which lacks %q", err, words)
		}
	}
	if strings.ContainsAny(err.Error(), "\n\x1b") {
		tb.Errorf("refused with more than a line of text: %q", err)
	}
}

// cString returns text as C wants it.
func cString(tb testing.TB, text string) unsafe.Pointer {
	tb.Helper()
	p, err := unix.BytePtrFromString(text)
	if err != nil {
		tb.Fatal(err)
	}
	return unsafe.Pointer(p)
}
