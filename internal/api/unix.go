package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// unixMode lets the owner and the group ask. The directory decides what group that is, and systemd's Group= in its turn.
const unixMode = 0o660

// unixPatience is how long we wait for what ought to be done at once: the kernel answers a connection for whoever listens.
const unixPatience = time.Second

// unixListener takes its file away in the end, if it still is its own.
type unixListener struct {
	*net.UnixListener
	path string
	file fs.FileInfo
}

// Close ends listening. It does not touch a socket that somebody else has put there since.
func (l *unixListener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		_ = syscall.Unlink(l.path)
	}
	return l.UnixListener.Close()
}

// listenUnix makes a socket. One that nobody listens on any more is replaced; one with a listener, and whatever is no
// socket, is left alone.
func listenUnix(ctx context.Context, path string) (_ net.Listener, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("listen on %s%s: %w", unixPrefix, path, err)
		}
	}()
	unlock := lockDirectory(ctx, filepath.Dir(path))
	defer unlock()
	if err := clearPath(ctx, path); err != nil {
		return nil, err
	}
	// The mode of a socket that is yet to be bound is the most that its file gets: so it is never open to all.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), unixMode) })
		return errors.Join(err, failed)
	}}
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, cause(err)
	}
	u := &unixListener{UnixListener: l.(*net.UnixListener), path: path}
	u.SetUnlinkOnClose(false)
	if err := os.Chmod(path, unixMode); err != nil { // the umask may have taken some
		u.UnixListener.Close()
		return nil, err
	}
	if u.file, err = os.Lstat(path); err != nil {
		u.UnixListener.Close()
		return nil, err
	}
	return u, nil
}

// lockDirectory keeps another tcptrail from replacing the same socket at the same time, which takes it no time. It does not
// wait long, nor insist: anybody who can read a directory can lock it.
func lockDirectory(ctx context.Context, path string) (unlock func()) {
	directory, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY, 0) // a pipe would keep us waiting
	if err != nil {
		return func() {} // to listen will fail, and say why
	}
	ctx, cancel := context.WithTimeout(ctx, unixPatience)
	defer cancel()
	again := time.NewTicker(unixPatience / 100)
	defer again.Stop()
	for syscall.Flock(int(directory.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil && ctx.Err() == nil {
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
	return func() { directory.Close() }
}

// clearPath removes a socket that nobody listens on.
func clearPath(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is something that is no socket: move it away, or choose another path")
	}
	ctx, cancel := context.WithTimeout(ctx, unixPatience)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		c.Close()
		return errors.New("another process listens there: end it, or choose another path")
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("whether another process listens there is not known: %w; remove it if none does", cause(err))
	}
	return syscall.Unlink(path) // and not a directory that has come meanwhile
}
