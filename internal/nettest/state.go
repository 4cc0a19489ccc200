package nettest

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// State is a TCP state with the kernel's number (include/net/tcp_states.h). Zero stands for "no such socket".
type State uint8

// The states.
const (
	Gone        State = 0
	Established State = unix.BPF_TCP_ESTABLISHED
	SynSent     State = unix.BPF_TCP_SYN_SENT
	SynRecv     State = unix.BPF_TCP_SYN_RECV // sock_diag calls request sockets so, too
	FinWait1    State = unix.BPF_TCP_FIN_WAIT1
	FinWait2    State = unix.BPF_TCP_FIN_WAIT2
	TimeWait    State = unix.BPF_TCP_TIME_WAIT
	Close       State = unix.BPF_TCP_CLOSE
	CloseWait   State = unix.BPF_TCP_CLOSE_WAIT
	LastAck     State = unix.BPF_TCP_LAST_ACK
	Listening   State = unix.BPF_TCP_LISTEN
	Closing     State = unix.BPF_TCP_CLOSING
	NewSynRecv  State = unix.BPF_TCP_NEW_SYN_RECV
)

// String returns the kernel's spelling without the prefix, as CLOSE_WAIT; GONE for zero.
func (s State) String() string {
	names := [...]string{
		"GONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
		"LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
	}
	if int(s) >= len(names) {
		return fmt.Sprintf("state %d", uint8(s))
	}
	return names[s]
}
