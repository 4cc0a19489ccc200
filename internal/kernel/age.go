package kernel

import (
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
	a := tcp.Age{Source: tcp.AgeTimer, AtLeast: max(0, timeWaitLength-t.of(max(0, row.TimerLeft)+1)), AtMost: tcp.Unknown}
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
		return tcp.Age{
			Source: tcp.AgeLastData, AtLeast: atLeast(max(row.LastSent, row.LastReceived), t), AtMost: tcp.Unknown,
		}
	case tcp.CloseWait, tcp.Closing:
		return merge(tcp.Age{
			Source: tcp.AgeLastAck, AtLeast: atLeast(row.LastAck, t), AtMost: atMost(row, row.LastReceived, t),
		}, t)
	case tcp.FinWait2:
		return merge(tcp.Age{
			Source: tcp.AgeLastAck, AtLeast: atLeast(row.LastAck, t), AtMost: atMost(row, row.LastSent, t),
		}, t)
	case tcp.LastAck:
		return upper(atMost(row, row.LastReceived, t))
	case tcp.Close:
		if row.Head.Flags&uint8(snapshotRowFlagsROW_CONNECTED) != 0 {
			return upper(atMost(row, min(row.LastReceived, row.LastSent), t))
		}
	}
	return tcp.Age{}
}

// upper is an age of which only the upper bound is known.
func upper(d time.Duration) tcp.Age {
	if d == tcp.Unknown {
		return tcp.Age{}
	}
	return tcp.Age{Source: tcp.AgeLastData, AtMost: d}
}

// A jiffy began up to its length before what happened in it, so the time between two of them is known up to one jiffy on
// either side.
func atLeast(jiffies uint32, t ticks) time.Duration { return max(0, t.of(int64(jiffies)-1)) }

// atMost returns no bound on a host that is up for so long that the lower 32 bits of jiffies prove none.
func atMost(row *snapshotFullRow, jiffies uint32, t ticks) time.Duration {
	if time.Duration(row.Head.NowNs) >= t.wrap() {
		return tcp.Unknown
	}
	return t.of(int64(jiffies) + 1)
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
