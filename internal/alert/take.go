package alert

import "time"

// take returns what to deliver now, at most Traits.Batch items, which are in flight until settle is told what became of
// them. When there is nothing, it returns when there will be; the zero time is never. The last attempts before the end
// do not wait, and are made once.
func (q *queue) take(now time.Time, last bool) (batch []*item, next time.Time) {
	for el := q.order.Front(); el != nil && len(batch) < q.traits.Batch; {
		it := el.Value.(*item)
		el = el.Next()
		switch {
		case it.finding.inFlight && q.traits.Log:
			return batch, next
		case it.finding.inFlight || last && it.flushed:
			continue
		case !q.traits.Log && it.alert.Status.IsOver() && now.Sub(it.queued) > maxOverAge:
			q.drop(it)
			continue
		case last && it.refresh:
			q.remove(it)
			continue
		case !last && it.due.After(now):
			next = earlier(next, it.due)
			if q.traits.Log {
				return batch, next
			}
			continue
		}
		q.detach(it)
		it.finding.inFlight, it.flushed = true, last
		q.fly(it, 1)
		batch = append(batch, it)
	}
	return batch, next
}

// fly counts an item that takes off or lands.
func (q *queue) fly(it *item, by int) {
	if !it.refresh {
		q.flying += by
	}
}

// land notes that it is known what became of an item.
func (q *queue) land(it *item) {
	it.finding.inFlight = false
	q.fly(it, -1)
}

// earlier returns the earlier of two times, of which the zero time is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// refresh puts all that the sink knows to be true in the queue again.
func (q *queue) refresh(now time.Time) {
	for _, f := range q.findings {
		if f.last != nil && f.newest == nil && !f.inFlight {
			q.push(&item{alert: *f.last, finding: f, queued: now, refresh: true})
		}
	}
}

// settled takes note that an item was delivered.
func (q *queue) settled(it *item) {
	f := it.finding
	q.land(it)
	f.heard = !it.alert.Status.IsOver() && !q.traits.Log
	f.last = nil
	if f.heard && q.traits.Refresh > 0 {
		f.last = &it.alert
	}
	q.forget(it.alert.ID, f)
}

// refused takes note that an item will never be delivered.
func (q *queue) refused(it *item) {
	f := it.finding
	q.land(it)
	if it.alert.Status.IsOver() {
		f.heard, f.last = false, nil
	}
	if next := f.newest; next != nil && !q.traits.Log {
		q.follow(it, next)
	}
	q.forget(it.alert.ID, f)
}

// failed puts an item back, not to be tried again before it is due.
func (q *queue) failed(it *item, why *DeliveryError, due time.Time) {
	f := it.finding
	q.land(it)
	f.heard = f.heard || !why.Unheard && !q.traits.Log
	if next := f.newest; next != nil && !q.traits.Log {
		if !it.refresh {
			q.coalesced++
		}
		q.follow(it, next)
		return
	}
	it.attempts++
	it.due = due
	q.putBack(it)
}

// follow lets the next alert about a finding stand for one that was not heard, too.
func (q *queue) follow(unheard, next *item) {
	if staysNews(unheard.alert.Status, next.alert.Status) {
		q.bytes += unheard.alert.size() - next.alert.size()
		next.alert = unheard.alert
	}
	if next.alert.Status.IsOver() && !next.finding.heard {
		q.coalesced++
		q.remove(next)
	}
}

// putBack puts an item that was taken into the queue again: of a log to where it was, for order counts there, else to the
// end, for another one may fare better.
func (q *queue) putBack(it *item) {
	f := it.finding
	newest := f.newest
	q.push(it)
	if !q.traits.Log {
		return
	}
	q.order.MoveToFront(it.place)
	if newest != nil {
		f.newest = newest
		q.spare(it, &q.superseded)
	}
}
