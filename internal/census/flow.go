package census

import "github.com/tcptrail/tcptrail/internal/tcp"

// Flow is what the kernel's programs counted of full sockets since they were attached. Each counter only grows, and each
// is incremented by an event of its own.
//
// It may be read while it is counted: a reading then has some of the events that happen meanwhile, and not others. All
// that happened before it began is in it, and nothing that happened after it ended.
type Flow struct {
	// Transitions counts by old and new state. LISTEN to SYN_RECV is the birth of a child: the listener stays.
	Transitions [tcp.States + 1][tcp.States + 1]uint64
	// Adopted counts sockets that are older than the tracer, by the state in which it came to know them: from the walk at
	// the start, or from their first transition, then by the old state and before that transition.
	Adopted [tcp.States + 1]uint64
	// Gone counts the ends of sockets, by their last state: Close, unless something was missed.
	Gone [tcp.States + 1]uint64
}

// In returns how many sockets came into state s: from another one, by birth or by adoption.
func (f *Flow) In(s tcp.State) uint64 {
	n := f.Adopted[s]
	for old := range f.Transitions {
		if tcp.State(old) != s { // else close() after shutdown(): the socket stays where it is
			n += f.Transitions[old][s]
		}
	}
	return n
}

// Out returns how many sockets left state s: for another one, or for good. Listeners do not leave by giving birth.
func (f *Flow) Out(s tcp.State) uint64 {
	n := f.Gone[s]
	for now := range f.Transitions[s] {
		if tcp.State(now) != s && !isBirth(s, tcp.State(now)) {
			n += f.Transitions[s][now]
		}
	}
	return n
}

func isBirth(old, now tcp.State) bool { return old == tcp.Listen && now == tcp.SynRecv }

// Gauge returns how many sockets are in each state, by what was counted. One may be negative: for a moment when the flow
// was read while it was counted, for good when something was missed.
func (f *Flow) Gauge() [tcp.States + 1]int64 {
	var gauge [tcp.States + 1]int64
	for s := range gauge {
		gauge[s] = int64(f.In(tcp.State(s)) - f.Out(tcp.State(s)))
	}
	return gauge
}

// Sub returns what was counted after earlier, an older reading of the same counters.
func (f *Flow) Sub(earlier *Flow) Flow {
	interval := *f
	for old := range interval.Transitions {
		for now := range interval.Transitions[old] {
			interval.Transitions[old][now] -= earlier.Transitions[old][now]
		}
		interval.Adopted[old] -= earlier.Adopted[old]
		interval.Gone[old] -= earlier.Gone[old]
	}
	return interval
}
