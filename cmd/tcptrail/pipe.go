package main

import (
	"errors"
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
	gone := make(chan struct{})
	go func() {
		// No events asked for: poll(2) returns for POLLERR, which a pipe without a reader raises, and POLLHUP alone.
		fds := []unix.PollFd{{Fd: int32(f.Fd())}}
		for {
			_, err := unix.Poll(fds, -1)
			if err == nil {
				close(gone)
				return
			}
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return gone
}
