package alert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// maxError is how much of an error is kept: the remedy is at its end, so it is not too short.
const maxError = 1000

// maxID is how much of a finding's ID is shown. Ours have 16 characters.
const maxID = 64

// maxLastFailures is how many attempts in a row may fail at the end until a sink is given up: one alert that a sink does
// not take costs the others nothing, a dead sink costs little time.
const maxLastFailures = 3

var errBrokenOff = errors.New("broken off: there was no more time")

// worker feeds one sink.
type worker struct {
	sink    Sink
	traits  Traits
	backoff Backoff
	report  func(Health, Change)
	prefix  string        // of keys
	wake    chan struct{} // has room for one token a lane
	closing chan struct{} // closed by the dispatcher
	done    chan struct{} // closed when the last lane has ended, and the sink is closed
	ended   sync.WaitGroup

	mu       sync.Mutex
	queue    *queue
	closed   bool
	number   uint64 // of the last key
	failures int    // in a row
	gate     time.Time
	asked    time.Time // the part of gate that the sink asked for
	refresh  time.Time
	health   Health
	news     news
}

// add takes in an alert, and never waits for the sink.
func (w *worker) add(a *Alert, now time.Time) {
	w.mu.Lock()
	if w.closed {
		w.queue.dropped++
	} else {
		w.queue.add(a, now)
	}
	w.mu.Unlock()
	w.awaken()
}

// update takes in what is not news.
func (w *worker) update(a *Alert) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue.update(a)
}

// awaken makes one lane that waits look again.
func (w *worker) awaken() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run delivers until there is nothing left after closing.
func (w *worker) run(ctx context.Context) {
	defer w.ended.Done()
	closing := w.closing
	for {
		w.tell()
		if ctx.Err() != nil {
			return
		}
		batch, next, over := w.take(time.Now())
		switch {
		case len(batch) > 0:
			w.awaken() // another lane, for what is left
			w.deliver(ctx, batch)
			continue
		case over:
			return
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-w.wake:
		case <-due:
		case <-closing:
		}
	}
}

// take returns what to deliver, or until when to wait, or that it is over.
func (w *worker) take(now time.Time) (batch []*item, next time.Time, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := w.closed
	if every := w.traits.Refresh; every > 0 && !last {
		if w.refresh.IsZero() {
			w.refresh = now.Add(every)
		}
		if !w.refresh.After(now) {
			w.queue.refresh(now)
			w.refresh = now.Add(every)
		}
		next = w.refresh
	}
	switch {
	case last && (w.failures >= maxLastFailures || w.asked.After(now)):
		return nil, next, true
	case !last && w.gate.After(now):
		return nil, earlier(next, w.gate), false
	}
	batch, due := w.queue.take(now, last)
	for _, it := range batch {
		if it.key == "" {
			w.number++
			it.key = fmt.Sprintf("%s%016x", w.prefix, w.number)
		}
	}
	return batch, earlier(next, due), last
}

// deliver makes one attempt at a batch.
func (w *worker) deliver(ctx context.Context, batch []*item) {
	now := time.Now()
	deliveries := make([]Delivery, len(batch))
	for i, it := range batch {
		deliveries[i] = Delivery{Alert: it.alert, Key: it.key, Now: now}
	}
	attempt, cancel := context.WithTimeout(ctx, w.traits.Timeout)
	err := w.sink.Deliver(attempt, deliveries)
	cancel()
	if err == nil {
		w.succeed(batch)
		return
	}
	if ctx.Err() != nil {
		err = errBrokenOff
	}
	why := failureOf(err)
	if why.Final && why.Split && len(batch) > 1 {
		for i := range batch {
			w.deliver(ctx, batch[i:i+1])
		}
		return
	}
	w.fail(batch, &why, time.Now())
}

func (w *worker) succeed(batch []*item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range batch {
		if !it.refresh {
			w.health.Delivered++
		}
		w.queue.settled(it)
	}
	w.failures, w.gate, w.asked = 0, time.Time{}, time.Time{}
	w.health.Since = time.Time{}
}

func (w *worker) fail(batch []*item, why *DeliveryError, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures++
	w.gate = now.Add(max(w.backoff.after(w.failures), why.After))
	w.asked = time.Time{}
	if why.After > 0 {
		w.asked = now.Add(why.After)
	}
	if w.health.Since.IsZero() {
		w.health.Since = now
	}
	w.health.Err = plain(why.Err.Error(), maxError)
	for i := len(batch) - 1; i >= 0; i-- { // backwards, for a log puts each back to the front
		it := batch[i]
		if why.Final {
			w.health.Refused++
			w.queue.refused(it)
			continue
		}
		w.queue.failed(it, why, now.Add(w.backoff.after(it.attempts+1)))
	}
}

// tell reports what has changed.
func (w *worker) tell() {
	w.mu.Lock()
	changes := w.news.changes(w.status(), time.Now())
	h := *w.status()
	if len(changes) > 0 {
		h.Pending = w.queue.pending()
	}
	w.mu.Unlock()
	if w.report == nil {
		return
	}
	for _, c := range changes {
		w.report(h, c)
	}
}

// status brings the health up to date, all but what takes long to count.
func (w *worker) status() *Health {
	w.health.Dropped, w.health.Coalesced = w.queue.dropped, w.queue.coalesced
	return &w.health
}

// stats returns how the sink does.
func (w *worker) stats() Health {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := *w.status()
	h.Pending = w.queue.pending()
	return h
}

// stop keeps more alerts from coming in.
func (w *worker) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.failures = 0
}

// maxNamed is how many findings an error names: enough to look them up in a log.
const maxNamed = 5

// undelivered returns an error that says what the sink did not hear; nil if it heard all.
func (w *worker) undelivered() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.queue.pending()
	if n == 0 {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %d alerts not delivered", w.sink.Name(), n)
	ids := w.queue.some(maxNamed)
	for i, id := range ids {
		text.WriteString([]string{" (of finding ", ", "}[min(i, 1)] + plain(id, maxID))
	}
	if len(ids) > 0 {
		text.WriteString([]string{")", " and others)"}[min(n-len(ids), 1)])
	}
	if w.health.Failing() {
		text.WriteString(": " + w.health.Err)
	}
	return errors.New(text.String())
}
