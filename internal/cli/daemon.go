package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tcptrail/tcptrail/internal/api"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/metrics"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// daemon is one run of serve.
type daemon struct {
	env        *Env
	log        *slog.Logger
	supervisor supervisor
	source     Source
	measuring  io.Closer // nil: nothing is measured
	hunt       *hunt
	recording  *directory // nil: nothing is recorded
	snapshots  Snapshots  // of all states, for who asks
	looking    sync.Mutex
	feed       *feed
	kernel     string
	isReady    sync.Once
	delivered  atomic.Uint64 // events
	unwatched  chan struct{} // closed when nobody looks any more

	mu     sync.Mutex // guards the rest
	plan   *servePlan
	alerts *alerts
	gauge  gauge
	last   *report
	stale  *report // the last one of before a reload, until there is another
	groups groups
}

// runServe serves. What it has to say goes to its log, the errors that end it as well.
func runServe(env *Env, p *servePlan) error {
	own := *env
	own.Stderr = logged{p.log}
	d := &daemon{env: &own, log: p.log, supervisor: supervisor{p.log}, plan: p, kernel: kernel.Release(), unwatched: make(chan struct{})}
	own.hangup = d.reload
	err := d.serve()
	if err == nil || !isForMachines(p.log) {
		return err
	}
	p.log.Error(oneLine(err.Error()))
	return exitError(exitCode(err))
}

