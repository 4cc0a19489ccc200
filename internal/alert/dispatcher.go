package alert

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

// FlushTimeout is how long Close waits if its context does not say: a receiver that works takes what waits in that time,
// and a person who stops the program waits no longer.
const FlushTimeout = 5 * time.Second

// stopTimeout is how much longer Close waits for deliveries that it has broken off: they only have to notice.
const stopTimeout = time.Second

// Options say how to dispatch. The zero value has good defaults.
type Options struct {
	Backoff Backoff
	// Report is told when a sink begins to fail, when it recovers, and when alerts were lost. It is called by several
	// goroutines, and the sink waits for it; nil: nobody is told. It must not call Close.
	Report func(Health, Change)
}

// Dispatcher delivers alerts to sinks. Its methods are safe for concurrent use.
type Dispatcher struct {
	workers []*worker
	closing chan struct{}
	cancel  context.CancelFunc
	once    sync.Once
}

// NewDispatcher starts to feed sinks, which are the dispatcher's from now on. Close ends it.
func NewDispatcher(o Options, sinks ...Sink) *Dispatcher {
	if o.Backoff.First <= 0 {
		o.Backoff.First = DefaultFirst
	}
	if o.Backoff.Max <= 0 {
		o.Backoff.Max = max(DefaultMax, o.Backoff.First)
	}
	if o.Backoff.Jitter == nil {
		o.Backoff.Jitter = mathrand.Float64
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &Dispatcher{closing: make(chan struct{}), cancel: cancel}
	for _, s := range sinks {
		d.workers = append(d.workers, d.start(ctx, s, &o))
	}
	return d
}

func (d *Dispatcher) start(ctx context.Context, s Sink, o *Options) *worker {
	var prefix [8]byte
	rand.Read(prefix[:])
	q := newQueue(s.Traits())
	w := &worker{
		sink: s, traits: q.traits, queue: q, backoff: o.Backoff, report: o.Report, prefix: hex.EncodeToString(prefix[:]),
		wake: make(chan struct{}, q.traits.Lanes), closing: d.closing, done: make(chan struct{}),
		health: Health{Sink: s.Name()},
	}
	for range q.traits.Lanes {
		w.ended.Add(1)
		go w.run(ctx)
	}
	go func() {
		w.ended.Wait()
		s.Close()
		close(w.done)
	}()
	return w
}

// Notify takes in alerts for all sinks, and returns at once. What sinks did not hear of yet is replaced, as Traits.Log
// says. After Close it only counts.
func (d *Dispatcher) Notify(alerts ...Alert) {
	now := time.Now()
	for _, w := range d.workers {
		for i := range alerts {
			w.add(&alerts[i], now)
		}
	}
}

// Update tells of findings that go on, and are no news: what is about to be told of them, or will be told again to a sink
// that forgets, is brought up to date. Alerts that are not Firing are ignored.
func (d *Dispatcher) Update(alerts ...Alert) {
	for _, w := range d.workers {
		for i := range alerts {
			w.update(&alerts[i])
		}
	}
}

// Stats returns how the sinks do, in their order.
func (d *Dispatcher) Stats() []Health {
	all := make([]Health, len(d.workers))
	for i, w := range d.workers {
		all[i] = w.stats()
	}
	return all
}

// Close delivers what waits, trying each alert once more and giving up a sink after three failures in a row or when it
// has asked to be left alone. When the context is done, or after FlushTimeout if it has no deadline, it breaks off what
// still runs. The error names the sinks that did not hear all, and why. Only the first call does this; others return nil.
func (d *Dispatcher) Close(ctx context.Context) error {
	var err error
	d.once.Do(func() { err = d.close(ctx) })
	return err
}

func (d *Dispatcher) close(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, FlushTimeout)
		defer cancel()
	}
	for _, w := range d.workers {
		w.stop()
	}
	close(d.closing)
	finished := make(chan struct{})
	go func() {
		for _, w := range d.workers {
			<-w.done
		}
		close(finished)
	}()
	select {
	case <-finished:
	case <-ctx.Done():
	}
	d.cancel()
	stop := time.NewTimer(stopTimeout)
	defer stop.Stop()
	select {
	case <-finished:
	case <-stop.C:
	}
	var lost []error
	for _, w := range d.workers {
		lost = append(lost, w.undelivered())
	}
	return errors.Join(lost...)
}
