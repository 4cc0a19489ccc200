package nettest

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Identity is what tells a socket from all others.
type Identity struct {
	Cookie uint64         // SO_COOKIE: the socket's for life, and never another's
	Inode  uint32         // in /proc/PID/fd and /proc/net/tcp
	Local  netip.AddrPort // port 0 while it has none
	Remote netip.AddrPort // invalid while it has none
}

// Identify returns the socket's identity. An AF_INET6 socket that speaks IPv4 has v4-mapped addresses.
func (s *Socket) Identify() (id Identity, err error) {
	if id.Cookie, err = unix.GetsockoptUint64(s.fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		return id, os.NewSyscallError("SO_COOKIE", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		return id, os.NewSyscallError("fstat", err)
	}
	id.Inode = uint32(st.Ino) // get_next_ino in fs/inode.c counts in an unsigned int
	local, err := unix.Getsockname(s.fd)
	if err != nil {
		return id, os.NewSyscallError("getsockname", err)
	}
	id.Local = fromSockaddr(local)
	remote, err := unix.Getpeername(s.fd)
	if err != nil && err != unix.ENOTCONN {
		return id, os.NewSyscallError("getpeername", err)
	}
	id.Remote = fromSockaddr(remote)
	return id, nil
}
