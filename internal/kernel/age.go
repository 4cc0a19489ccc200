package kernel

import (
	"math"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// timeWaitLength is TCP_TIMEWAIT_LEN (include/net/tcp.h): no setting changes it.
const timeWaitLength = 60 * time.Second

// ageOfMinisock: TIME_WAIT lasts at least as long as its timer runs, which starts anew with each retransmitted FIN; and
// the minisock was not there before its birth. FIN_WAIT2 began before the minisock was made (net/ipv4/tcp_minisocks.c,
// tcp_time_wait).
func ageOfMinisock(row *snapshotSocketRow, t ticks) tcp.Age {
	sinceBirth, known := sinceMillis(row)
	if tcp.State(row.State) != tcp.TimeWait {
		if !known {
			return tcp.Age{}
		}
		return tcp.Age{Source: tcp.AgeKernel, AtLeast: sinceBirth, AtMost: tcp.Unknown}
	}
	a := tcp.Age{Source: tcp.AgeTimer, AtLeast: max(0, timeWaitLength-t.of(min(max(0, row.TimerLeft), math.MaxInt64-1)+1)), AtMost: tcp.Unknown}
	if known {
		a.AtMost = sinceBirth
	}
	return merge(a, t)
}

// ageOfRequest: the first SYN-ACK answered the SYN at once (net/ipv4/tcp_output.c, tcp_make_synack).
func ageOfRequest(row *snapshotSocketRow) tcp.Age { return sinceMicros(row) }

// ageOfFull returns what a tracer knows, or else what follows from the times that the kernel notes of a connection.
func ageOfFull(row *snapshotFullRow, t ticks) tcp.Age {
	if row.SinceNs != 0 && row.SinceNs <= row.Head.NowNs {
		return tcp.ExactAge(tcp.AgeTraced, time.Duration(row.Head.NowNs-row.SinceNs))
	}
	switch tcp.State(row.Head.State) {
	case tcp.SynSent:
		if since, known := sinceMillis(&row.Head); known {
			return tcp.ExactAge(tcp.AgeKernel, since)
		}
		return sinceMicros(&row.Head)
	case tcp.Established:
		return bounds(tcp.AgeLastData, max(row.sent(), row.received()), never, row, t)
	case tcp.CloseWait, tcp.Closing:
		return merge(bounds(tcp.AgeLastAck, row.acked(), row.received(), row, t), t)
	case tcp.FinWait2:
		return merge(bounds(tcp.AgeLastAck, row.acked(), row.sent(), row, t), t)
	case tcp.LastAck:
		return bounds(tcp.AgeLastData, never, row.received(), row, t)
	case tcp.Close:
		if row.Head.Flags&uint8(snapshotRowFlagsROW_CONNECTED) != 0 {
			return bounds(tcp.AgeLastData, never, latest(row.sent(), row.received()), row, t)
		}
	}
	return tcp.Age{}
}

// never is for what there was none of.
const never = -1

// What follows returns how many jiffies ago something was. A time that the kernel did not note stands at zero: of a
// connection of two SYNs that crossed, and after connect(AF_UNSPEC).
func (r *snapshotFullRow) sent() int64     { return r.ago(r.LastSent) }
func (r *snapshotFullRow) received() int64 { return r.ago(r.LastReceived) }
func (r *snapshotFullRow) acked() int64    { return r.ago(r.LastAck) }

func (r *snapshotFullRow) ago(jiffies uint32) int64 {
	if jiffies == uint32(r.Head.Jiffies) {
		return never
	}
	return int64(jiffies)
}

// latest returns the one that was less long ago.
func latest(a, b int64) int64 {
	if a == never || b == never {
		return max(a, b)
	}
	return min(a, b)
}

// bounds is an age that is at least as long as something is ago, and at most as something else is. A jiffy began up to
// its length before what happened in it, so the time between two of them is known up to one jiffy on either side.
func bounds(source tcp.AgeSource, least, most int64, row *snapshotFullRow, t ticks) tcp.Age {
	if time.Duration(row.Head.NowNs) >= t.wrap() { // up for so long that 32 bits of jiffies prove no upper bound
		most = never
	}
	if least == never && most == never {
		return tcp.Age{}
	}
	a := tcp.Age{Source: source, AtLeast: max(0, t.of(least-1)), AtMost: tcp.Unknown}
	if most != never {
		a.AtMost = t.of(most + 1)
	}
	return a
}

// merge makes one of two bounds that lie as close together as the clocks that they were read from allow.
func merge(a tcp.Age, t ticks) tcp.Age {
	if a.AtMost == tcp.Unknown {
		return a
	}
	a.AtMost = max(a.AtMost, a.AtLeast)
	if a.AtMost-a.AtLeast <= 2*t.length+2*time.Millisecond {
		a.AtLeast = (a.AtLeast + a.AtMost) / 2
		a.AtMost = a.AtLeast
	}
	return a
}

// sinceMillis returns how long ago a stamp of 32 bits of milliseconds of CLOCK_MONOTONIC was.
func sinceMillis(row *snapshotSocketRow) (time.Duration, bool) {
	if row.StampMs == 0 {
		return 0, false
	}
	now := uint32(row.NowNs / uint64(time.Millisecond))
	return time.Duration(max(0, int32(now-row.StampMs))) * time.Millisecond, true
}

func sinceMicros(row *snapshotSocketRow) tcp.Age {
	now := row.NowNs / uint64(time.Microsecond)
	if row.StampUs == 0 || row.StampUs > now {
		return tcp.Age{}
	}
	return tcp.ExactAge(tcp.AgeKernel, time.Duration(now-row.StampUs)*time.Microsecond)
}
