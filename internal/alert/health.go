package alert

import "time"

// Health is how a sink does.
type Health struct {
	Sink  string    // its name
	Since time.Time // the first failure after the last success; the zero time if the last attempt succeeded
	Err   string    // the last failure, in printable characters; it stays when the sink recovers

	Pending   int    // alerts that it has yet to hear
	Delivered uint64 // alerts
	Refused   uint64 // alerts that it will never take, by its own account
	Dropped   uint64 // alerts for which there was no room, that nobody waits for any more, or that came after Close
	Coalesced uint64 // alerts that were not told because a newer one about the same finding made them obsolete
}

// Failing says whether the last attempt failed.
func (h *Health) Failing() bool { return !h.Since.IsZero() }

// Change is what there is to say about the health of a sink.
type Change uint8

// The changes.
const (
	Began     Change = iota + 1 // to fail: see Health.Err
	Recovered                   // after Began was told
	Losing                      // Health.Dropped has grown
)

var changeNames = [...]string{"", "began to fail", "recovered", "loses alerts"}

// String returns a few words; "" for a number that is no change.
func (c Change) String() string {
	if int(c) >= len(changeNames) {
		return ""
	}
	return changeNames[c]
}

// tellEvery is how often a sink that fails and recovers all the time is told of at most.
const tellEvery = time.Minute

// news decides what is told about a sink, so that one that is down for the night is told of twice.
type news struct {
	told        bool // that it fails
	toldAt      time.Time
	dropped     uint64 // of which was told
	toldDropped time.Time
}

// changes returns what to tell now.
func (n *news) changes(h *Health, now time.Time) []Change {
	var changes []Change
	switch {
	case h.Failing() && !n.told && isDue(n.toldAt, now):
		n.told, n.toldAt = true, now
		changes = append(changes, Began)
	case !h.Failing() && n.told:
		n.told = false
		changes = append(changes, Recovered)
	}
	if h.Dropped > n.dropped && isDue(n.toldDropped, now) {
		n.dropped, n.toldDropped = h.Dropped, now
		changes = append(changes, Losing)
	}
	return changes
}

func isDue(told, now time.Time) bool { return told.IsZero() || now.Sub(told) >= tellEvery }
