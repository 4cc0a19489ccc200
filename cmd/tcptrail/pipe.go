package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// readerGone returns a channel that is closed when the other end of the pipe or socket f is closed, so that a session
// ends even when it has nothing to write; nil where f is something else.
func readerGone(f *os.File) <-chan struct{} {
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return nil
	}
	hangups, err := openHangups(f)
	if err != nil {
		return nil
	}
	gone := make(chan struct{})
	go func() {
		defer hangups.Close()
		if waitReadable(hangups) == nil {
			close(gone)
		}
	}()
	return gone
}

// openHangups returns an epoll descriptor that becomes readable when f hangs up. A plain poll(2) would take a thread,
// and each privilege that the process drops, which interrupts every thread, would interrupt and restart it.
func openHangups(f *os.File) (*os.File, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(epoll, true); err != nil { // or os.NewFile would not give it to the poller
		return nil, errors.Join(fmt.Errorf("fcntl: %w", err), unix.Close(epoll))
	}
	hangups := os.NewFile(uintptr(epoll), "hangups")
	// No events asked for: EPOLLERR, which a pipe without a reader raises, and EPOLLHUP always come.
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, int(f.Fd()), &unix.EpollEvent{}); err != nil {
		hangups.Close()
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	return hangups, nil
}

// waitReadable waits in the Go runtime's own poller until an epoll descriptor has an event.
func waitReadable(epoll *os.File) error {
	conn, err := epoll.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(fd uintptr) bool {
		var events [1]unix.EpollEvent
		n, err := unix.EpollWait(int(fd), events[:], 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
}
