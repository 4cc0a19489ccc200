// Package tcp holds the words of the domain: states, transitions, owners and why connections end. It imports the
// standard library alone; every other package may import it.
package tcp

import (
	"fmt"
	"strings"
)

// State is a TCP state of the kernel (include/net/tcp_states.h). The zero value is no state.
type State uint8

// The states, with the kernel's numbers.
const (
	Established State = 1  // TCP_ESTABLISHED
	SynSent     State = 2  // TCP_SYN_SENT
	SynRecv     State = 3  // TCP_SYN_RECV
	FinWait1    State = 4  // TCP_FIN_WAIT1
	FinWait2    State = 5  // TCP_FIN_WAIT2
	TimeWait    State = 6  // TCP_TIME_WAIT
	Close       State = 7  // TCP_CLOSE
	CloseWait   State = 8  // TCP_CLOSE_WAIT
	LastAck     State = 9  // TCP_LAST_ACK
	Listen      State = 10 // TCP_LISTEN
	Closing     State = 11 // TCP_CLOSING
	NewSynRecv  State = 12 // TCP_NEW_SYN_RECV
)

// States is how many states there are; they are numbered from 1.
const States = 12

var stateNames = [States + 1]string{
	"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK",
	"LISTEN", "CLOSING", "NEW_SYN_RECV",
}

// String returns the kernel's spelling without the prefix, as CLOSE_WAIT; for a number that is no state, UNKNOWN.
func (s State) String() string {
	if s == 0 || int(s) >= len(stateNames) {
		return "UNKNOWN"
	}
	return stateNames[s]
}

// Valid says whether s is one of the kernel's states.
func (s State) Valid() bool { return s >= Established && s <= NewSynRecv }

// StateSet is a set of states, bit n for state n.
type StateSet uint16

// SetOf returns the set of the given states.
func SetOf(states ...State) StateSet {
	var set StateSet
	for _, s := range states {
		set |= 1 << s
	}
	return set
}

// Has says whether s is in the set.
func (set StateSet) Has(s State) bool { return set>>s&1 == 1 }

// ss's groups (iproute2, misc/ss.c), so that fingers need not learn.
var (
	allStates    = SetOf(Established, SynSent, SynRecv, FinWait1, FinWait2, TimeWait, Close, CloseWait, LastAck, Listen, Closing, NewSynRecv)
	bucketStates = SetOf(SynRecv, TimeWait, NewSynRecv)
	connected    = allStates &^ SetOf(Close, Listen)
)

// stateWords has the words that name a state or a group, folded: lower case without '-' and '_'.
var stateWords = map[string]StateSet{
	"all":          allStates,
	"bucket":       bucketStates,
	"big":          allStates &^ bucketStates,
	"connected":    connected,
	"synchronized": connected &^ SetOf(SynSent),
	"closed":       SetOf(Close),
	"unconnected":  SetOf(Close),
	"listening":    SetOf(Listen),
	"unconn":       SetOf(Close),       // as ss prints it
	"estab":        SetOf(Established), // as ss prints it
	"synrcv":       SetOf(SynRecv),     // ss
	"synreceived":  SetOf(SynRecv),     // RFC 9293, section 3.3.2
	"synrcvd":      SetOf(SynRecv),     // its figure 5, BSD
}

// ParseStates returns the states that word names: one state in any spelling that people use (CLOSE_WAIT, close-wait,
// closewait, TCP_CLOSE_WAIT, fin-wait-2) or one of ss's groups (all, connected, synchronized, bucket, big).
func ParseStates(word string) (StateSet, error) {
	folded := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(word))
	if set, ok := stateWords[folded]; ok {
		return set, nil
	}
	folded = strings.TrimPrefix(folded, "tcp")
	for s := Established; s <= NewSynRecv; s++ {
		if folded == strings.ReplaceAll(strings.ToLower(s.String()), "_", "") {
			return SetOf(s), nil
		}
	}
	return 0, fmt.Errorf("unknown state %q: use one of %s, or a group: all, connected, synchronized, bucket, big",
		word, strings.Join(stateNames[1:], ", "))
}
