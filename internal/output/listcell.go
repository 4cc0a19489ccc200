package output

import (
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// unheld says why no process can have a descriptor on a socket, "" when one can.
func unheld(s *tcp.Socket) string {
	switch {
	case s.Kind == tcp.Minisock:
		return "minisock"
	case s.Kind == tcp.Request:
		return "request"
	case s.Unaccepted:
		return "not accepted"
	case s.Orphan:
		return "orphan"
	}
	return ""
}

// unheldBrief says it in at most six columns.
func unheldBrief(s *tcp.Socket) string {
	switch {
	case s.Kind == tcp.Minisock:
		return "mini"
	case s.Kind == tcp.Request:
		return "half"
	case s.Unaccepted:
		return "queued"
	}
	return unheld(s)
}

// ownerHolder returns the first descriptor of the owner as an index of Holders, -1 when none is known.
func ownerHolder(s *tcp.Socket) int {
	for i := range s.Holders {
		if s.Holders[i].PID == s.PID {
			return i
		}
	}
	return -1
}

// cell appends what stands in a column. Addresses, queues, FD and VIA say what fits into width; the others what there is.
func (t *listTable) cell(b []byte, s *tcp.Socket, c listColumn, width int) []byte {
	switch c {
	case listState:
		if s.Zombie {
			return append(b, "ZOMBIE"...)
		}
		return append(b, stateName(s.State, t.layout.tight && width <= stateTight)...)
	case listAge:
		if t.wide {
			return appendAgeRange(b, s.Age)
		}
		return appendAge(b, s.Age)
	case listRecvQ:
		return appendQueue(b, s.RecvQ, width)
	case listSendQ:
		return appendQueue(b, s.SendQ, width)
	case listLocal:
		return t.endpoint(b, s.Local, width, t.layout.portOnly && width <= portWidth)
	case listRemote:
		return t.endpoint(b, s.Remote, width, false)
	case listPID:
		return appendOrDash(b, uint64(s.PID))
	case listComm:
		if s.PID == 0 {
			return append(b, '-')
		}
		return appendPrintable(b, s.Comm.Bytes())
	case listFD:
		return t.descriptor(b, s, width)
	case listVia:
		return appendVia(b, s, width)
	}
	return t.wideCell(b, s, c)
}

// appendQueue appends how much is in a queue, in brief where there is no room for all digits.
func appendQueue(b []byte, n uint32, width int) []byte {
	if digits(n) > width {
		return appendBrief(b, uint64(n))
	}
	return appendUint(b, uint64(n))
}

// descriptor appends the owner's descriptor, and how many others there are.
func (t *listTable) descriptor(b []byte, s *tcp.Socket, width int) []byte {
	owner, others := ownerHolder(s), len(s.Holders)
	if owner >= 0 {
		b = appendUint(b, uint64(s.Holders[owner].FD))
		others--
	}
	switch {
	case others > 0:
		return appendUint(append(b, '+'), uint64(others))
	case owner >= 0:
		return b
	}
	if note := unheldBrief(s); s.PID != 0 && t.layout.widths[listVia] == 0 && len(note) <= width {
		return appendNameOrDash(b, note)
	}
	return append(b, '-')
}

// appendVia appends what proves the owner and, where there is one, why it has no descriptor.
func appendVia(b []byte, s *tcp.Socket, width int) []byte {
	evidence, note := s.Evidence.String(), unheld(s)
	if s.PID == 0 || note == "" {
		return appendNameOrDash(b, evidence)
	}
	const link = ", "
	switch {
	case evidence != "" && len(evidence)+len(link)+len(note) <= width:
		return append(append(append(b, evidence...), link...), note...)
	case len(note) <= width:
		return append(b, note...)
	}
	return append(b, unheldBrief(s)...)
}

// wideCell appends what stands in a column of Wide. What a minisock or a request does not keep is unknown there.
func (t *listTable) wideCell(b []byte, s *tcp.Socket, c listColumn) []byte {
	switch c {
	case listSource:
		return appendNameOrDash(b, s.Age.Source.String())
	case listCookie:
		if s.Cookie == 0 {
			return append(b, '-')
		}
		return appendHex(b, s.Cookie)
	case listInode:
		return appendOrDash(b, uint64(s.Inode))
	case listTimer:
		return appendTimer(b, &s.Timer)
	case listMark:
		return appendOrDash(b, uint64(s.Mark))
	case listDevice:
		return appendOrDash(b, uint64(s.Device))
	case listNetNS:
		return append(b, t.labels.namespace(s.NetNS)...)
	case listContainer:
		return append(b, t.labels.cgroup(s.CgroupID).container...)
	case listCgroup:
		return append(b, t.labels.cgroup(s.CgroupID).path...)
	}
	if s.Kind != tcp.Full {
		return append(b, '-')
	}
	return appendFull(b, s, c)
}

// appendFull appends what stands in a column of Wide that only a full socket has something for.
func appendFull(b []byte, s *tcp.Socket, c listColumn) []byte {
	switch c {
	case listUID:
		return appendUint(b, uint64(s.UID))
	case listRTT:
		if s.RTT < 0 || s.RTTVar < 0 {
			return appendDuration(b, s.RTT)
		}
		return appendDuration(append(appendDuration(b, s.RTT), '/'), s.RTTVar)
	case listRetrans:
		return appendUint(b, uint64(s.Retrans))
	case listSent:
		return appendUint(b, s.BytesSent)
	case listRecv:
		return appendUint(b, s.BytesRecv)
	case listLastSent:
		return appendDuration(b, s.LastSent)
	case listLastRecv:
		return appendDuration(b, s.LastReceived)
	case listLastAck:
		return appendDuration(b, s.LastAck)
	case listErrno:
		if s.Errno == 0 {
			return append(b, '-')
		}
		return appendErrno(b, s.Errno)
	case listShut:
		return appendNameOrDash(b, shutdownName(s.Shutdown))
	}
	return b
}

// timerWords has what ss -o calls the timers (iproute2, misc/ss.c).
var timerWords = [...]string{
	tcp.TimerNone: "", tcp.TimerRetransmit: "on", tcp.TimerKeepalive: "keepalive", tcp.TimerTimeWait: "timewait",
	tcp.TimerProbe: "persist",
}

// appendTimer appends a timer as ss -o does, but with its time as one that can be read: timer:(on,1.2sec,0).
func appendTimer(b []byte, t *tcp.Timer) []byte {
	if int(t.Kind) >= len(timerWords) || t.Kind == tcp.TimerNone {
		return append(b, '-')
	}
	b = append(append(append(b, "timer:("...), timerWords[t.Kind]...), ',')
	b = appendTimerLeft(b, max(t.Left, 0))
	return append(appendUint(append(b, ','), uint64(t.Retries)), ')')
}

// appendTimerLeft appends 200ms, 1.2sec, 42sec, 1min03sec or 119min.
func appendTimerLeft(b []byte, d time.Duration) []byte {
	seconds := uint64(d / time.Second)
	switch {
	case d < time.Second:
		return append(appendUint(b, uint64(d/time.Millisecond)), "ms"...)
	case seconds < 10:
		tenth := byte(d % time.Second / (100 * time.Millisecond))
		return append(append(appendUint(b, seconds), '.', '0'+tenth), "sec"...)
	case seconds < minute:
		return append(appendUint(b, seconds), "sec"...)
	case seconds < 10*minute:
		b = append(appendUint(b, seconds/minute), "min"...)
		return append(b, byte('0'+seconds%minute/10), byte('0'+seconds%10), 's', 'e', 'c')
	}
	return append(appendUint(b, seconds/minute), "min"...)
}
