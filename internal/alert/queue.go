package alert

import (
	"container/list"
	"slices"
	"time"
)

// The bounds of a sink's queue.
const (
	// MaxFindings is how many findings a sink is told about at a time: 16 times what one report has. What is beyond is
	// dropped, and counted.
	MaxFindings = 16 << 10
	// MaxHistory is how many alerts that newer ones have made obsolete wait for a log.
	MaxHistory = 4 << 10
	// maxBytes is about how much memory may wait for a sink: obsolete alerts give way, then those that say that a finding
	// is over, then findings that are new to the sink. A finding that it knows is never given up for it.
	maxBytes = 64 << 20
	// maxOverAge is how long a sink is tried to be told that a finding is over. Nobody waits for it a day later.
	maxOverAge = 24 * time.Hour
)

// queue is what waits for one sink. It is not safe for concurrent use.
type queue struct {
	traits     Traits
	findings   map[string]*finding
	order      list.List // of *item, the next one first
	superseded list.List // of *item in order that a newer one has made obsolete
	over       list.List // of *item in order that are newest, and say that a finding is over
	flying     int       // items in flight, without refreshing ones
	bytes      int
	limits     limits

	coalesced, dropped uint64
}

type limits struct{ findings, history, bytes int }

// finding is what a sink knows of a finding, or does not know yet.
type finding struct {
	newest   *item // of those that wait
	waiting  int   // items, without those in flight
	inFlight bool
	heard    bool   // that it is true, or may have; a log is told all, and need not be kept in mind
	last     *Alert // that it heard, for Traits.Refresh
}

// item is an alert that waits.
type item struct {
	alert    Alert
	finding  *finding
	key      string // see Delivery; "" until the first attempt
	queued   time.Time
	due      time.Time // not to be tried again before
	attempts int
	refresh  bool // the sink knows it already
	flushed  bool // has had its last attempt
	place    *list.Element
	spare    *list.Element // in superseded or over
	spares   *list.List    // which of them
}

func newQueue(t Traits) *queue {
	t.Lanes, t.Batch = max(t.Lanes, 1), max(t.Batch, 1)
	if t.Timeout <= 0 {
		t.Timeout = DefaultTimeout
	}
	q := &queue{traits: t, findings: map[string]*finding{}, limits: limits{MaxFindings, 0, maxBytes}}
	if t.Log {
		q.limits.history = MaxHistory
	}
	return q
}

// add takes in an alert.
func (q *queue) add(a *Alert, now time.Time) {
	f := q.findings[a.ID]
	if f == nil {
		if a.Status.IsOver() && !q.traits.Log {
			q.coalesced++
			return
		}
		f = &finding{}
		q.findings[a.ID] = f
	}
	known := f.newest != nil || f.inFlight || f.heard
	switch {
	case f.newest == nil:
		q.push(&item{alert: *a, finding: f, queued: now})
	case q.traits.Log:
		older := f.newest
		q.push(&item{alert: *a, finding: f, queued: now})
		q.spare(older, &q.superseded)
	default:
		q.replace(f.newest, a, now)
	}
	q.shrink(f, known)
}

// push puts an item at the end, as its finding's newest.
func (q *queue) push(it *item) {
	it.place = q.order.PushBack(it)
	it.finding.newest = it
	it.finding.waiting++
	q.bytes += it.alert.size()
	if it.alert.Status.IsOver() {
		q.spare(it, &q.over)
	}
}

// replace puts an alert into the place of one that nobody has heard.
func (q *queue) replace(it *item, a *Alert, now time.Time) {
	if !it.refresh {
		q.coalesced++
	}
	if staysNews(it.alert.Status, a.Status) {
		return
	}
	q.bytes += a.size() - it.alert.size()
	q.unspare(it)
	*it = item{alert: *a, finding: it.finding, queued: now, place: it.place}
	switch f := it.finding; {
	case !a.Status.IsOver():
	case f.heard || f.inFlight:
		q.spare(it, &q.over)
	default:
		q.coalesced++
		q.remove(it)
	}
}

// staysNews says whether an alert that was not heard is to be told although there is a newer one: that a finding has
// become worse is news, and that it goes on is not.
func staysNews(unheard, next Status) bool { return unheard == Escalated && next == Firing }

// update brings what waits, or is to be told again, up to date.
func (q *queue) update(a *Alert) {
	f := q.findings[a.ID]
	if f == nil || q.traits.Log || a.Status != Firing {
		return
	}
	switch it := f.newest; {
	case it == nil && f.last != nil:
		known := *a
		f.last = &known
	case it != nil && it.alert.Status == Firing:
		q.bytes += a.size() - it.alert.size()
		it.alert, it.key = *a, ""
	}
}

// spare notes in which list of what can be done without an item is.
func (q *queue) spare(it *item, l *list.List) {
	q.unspare(it)
	it.spares, it.spare = l, l.PushBack(it)
}

func (q *queue) unspare(it *item) {
	if it.spare != nil {
		it.spares.Remove(it.spare)
		it.spare, it.spares = nil, nil
	}
}

// detach takes an item out of the lists.
func (q *queue) detach(it *item) {
	q.order.Remove(it.place)
	it.place = nil
	q.unspare(it)
	q.bytes -= it.alert.size()
	f := it.finding
	f.waiting--
	if f.newest == it {
		f.newest = nil
	}
}

// remove forgets an item, and its finding if there is nothing else to know of it.
func (q *queue) remove(it *item) {
	q.detach(it)
	q.forget(it.alert.ID, it.finding)
}

func (q *queue) forget(id string, f *finding) {
	if f.waiting == 0 && !f.inFlight && !f.heard {
		delete(q.findings, id)
	}
}

// drop gives an item up.
func (q *queue) drop(it *item) {
	q.dropped++
	if it.alert.Status.IsOver() {
		it.finding.heard, it.finding.last = false, nil
	}
	q.remove(it)
}

// shrink makes room after an alert about f was added. A finding that was not known is given up if there is no other way.
func (q *queue) shrink(f *finding, known bool) {
	for q.superseded.Len() > q.limits.history {
		q.drop(q.superseded.Front().Value.(*item))
	}
	for q.bytes > q.limits.bytes || len(q.findings) > q.limits.findings {
		spare := q.superseded.Front()
		if spare == nil {
			spare = q.over.Front()
		}
		switch {
		case spare != nil:
			q.drop(spare.Value.(*item))
		case !known && f.newest != nil:
			q.drop(f.newest)
			return
		default:
			return
		}
	}
}

// pending returns how many alerts the sink has yet to hear.
func (q *queue) pending() int {
	n := q.flying
	for el := q.order.Front(); el != nil; el = el.Next() {
		if !el.Value.(*item).refresh {
			n++
		}
	}
	return n
}

// some returns the IDs of up to so many findings of which alerts wait.
func (q *queue) some(limit int) []string {
	var ids []string
	for el := q.order.Front(); el != nil && len(ids) < limit; el = el.Next() {
		if it := el.Value.(*item); !it.refresh && !slices.Contains(ids, it.alert.ID) {
			ids = append(ids, it.alert.ID)
		}
	}
	return ids
}
