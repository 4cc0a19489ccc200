package nettest

import (
	"os"

	"golang.org/x/sys/unix"
)

// order sends a netlink request of the thread's namespace that is answered by an acknowledgment, and waits for it. An
// error of the kernel's is an errno.
func order(protocol int, request []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return os.NewSyscallError("socket(AF_NETLINK)", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := limitWaits(fd); err != nil {
		return err
	}
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	buf := make([]byte, dumpBuffer)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return os.NewSyscallError("recvfrom", err)
	}
	if n < headerSize {
		return errShort
	}
	return messageError(buf[headerSize:n], false)
}
