package metrics

import (
	"context"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// readings has all scrapes that come at about the same time share what the source says, an error as well. However many
// there are, one goroutine reads.
type readings struct {
	source  Source
	top     int
	maxAge  time.Duration
	timeout time.Duration
	now     func() time.Time

	mu     sync.Mutex
	latest *reading // nil before the first
}

// reading is in the making until done is closed. Then it does not change, and its families must not be changed.
type reading struct {
	done     chan struct{}
	at       time.Time // when it was finished
	families []*dto.MetricFamily
	err      error
}

// get returns the metrics of a reading that is being made, or is young, or else of a new one. The error is that of the
// source or of the context.
func (r *readings) get(ctx context.Context) ([]*dto.MetricFamily, error) {
	latest := r.current()
	select {
	case <-latest.done:
		return latest.families, latest.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *readings) current() *reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.latest == nil || r.isOld(r.latest) {
		r.latest = &reading{done: make(chan struct{})}
		go r.read(r.latest)
	}
	return r.latest
}

func (r *readings) isOld(latest *reading) bool {
	select {
	case <-latest.done:
		return r.now().Sub(latest.at) >= r.maxAge
	default:
		return false
	}
}

// read does not end with the scrape that wanted it first: others wait for it, too.
func (r *readings) read(into *reading) {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	from, err := r.source.Read(ctx)
	if err == nil {
		into.families, err = families(from, r.top)
	}
	into.err = err
	into.at = r.now()
	close(into.done)
}
