package kernel

import (
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// socketOfRow fills what every kind of socket has.
func socketOfRow(s *tcp.Socket, row *snapshotSocketRow, t ticks) {
	*s = tcp.Socket{
		Seen:         int64(row.NowNs),
		Cookie:       row.Cookie,
		CgroupID:     row.CgroupId,
		Local:        netip.AddrPortFrom(netip.AddrFrom16(row.Laddr).Unmap(), row.Lport),
		Remote:       netip.AddrPortFrom(netip.AddrFrom16(row.Raddr).Unmap(), row.Rport),
		Timer:        timerOf(row, t),
		RTT:          tcp.Unknown,
		RTTVar:       tcp.Unknown,
		LastSent:     tcp.Unknown,
		LastReceived: tcp.Unknown,
		LastAck:      tcp.Unknown,
		NetNS:        row.Netns,
		UID:          tcp.NoUID,
		Mark:         row.Mark,
		Device:       row.Device,
		Family:       tcp.Family(row.Family),
		State:        tcp.State(row.State),
		Shutdown:     tcp.Shutdown(row.Shutdown),
	}
}

func socketOfBare(s *tcp.Socket, row *snapshotSocketRow, t ticks) {
	socketOfRow(s, row, t)
	if snapshotRowKind(row.Kind) == snapshotRowKindROW_REQUEST {
		s.Kind, s.Age = tcp.Request, ageOfRequest(row)
	} else {
		s.Kind, s.Age = tcp.Minisock, ageOfMinisock(row, t)
	}
}

func socketOfFull(s *tcp.Socket, row *snapshotFullRow, t ticks) {
	socketOfRow(s, &row.Head, t)
	connected := row.Head.Flags&uint8(snapshotRowFlagsROW_CONNECTED) != 0
	s.Age = ageOfFull(row, t)
	s.UID = row.Uid
	s.Inode = uint32(row.Inode)
	s.RecvQ, s.SendQ = row.RecvQ, row.SendQ
	s.BytesSent, s.BytesRecv = row.BytesSent, row.BytesReceived
	s.Retrans = row.Retransmits
	s.Errno = row.SkErr
	s.PID, s.Evidence, s.Comm = row.Pid, tcp.Evidence(row.Evidence), row.Comm
	s.Stack = row.Stack
	s.Orphan = row.Head.Flags&uint8(snapshotRowFlagsROW_ORPHAN) != 0
	s.Unaccepted = row.Head.Flags&uint8(snapshotRowFlagsROW_UNACCEPTED) != 0
	s.Autobound = row.Head.Flags&uint8(snapshotRowFlagsROW_AUTOBOUND) != 0
	s.Zombie = s.State == tcp.Close && connected
	if connected && s.State != tcp.Listen {
		s.LastSent, s.LastReceived, s.LastAck = t.since(row.sent()), t.since(row.received()), t.since(row.acked())
	}
	if row.SrttUs != 0 {
		s.RTT = time.Duration(row.SrttUs) * time.Microsecond
		s.RTTVar = time.Duration(row.RttvarUs) * time.Microsecond
	}
}

func timerOf(row *snapshotSocketRow, t ticks) tcp.Timer {
	if row.Timer == uint8(snapshotRowTimerROW_TIMER_NONE) {
		return tcp.Timer{}
	}
	return tcp.Timer{Kind: tcp.TimerKind(row.Timer), Left: t.of(max(0, row.TimerLeft)), Retries: row.Retries}
}

// since returns how long ago something was, by jiffies or never.
func (t ticks) since(jiffies int64) time.Duration {
	if jiffies == never {
		return tcp.Unknown
	}
	return t.of(jiffies)
}
