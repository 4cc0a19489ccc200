package output

import (
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// appendJSON appends one socket as one JSON object and a line feed, in ASCII. Fields are in this order; none will be
// renamed, removed or moved, new ones come at the end. What is unknown, or is not there, is null. zombie, orphan,
// unaccepted and autobound are there only when true; those from rtt_ms on only when kind is "full", because the kernel
// keeps none of them for the others.
//
//	time              string   of the snapshot, RFC 3339 in UTC with nine decimals; the same in every line
//	event             string   "socket"
//	cookie            string   the socket, hexadecimal, as ss -e prints it after sk:
//	netns             number   inode number of the network namespace
//	netns_name        string   what the namespace is known by
//	cgroup            number   id of the cgroup (v2), which is the inode number of its directory
//	cgroup_path       string   its path
//	container         string   id of the container that the cgroup belongs to, in short
//	uid               number   user of the socket; null unless kind is "full"
//	family            string   "inet" or "inet6"; of the socket, so inet6 with IPv4 addresses is v4-mapped
//	laddr, raddr      string   local and remote address, as they travel on the wire
//	lport, rport      number   local and remote port; null when there is none
//	state             string   in the kernel's spelling, as "CLOSE_WAIT"
//	kind              string   "full", "minisock" or "request": see tcp.Kind
//	zombie            boolean  in CLOSE after a connection, and a descriptor is still open
//	orphan            boolean  closed by its process; the kernel ends it by itself
//	unaccepted        boolean  complete connection that waits for accept()
//	age_ms            number   milliseconds in state, six decimals; null when it is not known exactly
//	age_at_least_ms   number   it is no younger, and this is age_ms when that is known
//	age_at_most_ms    number   it is no older, likewise
//	age_source        string   "traced", "kernel", "last_ack", "last_data" or "timer": see tcp.AgeSource
//	recv_q            number   bytes that the process has not read; of a listener, connections that wait for accept()
//	send_q            number   bytes that the peer has not acknowledged; of a listener, how many connections may wait
//	pid               number   the owner
//	comm              string   the owner's name; a byte that is not UTF-8 is U+FFFD; null without pid
//	evidence          string   what proves the owner: "connect", "listen", "accept", "close" or "fd"
//	fd                number   the owner's descriptor
//	holders           array    every descriptor, as {"pid":1,"comm":"x","fd":3}; null when none was found but one must be
//	inode             number   of the descriptors' file, as in /proc/PID/fd
//	timer             object   the timer that is pending, as {"kind":"retransmit","left_ms":1.000000,"retries":0}; kind
//	                           is also "keepalive", "timewait" or "probe"
//	mark              number   SO_MARK
//	device            number   index of the interface that it is bound to
//	rtt_ms, rttvar_ms number   smoothed round-trip time and its variation
//	retransmits       number   segments sent again
//	bytes_sent        number   payload without retransmissions
//	bytes_received    number   payload
//	last_sent_ms      number   since payload was last sent
//	last_received_ms  number   since payload last came
//	last_ack_ms       number   since any ACK last came
//	errno             string   what the next system call on the socket fails with, as "ECONNRESET"
//	shutdown          string   "receive", "send" or "both": what is shut
//	autobound         boolean  the kernel chose its local port
func (l *List) appendJSON(b []byte, s *tcp.Socket) []byte {
	b = append(b, l.begin...)
	if s.Cookie != 0 {
		b = append(appendHex(append(b, '"'), s.Cookie), '"')
	} else {
		b = append(b, "null"...)
	}
	b = l.appendJSONPlace(b, s)
	b = appendJSONState(b, s)
	b = appendJSONHeld(b, s)
	b = appendJSONTimer(append(b, `,"timer":`...), &s.Timer)
	b = appendJSONCount(append(b, `,"mark":`...), uint64(s.Mark))
	b = appendJSONCount(append(b, `,"device":`...), uint64(s.Device))
	if s.Kind == tcp.Full {
		b = appendJSONFull(b, s)
	}
	return append(b, '}', '\n')
}

// appendJSONPlace appends netns to rport.
func (l *List) appendJSONPlace(b []byte, s *tcp.Socket) []byte {
	b = append(append(b, `,"netns":`...), l.labels.namespace(s.NetNS)...)
	b = append(append(b, `,"cgroup":`...), l.labels.cgroup(s.CgroupID).fields...)
	b = append(b, `,"uid":`...)
	if s.Kind == tcp.Full {
		b = appendUint(b, uint64(s.UID))
	} else {
		b = append(b, "null"...)
	}
	b = append(append(b, `,"family":"`...), s.Family.String()...)
	b = appendJSONAddr(append(b, `","laddr":`...), s.Local.Addr())
	b = appendJSONCount(append(b, `,"lport":`...), uint64(s.Local.Port()))
	b = appendJSONAddr(append(b, `,"raddr":`...), s.Remote.Addr())
	return appendJSONCount(append(b, `,"rport":`...), uint64(s.Remote.Port()))
}

// appendJSONState appends state to send_q.
func appendJSONState(b []byte, s *tcp.Socket) []byte {
	b = append(append(b, `,"state":"`...), s.State.String()...)
	b = append(append(b, `","kind":"`...), s.Kind.String()...)
	b = append(b, '"')
	if s.Zombie {
		b = append(b, `,"zombie":true`...)
	}
	if s.Orphan {
		b = append(b, `,"orphan":true`...)
	}
	if s.Unaccepted {
		b = append(b, `,"unaccepted":true`...)
	}
	b = appendJSONAge(b, "age", s.Age)
	b = appendUint(append(b, `,"recv_q":`...), uint64(s.RecvQ))
	return appendUint(append(b, `,"send_q":`...), uint64(s.SendQ))
}

// appendJSONHeld appends pid to inode.
func appendJSONHeld(b []byte, s *tcp.Socket) []byte {
	if s.PID != 0 {
		b = appendUint(append(b, `,"pid":`...), uint64(s.PID))
		b = append(appendJSONComm(append(b, `,"comm":"`...), &s.Comm), '"')
	} else {
		b = append(b, `,"pid":null,"comm":null`...)
	}
	b = appendJSONName(append(b, `,"evidence":`...), s.Evidence.String())
	b = append(b, `,"fd":`...)
	if owner := ownerHolder(s); owner >= 0 {
		b = appendUint(b, uint64(s.Holders[owner].FD))
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"holders":`...)
	if len(s.Holders) == 0 && unheld(s) == "" {
		b = append(b, "null"...)
	} else {
		b = appendJSONHolders(b, s.Holders)
	}
	return appendJSONCount(append(b, `,"inode":`...), uint64(s.Inode))
}

func appendJSONHolders(b []byte, holders []tcp.Holder) []byte {
	b = append(b, '[')
	for i := range holders {
		if i > 0 {
			b = append(b, ',')
		}
		h := &holders[i]
		b = appendUint(append(b, `{"pid":`...), uint64(h.PID))
		b = appendJSONComm(append(b, `,"comm":"`...), &h.Comm)
		b = append(appendUint(append(b, `","fd":`...), uint64(h.FD)), '}')
	}
	return append(b, ']')
}

func appendJSONTimer(b []byte, t *tcp.Timer) []byte {
	kind := t.Kind.String()
	if kind == "" {
		return append(b, "null"...)
	}
	b = append(append(append(b, `{"kind":"`...), kind...), `","left_ms":`...)
	b = appendJSONMillis(b, t.Left)
	return append(appendUint(append(b, `,"retries":`...), uint64(t.Retries)), '}')
}

// appendJSONFull appends rtt_ms to autobound.
func appendJSONFull(b []byte, s *tcp.Socket) []byte {
	b = appendJSONMillis(append(b, `,"rtt_ms":`...), s.RTT)
	b = appendJSONMillis(append(b, `,"rttvar_ms":`...), s.RTTVar)
	b = appendUint(append(b, `,"retransmits":`...), uint64(s.Retrans))
	b = appendUint(append(b, `,"bytes_sent":`...), s.BytesSent)
	b = appendUint(append(b, `,"bytes_received":`...), s.BytesRecv)
	b = appendJSONMillis(append(b, `,"last_sent_ms":`...), s.LastSent)
	b = appendJSONMillis(append(b, `,"last_received_ms":`...), s.LastReceived)
	b = appendJSONMillis(append(b, `,"last_ack_ms":`...), s.LastAck)
	b = appendJSONErrno(b, s.Errno)
	b = appendJSONName(append(b, `,"shutdown":`...), shutdownName(s.Shutdown))
	if s.Autobound {
		b = append(b, `,"autobound":true`...)
	}
	return b
}

// shutdownName returns what is shut, "" for neither direction.
func shutdownName(s tcp.Shutdown) string {
	return [...]string{"", "receive", "send", "both"}[s&3]
}
