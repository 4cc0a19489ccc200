package leak

import (
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// WatchOptions say what to watch.
type WatchOptions struct {
	Limits Limits
	// MaxWatched is for how many sockets a Watcher keeps a clock; 0 is DefaultMaxWatched. Those beyond are found by looks
	// that come as early as the first of them could be due, and their age is what the snapshot knows.
	MaxWatched int
}

// DefaultMaxWatched takes some 90 MB when it is reached.
const DefaultMaxWatched = 1 << 20

// Watcher knows which sockets are in a condition that has a limit, and since when. It costs 72 to 88 bytes a socket, and
// nothing for sockets that are in no such condition.
//
// Zombies are a special case. Nearly every socket that goes to CLOSE is destroyed at once, of which there is no event, so
// those that may be held are only candidates. Where the end was orderly, in all likelihood by close(), even a candidate's
// slot is too much: it is enough to know when the first of them went. The look when that one would be due finds
// all that are held, those that are not due yet included, and so one look per limit finds every zombie on time.
type Watcher struct {
	limits Limits
	most   int
	pool   pool
	index  index
	queues queues
	unkept [conditions]unkept // what might be stuck and has no slot
	left   departures
	gone   int    // were past their limit at the last look, and have left since
	look   uint32 // number of the last one
	asOf   int64  // its begin
	looked int64  // its end
	before int64  // the end of the last report's
	blind  bool   // the next look has to see all
	stats  WatchStats
}

// WatchStats is what a Watcher has done so far.
type WatchStats struct {
	Watched  int    // sockets with a clock, now; candidates for zombies among them
	Refused  uint64 // sockets without a clock, because MaxWatched was reached
	Nameless uint64 // events without a cookie, which could not be used
	Stale    uint64 // events that came after younger ones of the same socket, and were not needed any more
}

// unkept are sockets that might be stuck of which no more is known than when the first and the last came.
type unkept struct {
	n           int
	first, last int64
}

// NewWatcher returns a Watcher that knows no socket yet.
func NewWatcher(o WatchOptions) *Watcher {
	w := &Watcher{limits: o.Limits, most: o.MaxWatched, pool: newPool(), index: newIndex()}
	if w.most <= 0 {
		w.most = DefaultMaxWatched
	}
	w.queues = newQueues(&w.pool)
	return w
}

// Stats returns what it has done so far.
func (w *Watcher) Stats() WatchStats {
	s := w.stats
	s.Watched = w.pool.used
	return s
}

// Observe follows an event, which it does not keep. Events come in the order of their time but for those that are Late.
// It allocates only to watch more sockets at a time than ever before.
func (w *Watcher) Observe(e *tcp.Event) {
	if e.Cookie == 0 {
		w.stats.Nameless++
		return
	}
	place := w.index.find(e.Cookie, &w.pool)
	c := w.conditionAfter(e)
	if e.Old != e.New || isCloseAgain(e) {
		w.noteDeparture(e)
	}
	if place == nowhere {
		if c != 0 && !isCloseAgain(e) {
			w.enter(nowhere, c, e)
		}
		return
	}
	switch s := w.pool.at(place); {
	case !w.isNews(e, s):
		w.refine(place, c, e)
	case e.Old == e.New && !isCloseAgain(e) && s.condition == c:
		// close() after shutdown(): the state goes on, and so does its clock.
	case c == 0 || isCloseAgain(e):
		w.leave(place)
	default:
		w.enter(place, c, e)
	}
}

func (w *Watcher) noteDeparture(e *tcp.Event) {
	if _, ok := w.limits.Of(conditionIn(e.Old)); ok {
		w.left.note(e.Cookie, e.Mono)
	}
}

// isCloseAgain says whether the event is a close() of a socket in FIN_WAIT2: from then on it is an orphan, which the
// kernel ends. Nothing else sets that state anew (net/ipv4/tcp.c: tcp_shutdown() leaves the state alone there).
func isCloseAgain(e *tcp.Event) bool { return e.Old == tcp.FinWait2 && e.New == tcp.FinWait2 }

// isNews says whether the event is younger than what the slot knows.
func (w *Watcher) isNews(e *tcp.Event, s *slot) bool {
	if s.flags&isLive != 0 {
		return e.Mono >= s.entered
	}
	return e.Mono >= w.asOf
}

// refine takes from an event that is older than what is known of its socket the time at which it entered its condition,
// if it tells that.
func (w *Watcher) refine(place uint32, c Condition, e *tcp.Event) {
	s := w.pool.at(place)
	if s.flags&isExact != 0 || s.condition != c || e.Old == e.New {
		w.stats.Stale++
		return
	}
	w.queues.drop(place)
	s.deadline += e.Mono - s.entered
	s.entered = e.Mono
	s.flags |= isLive | isExact
	w.queues.push(place)
}

// conditionAfter returns the condition with a limit that the event begins, or 0.
func (w *Watcher) conditionAfter(e *tcp.Event) Condition {
	c := conditionIn(e.New)
	if _, ok := w.limits.Of(c); !ok {
		return 0
	}
	if c == Zombie {
		switch p := likelihood(e); {
		case p == never:
			return 0
		case p == unlikely || w.pool.used >= w.most/2: // mere candidates are not to keep others out
			w.unkept[Zombie].add(e.Mono)
			return 0
		}
	}
	return c
}

// prospect is how likely a socket that went to CLOSE is still held.
type prospect uint8

const (
	never    prospect = iota // there was no connection, or the process itself ended it, or there is none
	unlikely                 // an orderly end, as after close(); but shutdown() may lead there, too
	likely                   // the network ended it: the process may not know yet
)

// likelihood: DESIGN, "Why a socket is stuck", zombie; what proves each reason is in bpf/reason.h.
func likelihood(e *tcp.Event) prospect {
	switch e.Old {
	case tcp.Close, tcp.Listen, tcp.SynSent, tcp.SynRecv, tcp.NewSynRecv:
		return never
	}
	switch e.Reason {
	case tcp.ReasonAbortUnread, tcp.ReasonProcessExit, tcp.ReasonAbandoned, tcp.ReasonListenerClosed:
		return never
	}
	switch {
	case e.Next == tcp.FinWait2:
		return never
	case e.Old != tcp.Established && e.Old != tcp.CloseWait, e.Reason == tcp.ReasonResetSent:
		return unlikely
	}
	return likely
}

// enter starts the clock of a condition, of a socket that has a slot or, with nowhere, is to get one.
func (w *Watcher) enter(place uint32, c Condition, e *tcp.Event) {
	flags := isLive | isExact
	if e.Old == e.New { // an earlier transition was missed: it has been there for longer
		flags = isLive
	}
	w.begin(place, slot{cookie: e.Cookie, netns: e.NetNS, condition: c, entered: e.Mono, flags: flags, look: w.look})
}

// begin puts s at a place, or at a new one, and queues it. Its deadline is that of the first level.
func (w *Watcher) begin(place uint32, s slot) {
	s.deadline = s.entered + int64(w.limits.of[s.condition].Warn)
	if place == nowhere {
		if w.pool.used >= w.most {
			w.stats.Refused++
			w.unkept[s.condition].add(w.refusedAt(&s))
			return
		}
		place = w.pool.take()
		w.index.insert(s.cookie, place)
	} else {
		w.queues.drop(place)
		w.forget(w.pool.at(place))
	}
	*w.pool.at(place) = s
	w.queues.push(place)
}

// refusedAt returns from when on a socket without a slot may be due: if it was at the last look, the next is a limit later.
func (w *Watcher) refusedAt(s *slot) int64 {
	if s.deadline <= w.looked {
		return w.looked
	}
	return s.entered
}

// leave ends the clock of a socket.
func (w *Watcher) leave(place uint32) {
	s := w.pool.at(place)
	w.queues.drop(place)
	w.forget(s)
	w.index.remove(s.cookie, place)
	w.pool.put(place)
}

// forget notes that a socket that may be in a finding is not stuck any more.
func (w *Watcher) forget(s *slot) {
	if s.level > None {
		w.gone++
	}
}

func (u *unkept) add(at int64) {
	if u.n == 0 || at < u.first {
		u.first = at
	}
	u.last = max(u.last, at)
	u.n++
}

// resolve forgets what a look that began at a time has had the chance to find.
func (u *unkept) resolve(began int64) {
	if u.last < began {
		*u = unkept{}
		return
	}
	u.first = max(u.first, began)
}

// Due says whether a snapshot is needed at time now: how many sockets give reason to, and when to ask again, which may be
// earlier if events come. They are those that have passed a limit since the last look, or might have, and those past a
// limit then that have left since. They are counted until a look; next is about the others.
//
// Whoever is in no hurry to tell what is over can wait with a look for those alone: see Gone.
func (w *Watcher) Due(now int64) (n int, next int64) {
	next = w.queues.collect(now)
	n = w.queues.waiting.n + w.gone
	for c := range w.unkept {
		u := &w.unkept[c]
		switch due := u.first + int64(w.limits.of[c].Warn); {
		case u.n == 0:
		case due <= now:
			n += u.n
		default:
			next = min(next, due)
		}
	}
	return n, next
}

// Gone returns how many of those that are due were past a limit at the last look and have left since.
func (w *Watcher) Gone() int { return w.gone }
