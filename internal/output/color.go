package output

import "github.com/tcptrail/tcptrail/internal/tcp"

// The sequences of ECMA-48 that are written, and no others. They go around our own words only.
const (
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// stateColor returns the color of a state: green for a connection that works, yellow where one waits for a close() that
// may never come.
func stateColor(s tcp.State) string {
	switch s {
	case tcp.Established:
		return green
	case tcp.CloseWait, tcp.FinWait2:
		return yellow
	}
	return ""
}

// reasonColor returns red for an end that was not orderly.
func reasonColor(r tcp.Reason) string {
	switch r {
	case tcp.ReasonResetReceived, tcp.ReasonResetSent, tcp.ReasonAbortUnread, tcp.ReasonTimeout, tcp.ReasonRefused,
		tcp.ReasonUnreachable, tcp.ReasonKilled:
		return red
	}
	return ""
}

// painter colors, or does not.
type painter bool

// paint appends text in a color; "" is none.
func (p painter) paint(b []byte, color, text string) []byte {
	if !p || color == "" {
		return append(b, text...)
	}
	b = append(append(b, color...), text...)
	return append(b, plain...)
}
