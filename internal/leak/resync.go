package leak

import (
	"slices"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Resynced is by how much a snapshot differed from what the events had told.
type Resynced struct {
	Added   int // sockets that were not known to be in their condition
	Removed int // sockets that were thought to be; candidates for zombies are not counted
	Dropped int // candidates for zombies that turned out to be gone
}

// imprecision is how far off the bounds of an age may be: two ticks of the coarsest clock of a kernel, HZ=100.
const imprecision = 20 * time.Millisecond

// Seed takes in the sockets that were there before the events. The snapshot, of all states of Limits.Snapshot, must have
// been begun after the events; now is the time right after it was taken.
func (w *Watcher) Seed(s *tcp.Snapshot, now int64) Resynced { return w.Resync(s, now) }

// Resync brings the sockets watched up to date after events were lost, and says what was wrong. Of a socket of which an
// event is younger than the begin of the snapshot, the event is believed. Now is the time right after the snapshot was
// taken: the events until its begin should have been observed, and if not, a wrong clock is found out at the next look.
func (w *Watcher) Resync(s *tcp.Snapshot, now int64) Resynced {
	began := now - int64(s.Took)
	w.look++
	w.blind = false
	w.asOf, w.looked = began, now
	for c := range w.unkept { // those refused now are to stay
		w.unkept[c].resolve(began)
	}
	var r Resynced
	for i := range s.Sockets {
		w.compare(&s.Sockets[i], began, now, &r)
	}
	for block := range w.pool.blocks {
		for i := range w.pool.blocks[block] {
			w.sweep(uint32(block)<<blockBits|uint32(i), s, began, &r)
		}
	}
	return r
}

// compare makes the slot of a socket agree with the snapshot.
func (w *Watcher) compare(s *tcp.Socket, began, now int64, r *Resynced) {
	if s.Kind == tcp.Minisock || s.Cookie == 0 { // a minisock shares its cookie with the full socket that it came from
		return
	}
	c := conditionOf(s)
	if _, ok := w.limits.Of(c); !ok {
		c = 0
	}
	place := w.index.find(s.Cookie, &w.pool)
	if place == nowhere {
		if c != 0 && !w.left.since(s.Cookie, began) {
			r.Added++
			w.begin(nowhere, w.seeded(s, c, now))
		}
		return
	}
	slot := w.pool.at(place)
	switch {
	case slot.flags&isLive != 0 && slot.entered >= began:
		slot.look = w.look
		if slot.condition == c {
			w.tighten(place, s, now)
		}
	case c == 0: // swept
	case slot.condition != c || isReentry(slot, s, began):
		r.Added++
		r.Removed++
		w.begin(place, w.seeded(s, c, now))
	default:
		slot.look = w.look
		w.tighten(place, s, now)
	}
}

// seeded is a slot of which no event is known.
func (w *Watcher) seeded(s *tcp.Socket, c Condition, now int64) slot {
	slot := slot{cookie: s.Cookie, netns: s.NetNS, condition: c, look: w.look, entered: enteredBy(s, now)}
	if s.Age.Exact() {
		slot.flags = isExact
	}
	return slot
}

// enteredBy returns the latest time at which a socket can have entered its state.
func enteredBy(s *tcp.Socket, now int64) int64 {
	if !s.Age.Known() {
		return now
	}
	return seen(s, now) - int64(s.Age.AtLeast)
}

// seen returns when the socket was looked at, in a look that was over at time now.
func seen(s *tcp.Socket, now int64) int64 {
	if s.Seen != 0 {
		return s.Seen
	}
	return now
}

// isReentry says whether the socket came into its condition anew since: the same socket may be connected several times.
func isReentry(slot *slot, s *tcp.Socket, began int64) bool {
	return s.Age.Known() && s.Age.AtMost >= 0 && began-int64(s.Age.AtMost+imprecision) > slot.entered
}

// tighten moves a bound to where the snapshot proves it. An exact age is one of some moment within the snapshot, so it is
// a bound, too, and each snapshot brings it closer.
func (w *Watcher) tighten(place uint32, s *tcp.Socket, now int64) {
	slot := w.pool.at(place)
	entered := enteredBy(s, now)
	if slot.flags&(isExact|isLive) == isExact|isLive || entered >= slot.entered {
		return
	}
	w.queues.drop(place)
	slot.deadline += entered - slot.entered
	slot.entered = entered
	slot.flags &^= isLive
	if s.Age.Exact() {
		slot.flags |= isExact
	}
	w.queues.push(place)
}

// sweep forgets a socket that the snapshot ought to have and has not.
func (w *Watcher) sweep(place uint32, s *tcp.Snapshot, began int64, r *Resynced) {
	slot := w.pool.at(place)
	switch {
	case slot.cookie == 0 || slot.look == w.look || !covers(s, slot.netns):
		return
	case slot.flags&isLive != 0 && slot.entered >= began, slot.isBeyond(&s.Horizon):
		return
	case slot.condition == Zombie && slot.flags&isLooked == 0:
		r.Dropped++
	default:
		r.Removed++
	}
	w.leave(place)
}

// covers says whether the snapshot looked at a namespace. One that does not say has looked at all.
func covers(s *tcp.Snapshot, netns uint32) bool {
	if len(s.NetNS) == 0 {
		return true
	}
	_, found := slices.BinarySearch(s.NetNS, netns)
	return found
}
