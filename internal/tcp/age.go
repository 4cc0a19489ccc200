package tcp

import "time"

// Age is how long a socket has been in its state: what is known of it, and how. The zero value says that nothing is.
type Age struct {
	Source  AgeSource
	AtLeast time.Duration // meaningless without a Source; 0 when only AtMost is known
	AtMost  time.Duration // Unknown when there is no upper bound; equal to AtLeast when the age is exact
}

// AgeSource is where an age comes from.
type AgeSource uint8

// The sources. Only the first two are exact by nature; the others are bounds that follow from what the kernel notes of a
// connection.
const (
	AgeUnknown  AgeSource = iota
	AgeTraced             // a tracer saw the transition
	AgeKernel             // the kernel keeps the very time: a SYN, a SYN-ACK or a minisock's birth
	AgeLastAck            // at least the time since the last ACK came, at most that since the last data
	AgeLastData           // at least the time since data last went or came
	AgeTimer              // from what is left of the timer that began with the state
)

var ageSourceNames = [...]string{"", "traced", "kernel", "last_ack", "last_data", "timer"}

// String returns the name used in JSON; "" for AgeUnknown and for a number that is no source.
func (s AgeSource) String() string {
	if int(s) >= len(ageSourceNames) {
		return ""
	}
	return ageSourceNames[s]
}

// ExactAge returns an age that is known.
func ExactAge(source AgeSource, d time.Duration) Age {
	return Age{Source: source, AtLeast: d, AtMost: d}
}

// Known says whether there is any bound at all.
func (a Age) Known() bool { return a.Source != AgeUnknown }

// Exact says whether the age is known and no mere bound.
func (a Age) Exact() bool { return a.Known() && a.AtLeast == a.AtMost }
