package output

import (
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// listFields are the fields of JSON, with those of its timer beside each other. They are a contract, as fields is.
var listFields = [...]string{
	"time", "event", "cookie", "netns", "netns_name", "cgroup", "cgroup_path", "container", "uid", "family", "laddr",
	"lport", "raddr", "rport", "state", "kind", "zombie", "orphan", "unaccepted", "age_ms", "age_at_least_ms",
	"age_at_most_ms", "age_source", "recv_q", "send_q", "pid", "comm", "evidence", "fd", "holders", "inode", "timer",
	"timer_left_ms", "timer_retries", "mark", "device", "rtt_ms", "rttvar_ms", "retransmits", "bytes_sent",
	"bytes_received", "last_sent_ms", "last_received_ms", "last_ack_ms", "errno", "shutdown", "autobound",
}

func appendListCSVHeader(b []byte) []byte {
	return append(append(b, strings.Join(listFields[:], ",")...), '\n')
}

// appendCSV appends one socket as one record of CSV: the fields and values of JSON without its quotes, and nothing where
// JSON has null. Holders are pid/fd with blanks between them.
func (l *List) appendCSV(b []byte, s *tcp.Socket) []byte {
	b = append(b, l.begin...)
	if s.Cookie != 0 {
		b = appendHex(b, s.Cookie)
	}
	b = l.appendCSVPlace(append(b, ','), s)
	b = appendCSVState(append(b, ','), s)
	b = appendCSVHeld(append(b, ','), s)
	b = appendCSVTimer(append(b, ','), &s.Timer)
	b = appendCSVCount(append(b, ','), uint64(s.Mark))
	b = appendCSVCount(append(b, ','), uint64(s.Device))
	return append(appendCSVFull(append(b, ','), s), '\n')
}

// appendCSVPlace appends netns to rport.
func (l *List) appendCSVPlace(b []byte, s *tcp.Socket) []byte {
	b = append(append(b, l.labels.namespace(s.NetNS)...), ',')
	b = append(append(b, l.labels.cgroup(s.CgroupID).fields...), ',')
	if s.Kind == tcp.Full {
		b = appendUint(b, uint64(s.UID))
	}
	b = append(append(append(b, ','), s.Family.String()...), ',')
	b = append(appendAddr(b, s.Local.Addr()), ',')
	b = append(appendCSVCount(b, uint64(s.Local.Port())), ',')
	b = append(appendAddr(b, s.Remote.Addr()), ',')
	return appendCSVCount(b, uint64(s.Remote.Port()))
}

// appendCSVState appends state to send_q.
func appendCSVState(b []byte, s *tcp.Socket) []byte {
	b = append(append(b, s.State.String()...), ',')
	b = append(append(b, s.Kind.String()...), ',')
	b = append(appendBool(b, s.Zombie), ',')
	b = append(appendBool(b, s.Orphan), ',')
	b = append(appendBool(b, s.Unaccepted), ',')
	b = append(appendCSVAge(b, s.Age), ',')
	b = append(appendUint(b, uint64(s.RecvQ)), ',')
	return appendUint(b, uint64(s.SendQ))
}

// appendCSVHeld appends pid to inode.
func appendCSVHeld(b []byte, s *tcp.Socket) []byte {
	if s.PID != 0 {
		b = append(appendUint(b, uint64(s.PID)), ',')
		b = appendCSVText(b, s.Comm.Bytes())
	} else {
		b = append(b, ',')
	}
	b = append(append(append(b, ','), s.Evidence.String()...), ',')
	if owner := ownerHolder(s); owner >= 0 {
		b = appendUint(b, uint64(s.Holders[owner].FD))
	}
	b = append(b, ',')
	for i := range s.Holders {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(appendUint(b, uint64(s.Holders[i].PID)), '/')
		b = appendUint(b, uint64(s.Holders[i].FD))
	}
	return appendCSVCount(append(b, ','), uint64(s.Inode))
}

// appendCSVTimer appends timer to timer_retries.
func appendCSVTimer(b []byte, t *tcp.Timer) []byte {
	kind := t.Kind.String()
	if kind == "" {
		return append(b, ",,"...)
	}
	b = appendCSVMillis(append(append(b, kind...), ','), t.Left)
	return appendUint(append(b, ','), uint64(t.Retries))
}

// appendCSVFull appends rtt_ms to autobound.
func appendCSVFull(b []byte, s *tcp.Socket) []byte {
	if s.Kind != tcp.Full {
		return append(b, ",,,,,,,,,,false"...)
	}
	b = append(appendCSVMillis(b, s.RTT), ',')
	b = append(appendCSVMillis(b, s.RTTVar), ',')
	b = append(appendUint(b, uint64(s.Retrans)), ',')
	b = append(appendUint(b, s.BytesSent), ',')
	b = append(appendUint(b, s.BytesRecv), ',')
	b = append(appendCSVMillis(b, s.LastSent), ',')
	b = append(appendCSVMillis(b, s.LastReceived), ',')
	b = append(appendCSVMillis(b, s.LastAck), ',')
	if s.Errno != 0 {
		b = appendErrno(b, s.Errno)
	}
	b = append(append(append(b, ','), shutdownName(s.Shutdown)...), ',')
	return appendBool(b, s.Autobound)
}
