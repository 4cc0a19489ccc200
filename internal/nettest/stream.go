package nettest

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// chunk is how much one system call moves: more only costs memory.
const chunk = 64 << 10

// Write writes n bytes of nothing in particular, and waits while the send buffer is full.
func (s *Socket) Write(n int) error {
	buf := make([]byte, min(n, chunk))
	for n > 0 {
		sent, err := s.send(buf[:min(n, chunk)], 0)
		if err != nil {
			return err
		}
		n -= sent
	}
	return nil
}

// Fill writes until the kernel takes no more at once, and returns how many bytes that was. With a peer that does not
// read, both buffers are full then and the window is shut.
func (s *Socket) Fill() (int, error) {
	buf := make([]byte, chunk)
	for total := 0; ; {
		n, err := s.send(buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		total += n
	}
}

// send does not raise SIGPIPE.
func (s *Socket) send(p []byte, flags int) (n int, err error) {
	err = restart("send", func() error {
		n, err = unix.SendmsgN(s.fd, p, nil, nil, flags|unix.MSG_NOSIGNAL)
		return err
	})
	return n, err
}

// Read reads n bytes. It returns io.ErrUnexpectedEOF when the peer's FIN comes first.
func (s *Socket) Read(n int) error {
	got, err := s.drain(n)
	if err == nil && got < n {
		return fmt.Errorf("read %d bytes of %d: %w", got, n, io.ErrUnexpectedEOF)
	}
	return err
}

// ReadEOF reads until the peer's FIN and returns how many bytes came before it.
func (s *Socket) ReadEOF() (int, error) { return s.drain(-1) }

// drain reads until EOF or n bytes, whichever comes first; a negative n is no limit.
func (s *Socket) drain(n int) (total int, err error) {
	buf := make([]byte, chunk)
	for total != n {
		want := len(buf)
		if n >= 0 {
			want = min(want, n-total)
		}
		got := 0
		err := restart("recv", func() (err error) {
			got, _, _, _, err = unix.Recvmsg(s.fd, buf[:want], nil, 0)
			return err
		})
		if err != nil || got == 0 {
			return total, err
		}
		total += got
	}
	return total, nil
}

// WaitState waits until the kernel holds the socket in the state. For minisocks, TimeWait and an orphan's FinWait2,
// there is no descriptor: see [NS.WaitSocket].
func (s *Socket) WaitState(want State) error {
	var is State
	ok, err := poll(func() (_ bool, err error) {
		is, err = s.State()
		return is == want, err
	})
	if err == nil && !ok {
		err = fmt.Errorf("wait for %v: still %v: %w", want, is, os.ErrDeadlineExceeded)
	}
	return err
}

// State returns the state, by TCP_INFO.
func (s *Socket) State() (State, error) {
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return Gone, os.NewSyscallError("TCP_INFO", err)
	}
	return State(info.State), nil
}
