package census

import "github.com/tcptrail/tcptrail/internal/tcp"

// Reconciler keeps gauges honest. Each count of the kernel's own tables that it is shown must agree with the flow read
// before and after it; where it does not, something was missed, and the gauges are moved. The zero value is ready. It
// belongs to one goroutine.
//
// A count takes time, and sockets move meanwhile, so it is held against bounds and not against a number. For a state s,
// between a reading A that ended before the count began and a reading B that began after it ended:
//
//   - whoever was counted in s was there at A or came into s since: count <= gauge(A) + in(A..B);
//   - whoever was in s at A and was not counted there left s first: count >= gauge(A) - out(A..B).
//
// That holds however the count and the transitions interleave, if each socket that was there all the time is counted once.
// It holds for readings that were taken while counters ran, too: an event that A has not, although it happened before A
// ended, is in B, so that it widens the bounds by as much as A is wrong.
//
// The kernel is less tidy than that in three ways, each worth a drift of one that comes back with the opposite sign at
// the next check. A transition that was missed is made up for by the programs at the socket's next one. A socket is in a
// state a moment before it is in the tables (connect() and listen() look for a port meanwhile), and out of the tables a
// moment before it is in CLOSE. And before Linux 6.17 a count under load may skip a socket or have it twice.
type Reconciler struct {
	// Unseen are states in which a count may miss sockets that the flow knows of: fewer than expected is no drift there.
	Unseen tcp.StateSet

	correction [tcp.States + 1]int64
	drift      uint64
}

// Compare returns by how much each state of a count of full sockets is out of its bounds, the correction so far
// included: 0 within, positive when there are more sockets than the flow explains. It changes nothing, so a drift may be
// confirmed by a second count before Check acts on it. CLOSE is always 0: the kernel's tables do not have it.
func (r *Reconciler) Compare(before, after *Flow, counted [tcp.States + 1]uint64) [tcp.States + 1]int64 {
	interval := after.Sub(before)
	var drift [tcp.States + 1]int64
	for i, gauge := range before.Gauge() {
		s := tcp.State(i)
		if s == tcp.Close {
			continue
		}
		expected := gauge + r.correction[s]
		drift[s] = distance(int64(counted[s]), expected-int64(interval.Out(s)), expected+int64(interval.In(s)))
		if r.Unseen.Has(s) {
			drift[s] = max(drift[s], 0)
		}
	}
	return drift
}

// distance returns how far n is above most, or, negative, below least.
func distance(n, least, most int64) int64 {
	switch {
	case n < least:
		return n - least
	case n > most:
		return n - most
	}
	return 0
}

// Check is Compare, and then moves the gauges by the drift, so that they agree with the count, and adds it to Drift.
func (r *Reconciler) Check(before, after *Flow, counted [tcp.States + 1]uint64) [tcp.States + 1]int64 {
	drift := r.Compare(before, after, counted)
	for s, d := range drift {
		r.correction[s] += d
		r.drift += uint64(max(d, -d))
	}
	return drift
}

// Drift returns by how many sockets the gauges had to be moved so far, in either direction, over all states. A missed
// transition counts twice: its socket is missing in one state and one too many in the other.
func (r *Reconciler) Drift() uint64 { return r.drift }

// Gauge returns how many full sockets are in each state, corrected and never negative. Its CLOSE, which no count
// confirms, is those that the tracer knows of: zombies, and descriptors between two connections.
func (r *Reconciler) Gauge(f *Flow) [tcp.States + 1]uint64 {
	var corrected [tcp.States + 1]uint64
	for s, n := range f.Gauge() {
		corrected[s] = uint64(max(n+r.correction[s], 0))
	}
	return corrected
}
