package nettest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Socket is the descriptor of a TCP socket, and every method one system call on it, with no poller behind. It is plain
// TCP, where the net package would listen with MPTCP. Calls block, at most for [Timeout], and then fail with EAGAIN
// (EINPROGRESS from Connect). Errors wrap the errno.
type Socket struct{ fd int }

// NewSocket makes a Socket of a descriptor that came from elsewhere, as from the net package, and that stays the
// caller's to close.
func NewSocket(fd int) *Socket { return &Socket{fd} }

// Socket makes a socket of the family, AF_INET or AF_INET6. An AF_INET6 socket is dual stack. The caller closes it.
func (ns *NS) Socket(family int) (s *Socket, err error) {
	err = ns.Do(func() error {
		s, err = openSocket(family, unix.IPPROTO_TCP)
		return err
	})
	return s, err
}

// openSocket makes a socket in the thread's namespace.
func openSocket(family, protocol int) (*Socket, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s := &Socket{fd}
	if err := s.prepare(family); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// prepare bounds blocking calls, and makes dual stack certain where net.ipv6.bindv6only could say otherwise.
func (s *Socket) prepare(family int) error {
	if err := limitWaits(s.fd); err != nil {
		return err
	}
	if family != unix.AF_INET6 {
		return nil
	}
	return os.NewSyscallError("IPV6_V6ONLY", unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0))
}

// limitWaits makes sends, receives, accepts and connects on fd give up after Timeout. Accepted sockets inherit it.
func limitWaits(fd int) error {
	tv := unix.NsecToTimeval(Timeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv); err != nil {
		return os.NewSyscallError("SO_SNDTIMEO", err)
	}
	return limitReceive(fd, Timeout)
}

// limitReceive makes receives and accepts on fd fail with EAGAIN after the time.
func limitReceive(fd int, d time.Duration) error {
	tv := unix.NsecToTimeval(d.Nanoseconds())
	return os.NewSyscallError("SO_RCVTIMEO", unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
}

// restart repeats a call that a signal interrupted: the kernel restarts none on a socket with a timeout (signal(7)).
func restart(call string, f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError(call, err)
		}
	}
}

// FD returns the number of the descriptor.
func (s *Socket) FD() int { return s.fd }

// Bind gives the socket a local address, with SO_REUSEADDR, so that TIME_WAIT on it is no obstacle.
func (s *Socket) Bind(addr netip.AddrPort) error {
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return os.NewSyscallError("SO_REUSEADDR", err)
	}
	sa, err := toSockaddr(addr)
	if err != nil {
		return err
	}
	return os.NewSyscallError("bind", unix.Bind(s.fd, sa))
}

// Listen makes it a listener. On a socket that Bind was not called on, the kernel chooses the port.
func (s *Socket) Listen(backlog int) error {
	return os.NewSyscallError("listen", unix.Listen(s.fd, backlog))
}

// Connect connects and waits for the outcome.
func (s *Socket) Connect(addr netip.AddrPort) error {
	sa, err := toSockaddr(addr)
	if err != nil {
		return err
	}
	return restart("connect", func() error { return unix.Connect(s.fd, sa) })
}

// StartConnect sends the SYN and does not wait: Established follows when the peer answers, see FinishConnect.
func (s *Socket) StartConnect(addr netip.AddrPort) error {
	sa, err := toSockaddr(addr)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(s.fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if err := unix.Connect(s.fd, sa); err != nil && err != unix.EINPROGRESS {
		return os.NewSyscallError("connect", err)
	}
	return os.NewSyscallError("fcntl", unix.SetNonblock(s.fd, false))
}

// FinishConnect waits for the outcome of StartConnect and returns it.
func (s *Socket) FinishConnect() error {
	if err := waitFD(s.fd, unix.POLLOUT); err != nil {
		return fmt.Errorf("wait for the connection: %w", err)
	}
	errno, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return os.NewSyscallError("SO_ERROR", err)
	}
	if errno != 0 {
		return os.NewSyscallError("connect", unix.Errno(errno))
	}
	return nil
}

// Disconnect is connect(AF_UNSPEC): the same socket, with the same cookie, back in Close and ready to connect again.
func (s *Socket) Disconnect() error {
	sa := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(s.fd), uintptr(unsafe.Pointer(&sa)), unsafe.Sizeof(sa))
	if errno != 0 {
		return os.NewSyscallError("connect(AF_UNSPEC)", errno)
	}
	return nil
}

// Accept takes a connection from a listener's queue, or waits for one.
func (s *Socket) Accept() (*Socket, error) {
	fd := -1
	err := restart("accept4", func() (err error) {
		fd, _, err = unix.Accept4(s.fd, unix.SOCK_CLOEXEC)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Socket{fd}, nil
}

// Dup returns a second descriptor of the same socket.
func (s *Socket) Dup() (*Socket, error) {
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl(F_DUPFD_CLOEXEC)", err)
	}
	return &Socket{fd}, nil
}

// Shutdown is shutdown(SHUT_WR): it sends FIN and keeps the descriptor.
func (s *Socket) Shutdown() error {
	return os.NewSyscallError("shutdown", unix.Shutdown(s.fd, unix.SHUT_WR))
}

// Linger0 makes Close send RST instead of FIN.
func (s *Socket) Linger0() error {
	l := unix.Linger{Onoff: 1, Linger: 0}
	return os.NewSyscallError("SO_LINGER", unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &l))
}

// UserTimeout sets how long data, or a SYN sent a second time, may go unanswered before the kernel gives up with
// ETIMEDOUT (tcp_write_timeout in net/ipv4/tcp_timer.c); it is counted in milliseconds.
func (s *Socket) UserTimeout(d time.Duration) error {
	err := unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	return os.NewSyscallError("TCP_USER_TIMEOUT", err)
}

// Close closes the descriptor. The socket closes with it when no other process or descriptor holds it.
func (s *Socket) Close() error {
	// A process being started holds a copy of every descriptor until it executes its program: the connection would end
	// then and there, and by that process. os/exec starts processes under this lock.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.NewSyscallError("close", unix.Close(s.fd))
}

// waitFD waits, at most for Timeout, until poll(2) reports one of the events, or an error or hang-up.
func waitFD(fd int, events int16) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for deadline := time.Now().Add(Timeout); ; {
		n, err := unix.Poll(fds, max(0, int(time.Until(deadline).Milliseconds())))
		switch {
		case err == unix.EINTR && time.Now().Before(deadline):
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n == 0:
			return unix.ETIMEDOUT
		default:
			return nil
		}
	}
}
