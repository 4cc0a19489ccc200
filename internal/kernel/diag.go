package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/proc"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// CountStates counts the sockets in the given states, Close not among them, by sock_diag, as ss does. It loads nothing, so
// that it answers within milliseconds and, for the caller's own network namespace, without any privilege.
//
// It knows the namespaces that are mounted or that a process's first thread is in. One that lives by a descriptor or a
// later thread alone is not found, and is errors.ErrUnsupported if it was asked for, as is a kernel without sock_diag:
// Counter does without. States and NetNS are all that it heeds of the options.
func CountStates(o SnapshotOptions) (tcp.Counts, error) {
	n := newNamespaces(o.NetNS)
	if err := findQuickly(n); err != nil {
		return tcp.Counts{}, err
	}
	var counts tcp.Counts
	for range maxSearches {
		lost, err := n.visit(func() error { return countByDiag(o.States, &counts) })
		if err != nil {
			return tcp.Counts{}, err
		}
		if lost == 0 {
			break
		}
		if err := findQuickly(n); err != nil {
			return tcp.Counts{}, err
		}
	}
	for _, inode := range o.NetNS {
		if !n.visited[inode] {
			return tcp.Counts{}, fmt.Errorf("network namespace %d is not found quickly: %w", inode, errors.ErrUnsupported)
		}
	}
	return counts, nil
}

// findQuickly looks for network namespaces without a walk over all tasks.
func findQuickly(n *namespaces) error {
	ours, err := netnsOfThread()
	if err != nil {
		return err
	}
	n.add(ours, way{})
	if len(n.only) == 1 && n.only[0] == ours {
		return nil
	}
	list, err := proc.FS{}.NetNSList()
	if err != nil {
		return explainBlind(err)
	}
	for _, ns := range list {
		n.add(ns.Inode, way{path: ns.Path})
	}
	return nil
}

// The request and the answers of include/uapi/linux/inet_diag.h.
const (
	sockDiagByFamily = 20
	diagRequestSize  = unix.NLMSG_HDRLEN + 56 // struct inet_diag_req_v2
	diagStateOffset  = unix.NLMSG_HDRLEN + 1  // of idiag_state in an answer
	diagBuffer       = 64 << 10               // more than an answer to a dump takes: 32 KiB (net/netlink/af_netlink.c)
)

// countByDiag counts the sockets of the calling thread's network namespace.
func countByDiag(states tcp.StateSet, counts *tcp.Counts) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("open sock_diag: %w: %w", err, errors.ErrUnsupported)
	}
	defer unix.Close(fd)
	buf := make([]byte, diagBuffer)
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := unix.Sendto(fd, diagRequest(family, states), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return fmt.Errorf("ask sock_diag: %w", err)
		}
		for done := false; !done; {
			size, _, err := unix.Recvfrom(fd, buf, 0)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return fmt.Errorf("read sock_diag: %w", err)
			}
			if done, err = countAnswers(buf[:size], counts); err != nil {
				return err
			}
		}
	}
	return nil
}

func diagRequest(family uint8, states tcp.StateSet) []byte {
	b := make([]byte, diagRequestSize)
	binary.NativeEndian.PutUint32(b[0:], diagRequestSize)
	binary.NativeEndian.PutUint16(b[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b[unix.NLMSG_HDRLEN] = family
	b[unix.NLMSG_HDRLEN+1] = unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[unix.NLMSG_HDRLEN+4:], uint32(states))
	return b
}

// countAnswers counts the sockets in a batch of messages, and says whether it was the last one.
func countAnswers(b []byte, counts *tcp.Counts) (done bool, err error) {
	for len(b) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return false, fmt.Errorf("sock_diag sends a message of %d bytes in %d", size, len(b))
		}
		switch binary.NativeEndian.Uint16(b[4:]) {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR: // a dump may fail in its last message
			return true, diagError(b[unix.NLMSG_HDRLEN:size])
		case sockDiagByFamily:
			if size <= diagStateOffset {
				return false, fmt.Errorf("sock_diag sends a socket of %d bytes", size)
			}
			if state := tcp.State(b[diagStateOffset]); state.Valid() {
				counts.States[state]++
			}
		}
		b = b[min(len(b), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return false, nil
}

// diagError reads the number that a last message begins with.
func diagError(b []byte) error {
	if len(b) < 4 {
		return nil
	}
	errno := unix.Errno(-int32(binary.NativeEndian.Uint32(b)))
	switch errno {
	case 0:
		return nil
	case unix.ENOENT, unix.EOPNOTSUPP, unix.EINVAL: // no module tcp_diag
		return fmt.Errorf("sock_diag refuses: %w: %w", errno, errors.ErrUnsupported)
	}
	return fmt.Errorf("sock_diag refuses: %w", errno)
}
