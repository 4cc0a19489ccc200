package nettest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Sizes of include/uapi/linux/netlink.h and inet_diag.h.
const (
	headerSize  = 16 // struct nlmsghdr
	requestSize = 56 // struct inet_diag_req_v2
	messageSize = 72 // struct inet_diag_msg
	tableStates = 1<<(unix.BPF_TCP_NEW_SYN_RECV+1) - 1
)

var errShort = errors.New("netlink message too short")

// SocketInfo is the kernel's view of a socket, by sock_diag.
type SocketInfo struct {
	State  State
	Local  netip.AddrPort // of an AF_INET6 socket that speaks IPv4: v4-mapped
	Remote netip.AddrPort // unspecified, with port 0, for a listener
	Cookie uint64
	Inode  uint32 // 0 without a descriptor: orphans, minisocks, connections not yet accepted
	UID    uint32
	RQueue uint32 // bytes unread; for a listener, connections to accept
	WQueue uint32 // bytes not acknowledged; for a listener, its backlog
}

// dumpRequest asks for all TCP sockets of a family. Netlink speaks the machine's byte order.
func dumpRequest(family uint8, seq uint32) []byte {
	b := make([]byte, headerSize+requestSize)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(b[8:], seq)
	b[headerSize] = family
	b[headerSize+1] = unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[headerSize+4:], tableStates)
	return b
}

// timerTimeWait is the timer that inet_twsk_diag_fill() reports, and nobody else (net/ipv4/inet_diag.c).
const timerTimeWait = 3

// dumpReply gathers the datagrams of one dump.
type dumpReply struct {
	seq         uint32
	sockets     []SocketInfo
	minisocks   []uint64 // cookies of those that are no full sockets, FIN_WAIT2 or TIME_WAIT
	interrupted bool
	done        bool
}

// add takes a datagram: one message after the other, each padded to four bytes.
func (d *dumpReply) add(b []byte) error {
	for len(b) > 0 && !d.done {
		if len(b) < headerSize {
			return errShort
		}
		size := int64(binary.NativeEndian.Uint32(b))
		if size < headerSize || size > int64(len(b)) {
			return errShort
		}
		if err := d.message(b[:size]); err != nil {
			return err
		}
		b = b[min(len(b), int(size+3)&^3):]
	}
	return nil
}

func (d *dumpReply) message(b []byte) error {
	if binary.NativeEndian.Uint32(b[8:]) != d.seq {
		return nil // left over from a dump given up
	}
	if binary.NativeEndian.Uint16(b[6:])&unix.NLM_F_DUMP_INTR != 0 {
		d.interrupted = true
	}
	payload := b[headerSize:]
	switch kind := binary.NativeEndian.Uint16(b[4:]); kind {
	case unix.NLMSG_DONE:
		d.done = true
		// A dump that fails half-way says so here, in place of NLMSG_ERROR (netlink_dump_done).
		return messageError(payload, true)
	case unix.NLMSG_ERROR:
		d.done = true
		return messageError(payload, false)
	case unix.SOCK_DIAG_BY_FAMILY:
		info, err := decodeSocket(payload)
		d.sockets = append(d.sockets, info)
		if err == nil && payload[2] == timerTimeWait {
			d.minisocks = append(d.minisocks, info.Cookie)
		}
		return err
	case unix.NLMSG_NOOP:
		return nil
	default:
		return fmt.Errorf("netlink message of unknown type %d", kind)
	}
}

// messageError decodes the negative errno at the start of NLMSG_ERROR, and, if optional, of NLMSG_DONE.
func messageError(payload []byte, optional bool) error {
	if len(payload) < 4 {
		if optional {
			return nil
		}
		return errShort
	}
	if errno := int32(binary.NativeEndian.Uint32(payload)); errno < 0 {
		return unix.Errno(-int64(errno))
	}
	return nil
}

// decodeSocket decodes a struct inet_diag_msg. Ports and addresses are in network order, the rest in the machine's.
func decodeSocket(b []byte) (SocketInfo, error) {
	if len(b) < messageSize {
		return SocketInfo{}, errShort
	}
	local, remote, err := decodeAddrs(b[0], b[4:])
	return SocketInfo{
		State:  State(b[1]),
		Local:  local,
		Remote: remote,
		Cookie: uint64(binary.NativeEndian.Uint32(b[44:])) | uint64(binary.NativeEndian.Uint32(b[48:]))<<32,
		RQueue: binary.NativeEndian.Uint32(b[56:]),
		WQueue: binary.NativeEndian.Uint32(b[60:]),
		UID:    binary.NativeEndian.Uint32(b[64:]),
		Inode:  binary.NativeEndian.Uint32(b[68:]),
	}, err
}

// decodeAddrs decodes the start of a struct inet_diag_sockid: two ports, two addresses of 16 bytes.
func decodeAddrs(family uint8, b []byte) (local, remote netip.AddrPort, err error) {
	addr := func(b []byte) netip.Addr { return netip.AddrFrom16([16]byte(b)) }
	switch family {
	case unix.AF_INET:
		addr = func(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }
	case unix.AF_INET6:
	default:
		return local, remote, fmt.Errorf("socket of unknown family %d", family)
	}
	local = netip.AddrPortFrom(addr(b[4:]), binary.BigEndian.Uint16(b[0:]))
	remote = netip.AddrPortFrom(addr(b[20:]), binary.BigEndian.Uint16(b[2:]))
	return local, remote, nil
}
