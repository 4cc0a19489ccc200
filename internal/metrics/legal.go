package metrics

import (
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// What a host may do any time has its series from the start: Prometheus sees no increase in a counter that comes into
// being with its first event. The rest gets a series when it happens.

// legalAfter returns the states that the kernel moves a full socket to from a state: what tcp_set_state() is called with
// in net/ipv4, and close() after shutdown(), which stays where it is.
func legalAfter(old tcp.State) tcp.StateSet {
	switch old {
	case tcp.Close:
		return tcp.SetOf(tcp.SynSent, tcp.Listen)
	case tcp.Listen:
		return tcp.SetOf(tcp.SynRecv, tcp.Close)
	case tcp.SynSent:
		return tcp.SetOf(tcp.Established, tcp.SynRecv, tcp.Close)
	case tcp.SynRecv:
		return tcp.SetOf(tcp.Established, tcp.FinWait1, tcp.CloseWait, tcp.Close)
	case tcp.Established:
		return tcp.SetOf(tcp.FinWait1, tcp.CloseWait, tcp.Close)
	case tcp.FinWait1:
		return tcp.SetOf(tcp.FinWait1, tcp.FinWait2, tcp.Closing, tcp.Close)
	case tcp.FinWait2:
		return tcp.SetOf(tcp.FinWait2, tcp.Close)
	case tcp.CloseWait:
		return tcp.SetOf(tcp.LastAck, tcp.Close)
	case tcp.Closing, tcp.LastAck:
		return tcp.SetOf(tcp.Close)
	}
	return 0
}

// possibleCauses returns why a socket may be stuck in a condition, as leak.Classify has it.
func possibleCauses(c leak.Condition) []leak.Cause {
	switch c {
	case leak.Zombie:
		return []leak.Cause{leak.ZombieHeld}
	case leak.Condition(tcp.CloseWait):
		return []leak.Cause{
			leak.NeverAccepted, leak.Inherited, leak.Sending, leak.UnreadData, leak.UnreadFin, leak.NotClosed,
		}
	case leak.Condition(tcp.FinWait2):
		return []leak.Cause{leak.HalfClosed}
	case leak.Condition(tcp.Established):
		return []leak.Cause{leak.NeverAccepted, leak.Idle}
	case leak.Condition(tcp.SynSent), leak.Condition(tcp.SynRecv), leak.Condition(tcp.FinWait1),
		leak.Condition(tcp.Closing), leak.Condition(tcp.LastAck):
		return []leak.Cause{leak.Unanswered}
	}
	return nil
}