func (d *daemon) serve() error {
	p := d.plan
	a, err := api.New(d, api.Options{Log: d.log, Extra: map[string]httpHandler{
		"/metrics": metrics.Handler(scraped{d}, metrics.Options{TopN: p.top}),
	}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	server, err := api.Listen(ctx, a, p.server)
	if err != nil {
		return err
	}
	if err := d.open(); err != nil {
		server.Close()
		return err
	}
	for _, note := range append(d.source.Notes(), server.Notes()...) {
		d.log.Warn(note)
	}
	for _, at := range server.Addresses() {
		d.log.Info("listening on "+at, "address", at)
	}
	stuck, err := untilStopped(d.env, p.duration, func(stop <-chan struct{}) error { return d.run(ctx, server, stop) })
	if stuck {
		return err
	}
	return errors.Join(err, d.close())
}

// open opens what looks at the host, and gives up what that no longer needs.
func (d *daemon) open() (err error) {
	p := d.plan
	if p.measure {
		if d.measuring, err = kernel.MeasurePrograms(); err != nil {
			return err
		}
	}
	if err = keep(d.env, listPrivileges); err != nil {
		return err
	}
	if p.directory != nil {
		if d.recording, err = openDirectory(d.env, *p.directory); err != nil {
			return err
		}
	}
	if d.source, err = d.env.Open(d.tracing()); err != nil {
		return errors.Join(err, d.recording.end())
	}
	if err = d.look(); err != nil {
		return errors.Join(err, d.recording.end())
	}
	return nil
}

// tracing says what to trace: when nothing is recorded, only what may be stuck.
func (d *daemon) tracing() kernel.Options {
	p := d.plan
	o := kernel.Options{
		Filter: watched(&p.limits), Gauges: isWholeHost(p.selection), Stacks: p.stacks, Durations: true,
	}
	if d.recording != nil {
		o.Filter = p.selection.place()
	}
	if p.pin {
		o.Pin = d.env.PinDir
	}
	return o
}

// look opens what looks at sockets, or closes the source.
func (d *daemon) look() (err error) {
	p := d.plan
	if d.gauge, err = openGauge(d.env, d.source, p.selection); err != nil {
		return err
	}
	if d.hunt, err = newHunt(d.env, p.leaksPlan, d.source); err != nil {
		return errors.Join(err, d.gauge.close())
	}
	all := kernel.SnapshotOptions{NetNS: p.selection.filter.NetNS}
	all.Tracer, _ = d.source.(*kernel.Tracer)
	if d.snapshots, err = d.env.OpenSnapshots(all); err != nil {
		return errors.Join(err, d.hunt.snapshots.Close(), d.gauge.close())
	}
	if d.alerts, err = d.openAlerts(p); err != nil {
		return errors.Join(err, d.snapshots.Close(), d.hunt.snapshots.Close(), d.gauge.close())
	}
	if d.recording != nil {
		if err = d.recording.begin(d.hunt); err != nil {
			return errors.Join(err, d.alerts.close(), d.snapshots.Close(), d.hunt.snapshots.Close(), d.gauge.close())
		}
	}
	d.feed = newFeed(d.env, p.selection.place(), d.recording != nil)
	return nil
}

// openAlerts starts to tell the sinks of a plan.
func (d *daemon) openAlerts(p *servePlan) (*alerts, error) {
	o, err := p.printed(d.env, d.hunt.sites)
	if err != nil {
		return nil, err
	}
	return newAlerts(d.env, p.sinks, o), nil
}

// findingOptions returns how findings are written to who asks.
func (d *daemon) findingOptions() (output.FindingOptions, error) {
	d.mu.Lock()
	plan := d.plan
	d.mu.Unlock()
	o, err := plan.printed(d.env, d.hunt.sites)
	o.Format = output.JSON
	return o, err
}

// run serves until stop is closed, or something fails.
func (d *daemon) run(ctx context.Context, server *api.Server, stop <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over, ended := make(chan struct{}), make(chan error, 4)
	go func() { ended <- server.Serve(ctx) }()
	go func() { ended <- d.read() }()
	go func() { ended <- d.watch(over, stop) }()
	go func() { ended <- d.group(over) }()
	go d.supervisor.watch(d.isAlive, over)
	var errs []error
	select {
	case <-stop:
	case err := <-ended:
		errs = append(errs, err)
		ended <- nil // which is waited for below
	}
	d.supervisor.stopping()
	close(over)
	cancel()
	errs = append(errs, d.source.Stop())
	for range 4 {
		err := <-ended
		if errors.Is(err, api.ErrBrokenOff) {
			d.log.Warn(err.Error())
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// read follows what may be stuck, or all transitions when they are recorded: then they are there for readers, too.
func (d *daemon) read() error {
	var delivered, lost uint64
	return readAll(d.source, func(e *tcp.Event) {
		delivered++
		d.hunt.observe(e)
		if d.recording != nil {
			d.feed.hub.Publish(e)
		}
	}, func() {
		d.delivered.Store(delivered)
		if d.recording != nil {
			d.recording.flush()
			lost = d.feed.flush(d.source, lost)
		}
	})
}

// watch looks at what is stuck, after a baseline if that is recorded.
func (d *daemon) watch(over, stop <-chan struct{}) error {
	defer close(d.unwatched)
	if err := d.begin(); err != nil {
		return err
	}
	if d.recording == nil {
		return d.hunt.watch(d.source, d.tell, over, stop)
	}
	return d.hunt.watch(d.source, func(r *report) error {
		d.recording.flush()
		return d.tell(r)
	}, over, stop)
}

// begin finds out who has the sockets that there are, and records them.
func (d *daemon) begin() error {
	if _, err := d.source.Adopt(); err != nil || d.recording == nil {
		return err
	}
	return d.recording.baseline(d.source, d.selected(), d.hunt.clock)
}

// tell keeps what a look has found, and tells the sinks. The first time it says that all is ready.
func (d *daemon) tell(r *report) error {
	kept := *r
	d.mu.Lock()
	told, stale := d.alerts, d.stale
	d.last, d.stale = &kept, nil
	d.mu.Unlock()
	d.isReady.Do(d.supervisor.ready)
	if stale != nil {
		if err := told.tell(endOf(stale, r)); err != nil {
			return err
		}
	}
	return told.tell(r)
}

// isAlive says whether who looks is at work, and nothing is stuck that all others need.
func (d *daemon) isAlive(within time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hunt.still() < within
}

func (d *daemon) close() error {
	errs := []error{d.feed.close(), d.alerts.close(), d.snapshots.Close(), d.hunt.snapshots.Close()}
	errs = append(errs, d.gauge.close(), d.hunt.sites.close())
	errs = append(errs, d.recording.end())
	if d.measuring != nil {
		errs = append(errs, d.measuring.Close())
	}
	return errors.Join(errs...)
}
