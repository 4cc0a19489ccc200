package metrics

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// The defaults, and bounds, of Options.
const (
	DefaultTop = 20 // enough to find who leaks
	MaxTop     = 200
	// DefaultMaxAge lets two Prometheus servers of a pair, which scrape at the same time, share a reading, and is less
	// than anybody's interval.
	DefaultMaxAge = 200 * time.Millisecond
	// DefaultTimeout is a little less than Prometheus waits if not told otherwise (10 s), so that it hears why.
	DefaultTimeout = 9 * time.Second
	// DefaultMaxInFlight is how many are written to at a time. A compressor takes most of a megabyte.
	DefaultMaxInFlight = 16
)

// Options say how to export. The zero value has good defaults.
type Options struct {
	// TopN is how many processes and cgroups have series of their own, for all their sockets and for stuck ones each; 0
	// is DefaultTop, negative none, and more than MaxTop is that.
	TopN int
	// MaxAge is how old a reading may be to serve one more scrape; 0 is DefaultMaxAge.
	MaxAge time.Duration
	// Timeout is how long a scrape may wait, and then how long it may take to write; 0 is DefaultTimeout.
	Timeout time.Duration
	// MaxInFlight is how many scrapes are written at a time, others wait; 0 is DefaultMaxInFlight.
	MaxInFlight int
}

// top returns how many groups have series of their own.
func (o *Options) top() int { return max(min(cmp.Or(o.TopN, DefaultTop), MaxTop), 0) }

// Handler answers scrapes with what the source says and what it costs us, in Prometheus' text format, OpenMetrics or
// protobuf, whichever is asked for; native histograms are in the last only. When the source fails or takes too long the
// answer is 503. Its own write deadline replaces that of the server.
func Handler(s Source, o Options) http.Handler {
	h := &handler{
		timeout: cmp.Or(o.Timeout, DefaultTimeout),
		slots:   make(chan struct{}, cmp.Or(max(o.MaxInFlight, 0), DefaultMaxInFlight)),
		own:     prometheus.NewRegistry(),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "scrape_failures_total", Help: "Scrapes that were answered with an error.",
		}, []string{"reason"}),
	}
	h.readings = &readings{
		source: s, top: o.top(), maxAge: cmp.Or(o.MaxAge, DefaultMaxAge), timeout: h.timeout, now: time.Now,
	}
	for _, reason := range []string{reasonSource, reasonTimeout, reasonBusy} {
		h.failures.WithLabelValues(reason)
	}
	h.own.MustRegister(h.failures, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return h
}

// Why scrapes fail.
const (
	reasonSource  = "source"  // it returned an error
	reasonTimeout = "timeout" // it did not answer in time
	reasonBusy    = "busy"    // too many others were written to
)

type handler struct {
	readings *readings
	timeout  time.Duration
	slots    chan struct{}        // of those that are written to
	own      *prometheus.Registry // what does not come from the source
	failures *prometheus.CounterVec
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), h.timeout)
	defer cancel()
	// First the reading, then the slot, so that those who wait for a slot share one.
	read, err := h.readings.get(ctx)
	switch {
	case ctx.Err() != nil && err != nil:
		h.refuse(w, r, reasonTimeout, errors.New("the host could not be read in time"))
		return
	case err != nil:
		h.refuse(w, r, reasonSource, err)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		h.refuse(w, r, reasonBusy, errors.New("too many scrapes at a time: try again later"))
		return
	}
	h.write(w, r, read)
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, reason string, err error) {
	if r.Context().Err() == nil { // else who asked has left, which is no failure of ours
		h.failures.WithLabelValues(reason).Inc()
	}
	http.Error(w, label(err.Error()), http.StatusServiceUnavailable)
}

// write has a slot, and a deadline, so that a client that does not read does not keep it. When the answer has ended
// net/http takes the deadline back.
func (h *handler) write(w http.ResponseWriter, r *http.Request, read []*dto.MetricFamily) {
	// Without deadlines, which only ResponseWriters of others than net/http lack, there is no more to be done.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.timeout))
	all := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		own, err := h.own.Gather()
		all := slices.Concat(read, own)
		slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
		return all, err
	})
	promhttp.HandlerFor(all, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP(w, r)
}
