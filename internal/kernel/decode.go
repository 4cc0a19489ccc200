package kernel

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// decode fills e from a record. Wall time is left to the caller, who knows the clock. It refuses states and times that
// cannot be, and allocates nothing otherwise.
func decode(r *bpfClosingRecord, e *tcp.Event) error {
	head := &r.Head
	e.Old, e.New, e.Next = tcp.State(head.Old), tcp.State(head.New), tcp.State(head.Next)
	if !e.Old.Valid() || !e.New.Valid() {
		return fmt.Errorf("record has no such transition: %d to %d", head.Old, head.New)
	}
	if head.TimeNs > math.MaxInt64 {
		return fmt.Errorf("record has no such time: %d ns", head.TimeNs)
	}
	decodeHead(head, e)
	if e.New == tcp.Close {
		decodeClosing(r, e)
	} else { // what the slot held before
		e.BytesSent, e.BytesRecv, e.Retrans, e.SRTT = 0, 0, 0, tcp.Unknown
	}
	return nil
}

func decodeHead(r *bpfRecord, e *tcp.Event) {
	e.Mono = int64(r.TimeNs)
	e.InOld = tcp.Unknown
	if r.SinceNs != 0 && r.SinceNs <= r.TimeNs {
		e.InOld = time.Duration(r.TimeNs - r.SinceNs)
	}
	e.Cookie = r.Cookie
	e.CgroupID = r.CgroupId
	e.NetNS = r.Netns
	e.UID = r.Uid
	e.PID = r.Pid
	e.RunningPID = r.RunningPid
	e.Comm = r.Comm
	e.Local = netip.AddrPortFrom(netip.AddrFrom16(r.Laddr).Unmap(), r.Lport)
	e.Remote = netip.AddrPortFrom(netip.AddrFrom16(r.Raddr).Unmap(), r.Rport)
	e.Family = tcp.Family(r.Family)
	e.Errno = r.SkErr
	e.Evidence = tcp.Evidence(r.Evidence)
	e.Reason = tcp.Reason(r.Reason)
	e.Missed = r.Flags&uint8(bpfRecordFlagsRECORD_MISSED) != 0
	e.Late = r.Flags&uint8(bpfRecordFlagsRECORD_LATE) != 0
	e.Left = r.Flags&uint8(bpfRecordFlagsRECORD_LEFT) != 0
	e.Overdue = r.Flags&uint8(bpfRecordFlagsRECORD_OVERDUE) != 0
	e.Unaccepted = r.Flags&uint8(bpfRecordFlagsRECORD_UNACCEPTED) != 0
	e.Stack = r.Stack
	e.RecvQ = r.RecvQ
}

func decodeClosing(r *bpfClosingRecord, e *tcp.Event) {
	e.BytesSent = r.BytesSent
	e.BytesRecv = r.BytesReceived
	e.Retrans = r.Retransmits
	e.SRTT = tcp.Unknown
	if r.SrttUs != 0 {
		e.SRTT = time.Duration(r.SrttUs) * time.Microsecond
	}
}
