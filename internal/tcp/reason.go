package tcp

// Reason is why a socket went to CLOSE. The numbers are those of enum reason in bpf/record.h; bpf/reason.h says which
// kernel field or tracepoint proves each.
type Reason uint8

// The reasons.
const (
	ReasonNone           Reason = iota // not at its end, or unknown
	ReasonFinLocal                     // orderly, our FIN went first
	ReasonFinRemote                    // orderly, the peer's FIN came first
	ReasonResetReceived                // the peer sent RST
	ReasonResetSent                    // we sent RST: SO_LINGER 0, connect(AF_UNSPEC), data for a closed socket
	ReasonAbortUnread                  // close() with data unread, which sends RST
	ReasonTimeout                      // no answer to retransmissions, probes or keepalives
	ReasonRefused                      // the SYN was answered with RST or port unreachable
	ReasonUnreachable                  // ICMP said that there is no way
	ReasonProcessExit                  // its process ended without closing it
	ReasonKilled                       // ss -K or bpf_sock_destroy()
	ReasonAbandoned                    // its holder closed it before the handshake was over
	ReasonListenerClosed               // a listener was closed, or one that it waited on for accept()
)

var reasonNames = [...]string{
	"", "fin_local", "fin_remote", "reset_received", "reset_sent", "abort_unread", "timeout", "refused", "unreachable",
	"process_exit", "killed", "abandoned", "listener_closed",
}

var reasonPhrases = [...]string{
	"", "FIN by us", "FIN by peer", "reset received", "reset sent", "reset: unread data", "timed out", "refused",
	"unreachable", "process exit", "killed", "abandoned", "listener closed",
}

// String returns the name used in JSON, as "fin_local"; "" for ReasonNone and for a number that is no reason.
func (r Reason) String() string {
	if int(r) >= len(reasonNames) {
		return ""
	}
	return reasonNames[r]
}

// Phrase returns the reason for human eyes, as "FIN by us"; "" for ReasonNone.
func (r Reason) Phrase() string {
	if int(r) >= len(reasonPhrases) {
		return ""
	}
	return reasonPhrases[r]
}
