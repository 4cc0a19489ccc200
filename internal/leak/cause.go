package leak

import (
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Cause is why a socket is stuck.
type Cause uint8

// The causes.
const (
	CauseNone     Cause = iota // not known
	NeverAccepted              // CLOSE_WAIT, ESTABLISHED: the listener's owner does not call accept()
	Inherited                  // CLOSE_WAIT: several processes hold it, so that close() in one of them sends nothing
	Sending                    // CLOSE_WAIT: something is left to send, or the peer's window is shut
	UnreadData                 // CLOSE_WAIT: the process stopped reading before the end
	UnreadFin                  // CLOSE_WAIT: all data was read, but nobody looked again and saw the end
	NotClosed                  // CLOSE_WAIT: the end was read, and nobody called close()
	HalfClosed                 // FIN_WAIT2: shutdown(SHUT_WR) without close(): no timer of the kernel ends it
	Orphan                     // FIN_WAIT2: nobody holds it, and the kernel ends it: no finding
	ZombieHeld                 // CLOSE after a connection, and still held
	Idle                       // ESTABLISHED: no payload either way
	Unanswered                 // the peer did not answer: SYN_SENT, SYN_RECV, FIN_WAIT1, CLOSING, LAST_ACK
)

var causeNames = [...]string{
	"", "never_accepted", "inherited", "sending", "unread_data", "unread_fin", "not_closed", "half_closed", "orphan",
	"zombie", "idle", "unanswered",
}

// String returns the name used in JSON, as "not_closed"; "" for CauseNone and for a number that is no cause.
func (c Cause) String() string {
	if int(c) >= len(causeNames) {
		return ""
	}
	return causeNames[c]
}

// Signs are what was found on a socket: the evidence for its cause.
type Signs uint16

// The signs.
const (
	SignUnaccepted     Signs = 1 << iota // waits in its listener's queue (sk_socket is NULL)
	SignSeveralHolders                   // processes, more than one of them
	SignSendQueue                        // bytes that the peer has not acknowledged
	SignUnreadData                       // payload that was not read
	SignUnreadFin                        // nothing but the peer's FIN was not read
	SignEOFRead                          // the peer's FIN was read
	SignHeld                             // by a descriptor that was found
	SignOrphan                           // closed by its process
	SignMinisock                         // the kernel keeps no full socket
	SignError                            // sk_err: the next system call will fail
	SignWindowShut                       // the kernel probes a window that the peer has shut
	SignRetransmitting                   // what was sent went unanswered at least once
	SignConnected                        // in CLOSE, after a connection
)

var signNames = [...]string{
	"unaccepted", "several_holders", "send_queue", "unread_data", "unread_fin", "eof_read", "held", "orphan", "minisock",
	"error", "window_shut", "retransmitting", "connected",
}

// Names returns the names used in JSON.
func (s Signs) Names() []string {
	var names []string
	for i, name := range signNames {
		if s>>i&1 == 1 {
			names = append(names, name)
		}
	}
	return names
}

// String returns the names with commas between them.
func (s Signs) String() string { return strings.Join(s.Names(), ",") }

// Has says whether all of the given signs are there.
func (s Signs) Has(signs Signs) bool { return s&signs == signs }

// signsOf collects all signs of a socket.
func signsOf(s *tcp.Socket) Signs {
	var signs Signs
	for _, check := range [...]struct {
		sign  Signs
		holds bool
	}{
		{SignUnaccepted, s.Unaccepted},
		{SignSeveralHolders, heldBySeveral(s)},
		{SignSendQueue, s.SendQ > 0 && s.State != tcp.Listen},
		{SignUnreadData, unread(s) > 0},
		{SignUnreadFin, s.RecvQ == 1 && hasFin(s)},
		{SignEOFRead, s.RecvQ == 0 && hasFin(s)},
		{SignHeld, len(s.Holders) > 0},
		{SignOrphan, s.Orphan},
		{SignMinisock, s.Kind == tcp.Minisock},
		{SignError, s.Errno != 0},
		{SignWindowShut, s.Timer.Kind == tcp.TimerProbe},
		{SignRetransmitting, isRetransmitting(s)},
		{SignConnected, s.Zombie},
	} {
		if check.holds {
			signs |= check.sign
		}
	}
	return signs
}

// Classify returns why a socket would be stuck where it is, and all that speaks for it. In CLOSE_WAIT the first sign
// that holds, in the order of their declaration, is the cause.
func Classify(s *tcp.Socket) (Cause, Signs) {
	signs := signsOf(s)
	switch s.State {
	case tcp.CloseWait:
		return causeOfCloseWait(signs), signs
	case tcp.FinWait2:
		if isOrphan(s) {
			return Orphan, signs
		}
		return HalfClosed, signs
	case tcp.Close:
		if s.Zombie {
			return ZombieHeld, signs
		}
	case tcp.Established:
		if signs.Has(SignUnaccepted) {
			return NeverAccepted, signs // there is nobody yet who could be idle
		}
		return Idle, signs
	case tcp.SynSent, tcp.SynRecv, tcp.FinWait1, tcp.Closing, tcp.LastAck:
		return Unanswered, signs
	}
	return CauseNone, signs
}

func causeOfCloseWait(signs Signs) Cause {
	switch {
	case signs.Has(SignUnaccepted):
		return NeverAccepted
	case signs.Has(SignSeveralHolders):
		return Inherited
	case signs.Has(SignSendQueue):
		return Sending
	case signs.Has(SignUnreadData):
		return UnreadData
	case signs.Has(SignUnreadFin):
		return UnreadFin
	}
	return NotClosed
}

// heldBySeveral says whether the holders are different processes; they are ordered by process.
func heldBySeveral(s *tcp.Socket) bool {
	n := len(s.Holders)
	return n > 1 && s.Holders[0].PID != s.Holders[n-1].PID
}

// hasFin says whether the FIN that takes one place in the receive queue has come.
func hasFin(s *tcp.Socket) bool { return s.State == tcp.CloseWait }

// unread returns how much payload was not read.
func unread(s *tcp.Socket) uint32 {
	if s.State == tcp.Listen || s.RecvQ == 0 {
		return 0
	}
	if hasFin(s) {
		return s.RecvQ - 1
	}
	return s.RecvQ
}

func isRetransmitting(s *tcp.Socket) bool {
	return s.Timer.Kind == tcp.TimerRetransmit && s.Timer.Retries > 0
}
