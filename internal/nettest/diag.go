package nettest

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// dumpTries is how often a dump that the kernel calls inconsistent is repeated. One interruption takes a change in the
// microseconds between two datagrams of a dump; a test that keeps this up is broken.
const dumpTries = 20

// dumpBuffer holds any datagram of a dump: the kernel makes them at most 32 KiB (netlink_recvmsg and netlink_dump in
// net/netlink/af_netlink.c).
const dumpBuffer = 64 << 10

// errInterrupted is a dump during which the tables changed (NLM_F_DUMP_INTR).
var errInterrupted = errors.New("dump interrupted")

// Sockets returns every TCP socket of the namespace, as ss finds them: listeners, request sockets (SynRecv), minisocks
// and everything connected, IPv4 first. A socket in Close is in no table of the kernel's, so it is not among them.
func (ns *NS) Sockets() ([]SocketInfo, error) {
	all, _, err := ns.sockets()
	return all, err
}

// sockets returns the cookies of minisocks, too.
func (ns *NS) sockets() (all []SocketInfo, minisocks []uint64, err error) {
	err = ns.Do(func() error {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			reply, err := dump(family)
			if err != nil {
				return fmt.Errorf("dump sockets of family %d: %w", family, err)
			}
			all, minisocks = append(all, reply.sockets...), append(minisocks, reply.minisocks...)
		}
		return nil
	})
	return all, minisocks, err
}

// WaitSocket waits until the kernel's tables have the socket in the state, whoever holds it, minisocks included. With
// Gone it waits until no table has it, which is so in Close, too; what it returns is then empty but for the cookie.
func (ns *NS) WaitSocket(cookie uint64, want State) (SocketInfo, error) {
	return ns.waitSocket(cookie, want, false)
}

// WaitMinisock waits until only a minisock in the state is left of the socket. What is closed first is a full socket in
// FIN_WAIT2 before that, for a moment that is long on a busy host.
func (ns *NS) WaitMinisock(cookie uint64, want State) (SocketInfo, error) {
	return ns.waitSocket(cookie, want, true)
}

// WaitMinisocks waits until minisocks are all that the kernel's tables have.
func (ns *NS) WaitMinisocks() error {
	var full int
	ok, err := poll(func() (bool, error) {
		all, minisocks, err := ns.sockets()
		full = len(all) - len(minisocks)
		return full == 0, err
	})
	if err == nil && !ok {
		err = fmt.Errorf("wait for minisocks alone: still %d other sockets: %w", full, os.ErrDeadlineExceeded)
	}
	return err
}

func (ns *NS) waitSocket(cookie uint64, want State, minisock bool) (SocketInfo, error) {
	var is SocketInfo
	ok, err := poll(func() (bool, error) {
		all, minisocks, err := ns.sockets()
		is = SocketInfo{Cookie: cookie}
		for _, s := range all {
			if s.Cookie == cookie {
				is = s
			}
		}
		return is.State == want && (!minisock || slices.Contains(minisocks, cookie)), err
	})
	if err == nil && !ok {
		err = fmt.Errorf("wait for socket %#x to be %v: still %v: %w", cookie, want, is.State, os.ErrDeadlineExceeded)
	}
	return is, err
}

// dump asks for the sockets of one family in the thread's namespace, again if the answer was inconsistent.
func dump(family uint8) (reply dumpReply, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return reply, os.NewSyscallError("socket(NETLINK_SOCK_DIAG)", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := limitWaits(fd); err != nil {
		return reply, err
	}
	for seq := range uint32(dumpTries) {
		reply, err = dumpOnce(fd, family, seq+1)
		if !errors.Is(err, errInterrupted) {
			break
		}
	}
	return reply, err
}

func dumpOnce(fd int, family uint8, seq uint32) (dumpReply, error) {
	d := dumpReply{seq: seq}
	to := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	if err := unix.Sendto(fd, dumpRequest(family, seq), 0, to); err != nil {
		return d, os.NewSyscallError("sendto", err)
	}
	buf := make([]byte, dumpBuffer)
	for !d.done {
		n, flags := 0, 0
		err := restart("recvmsg", func() (err error) {
			n, _, flags, _, err = unix.Recvmsg(fd, buf, nil, 0)
			return err
		})
		if err != nil {
			return d, err
		}
		if flags&unix.MSG_TRUNC != 0 {
			return d, fmt.Errorf("datagram longer than %d bytes", len(buf))
		}
		if err := d.add(buf[:n]); err != nil {
			return d, err
		}
	}
	// Only now: what is left of an interrupted dump must not be taken for the next one's.
	if d.interrupted {
		return d, errInterrupted
	}
	return d, nil
}
