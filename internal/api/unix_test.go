package api

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// stale leaves a socket that nobody listens on, as a process does that is killed.
func stale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestASocketIsForOwnerAndGroup(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077, 0o777} {
		path := filepath.Join(t.TempDir(), "http.sock")
		old := syscall.Umask(mask)
		l, err := listenUnix(t.Context(), path)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != fs.ModeSocket|unixMode {
			t.Errorf("umask %o: %v, %v", mask, info.Mode(), err)
		}
		l.Close()
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is left: %v", err)
		}
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "http.sock")
	stale(t, path)
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{Addresses: []string{"unix:" + path}})
	client := unixClient(path)
	defer client.CloseIdleConnections()
	response, err := client.Get("http://localhost/healthz")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	response.Body.Close()
	if err := r.end(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
}

// TestWhatIsNotReplaced is as it was afterwards.
func TestWhatIsNotReplaced(t *testing.T) {
	for _, test := range []struct {
		name, want string
		mode       fs.FileMode
		make       func(path string) func()
	}{
		{"live", "another process listens there: end it, or choose another path", fs.ModeSocket, func(path string) func() {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			return func() { l.Close() }
		}},
		{"datagrams", "whether another process listens there is not known", fs.ModeSocket, func(path string) func() {
			c, err := net.ListenPacket("unixgram", path)
			if err != nil {
				t.Fatal(err)
			}
			return func() { c.Close() }
		}},
		{"file", "there is something that is no socket", 0, func(path string) func() {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return func() {}
		}},
		{"directory", "there is something that is no socket", fs.ModeDir, func(path string) func() {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			return func() {}
		}},
		{"link to a stale socket", "there is something that is no socket", fs.ModeSymlink, func(path string) func() {
			stale(t, path+".target")
			if err := os.Symlink(path+".target", path); err != nil {
				t.Fatal(err)
			}
			return func() {}
		}},
	} {
		path := filepath.Join(t.TempDir(), "http.sock")
		end := test.make(path)
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		l, err := listenUnix(t.Context(), path)
		if err == nil {
			l.Close()
			t.Errorf("%s: replaced", test.name)
			continue
		}
		if !strings.HasPrefix(err.Error(), "listen on unix:"+path+": ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		after, err := os.Lstat(path)
		if err != nil || !os.SameFile(before, after) || after.Mode().Type() != test.mode {
			t.Errorf("%s: it is %v now, %v", test.name, after, err)
		}
		end()
	}
}

func TestADirectoryThatIsMissing(t *testing.T) {
	_, err := listenUnix(t.Context(), filepath.Join(t.TempDir(), "none", "http.sock"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestADirectoryThatIsAPipe does not keep us waiting for its other end.
func TestADirectoryThatIsAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenUnix(t.Context(), pipe+"/http.sock"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("got %v", err)
	}
}

// TestADirectoryThatIsLocked by anybody does not keep us from starting.
func TestADirectoryThatIsLocked(t *testing.T) {
	directory, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	if err := syscall.Flock(int(directory.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	l, err := listenUnix(t.Context(), directory.Name()+"/http.sock")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lockDirectory(ctx, directory.Name())() // does not hang
}

// TestTheSocketOfAnotherStays: somebody has replaced ours.
func TestTheSocketOfAnotherStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "http.sock")
	ours, err := listenUnix(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	theirs, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	ours.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}
