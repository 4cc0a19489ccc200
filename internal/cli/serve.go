package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/spf13/cobra"

	"github.com/tcptrail/tcptrail/internal/api"
	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/metrics"
)

const serveHelp = `Keep watching, and answer over HTTP: metrics for Prometheus, counts, lists, what
is stuck, and transitions as they happen. Alerts go where those of leaks go.

  /metrics            for Prometheus, in whichever format it asks for
  /healthz /readyz    whether it lives, and whether its numbers are right
  /api/v1/count       sockets by state, or by=process, netns ...; filter=...
  /api/v1/list        the sockets of now
  /api/v1/findings    what is stuck
  /api/v1/events      transitions, as server-sent events
  /api/v1/openapi.json what all of them take and give

It listens on this host alone unless told otherwise. --web-config is a file as
Prometheus' exporters have it, for TLS and passwords. While nobody reads events,
no transition costs anything outside of the kernel, but for those of the states
that --limit watches.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 kernel feature or privilege is
missing.`

const serveExamples = `  tcptrail serve
  tcptrail serve --listen :9797 --web-config web.yml
  tcptrail serve --listen unix:/run/tcptrail.sock --alertmanager http://am:9093
  curl -s 'localhost:9797/api/v1/count?by=process&filter=state+close-wait'
  curl -sN 'localhost:9797/api/v1/events?filter=dport+=+:443'`

// defaultListen is where it listens unless told otherwise.
const defaultListen = "127.0.0.1:9797"

// serveFlags are the flags of serve as given.
type serveFlags struct {
	leaksFlags
	listen    []string
	hosts     []string
	webConfig string
	top       uint64
}

// servePlan is what serve is asked to do, checked.
type servePlan struct {
	*leaksPlan
	server api.ServerOptions
	top    int
}

func newServe(env *Env) *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Use:                   "serve [flags]",
		Short:                 "Answer over HTTP: metrics, sockets, findings, events",
		Long:                  serveHelp,
		Example:               serveExamples,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := noArgs(cmd, args); err != nil {
				return err
			}
			plan, err := flags.plan(env)
			if err != nil {
				return usageError{fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())}
			}
			return runServe(env, plan)
		},
	}
	flags.define(cmd)
	return cmd
}

func (f *serveFlags) define(cmd *cobra.Command) {
	f.limits = leak.DefaultLimits()
	s := cmd.Flags()
	s.SortFlags = false
	s.Var(words{&f.listen, "address"}, "listen", "address and port, or unix:/path; more by commas; if\nnot "+defaultListen)
	s.Var(words{&f.hosts, "name"}, "host-name", "names of this host that requests to addresses of\nits own alone may ask for")
	s.Var(word{&f.webConfig, "file"}, "web-config", "TLS and passwords, as Prometheus' exporters take it")
	s.VarP(count{&f.top}, "top", "n", "processes and cgroups with series of their own; 20\nunless given, at most 200")
	s.Lookup("top").DefValue = ""
	f.definePlace(s)
	f.defineWatched(s)
	f.defineRepeat(s)
	s.Var(period{&f.duration}, "duration", "end after this long, as 24h")
	f.sinkFlags.define(s)
	complete(cmd, s)
}

func (f *serveFlags) plan(env *Env) (*servePlan, error) {
	leaks, err := f.watchPlan(env, nil)
	if err != nil {
		return nil, err
	}
	if f.top > metrics.MaxTop {
		return nil, fmt.Errorf("--top %d: give up to %d", f.top, metrics.MaxTop)
	}
	p := &servePlan{leaksPlan: leaks, top: int(f.top)}
	p.server = api.ServerOptions{Addresses: f.listen, Hosts: f.hosts, WebConfig: f.webConfig}
	if len(f.listen) == 0 {
		p.server.Addresses = []string{defaultListen}
	}
	return p, nil
}

// daemon is one run of serve.
type daemon struct {
	env       *Env
	plan      *servePlan
	source    Source
	hunt      *hunt
	alerts    *alerts
	snapshots Snapshots // of all states, for who asks
	looking   sync.Mutex
	feed      *feed
	kernel    string

	mu     sync.Mutex // guards the rest
	gauge  gauge
	last   *report
	groups groups
}

func runServe(env *Env, p *servePlan) error {
	d := &daemon{env: env, plan: p, kernel: kernel.Release()}
	a, err := api.New(d, api.Options{Extra: map[string]httpHandler{
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
		fmt.Fprintf(env.Stderr, "tcptrail: %s\n", oneLine(note))
	}
	for _, at := range server.Addresses() {
		fmt.Fprintf(env.Stderr, "tcptrail: listening on %s\n", oneLine(at))
	}
	stuck, err := untilStopped(env, p.duration, func(stop <-chan struct{}) error { return d.run(ctx, server, stop) })
	if stuck {
		return err
	}
	return errors.Join(err, d.close())
}

// open opens what looks at the host, and gives up what that no longer needs.
func (d *daemon) open() (err error) {
	if err = keep(d.env, listPrivileges); err != nil {
		return err
	}
	o := kernel.Options{Filter: filter.Filter{States: d.plan.limits.Events()}, Gauges: isWholeHost(d.plan.selection)}
	if d.source, err = d.env.Open(o); err != nil {
		return err
	}
	if d.gauge, err = openGauge(d.env, d.source, d.plan.selection); err != nil {
		return err
	}
	if d.hunt, err = newHunt(d.env, d.plan.leaksPlan, d.source); err != nil {
		return errors.Join(err, d.gauge.close())
	}
	all := kernel.SnapshotOptions{NetNS: d.plan.selection.filter.NetNS}
	all.Tracer, _ = d.source.(*kernel.Tracer)
	if d.snapshots, err = d.env.OpenSnapshots(all); err != nil {
		return errors.Join(err, d.hunt.snapshots.Close(), d.gauge.close())
	}
	labels, err := newLabels(d.env.Proc)
	if err != nil {
		return errors.Join(err, d.snapshots.Close(), d.hunt.snapshots.Close(), d.gauge.close())
	}
	d.alerts = newAlerts(d.env, d.plan.sinks, d.plan.findingOptions(labels))
	d.feed = newFeed(d.env)
	return nil
}

// run serves until stop is closed, or something fails.
func (d *daemon) run(ctx context.Context, server *api.Server, stop <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over, ended := make(chan struct{}), make(chan error, 4)
	go func() { ended <- server.Serve(ctx) }()
	go func() { ended <- readAll(d.source, d.hunt.observe) }()
	go func() { ended <- d.hunt.watch(d.source, d.tell, over, stop) }()
	go func() { ended <- d.group(over) }()
	var errs []error
	select {
	case <-stop:
	case err := <-ended:
		errs = append(errs, err)
		ended <- nil // which is waited for below
	}
	close(over)
	cancel()
	errs = append(errs, d.source.Stop())
	for range 4 {
		err := <-ended
		if errors.Is(err, api.ErrBrokenOff) {
			fmt.Fprintf(d.env.Stderr, "tcptrail: %s\n", oneLine(err.Error()))
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// tell keeps what a look has found, and tells the sinks.
func (d *daemon) tell(r *report) error {
	kept := *r
	d.mu.Lock()
	d.last = &kept
	d.mu.Unlock()
	return d.alerts.tell(r)
}

func (d *daemon) close() error {
	return errors.Join(d.feed.close(), d.alerts.close(), d.snapshots.Close(), d.hunt.snapshots.Close(), d.gauge.close())
}

// scraped is the daemon as Prometheus sees it.
type scraped struct{ *daemon }

// Read gathers what the kernel has counted, and what the last looks have found.
func (d scraped) Read(context.Context) (*metrics.Reading, error) {
	stats, err := d.source.Stats()
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	counts, drift, err := d.gauge.count()
	if err != nil {
		return nil, err
	}
	matrix := metrics.Matrix(stats.Transitions)
	lost, readers := d.feed.state()
	r := &metrics.Reading{
		Version: d.env.Version, GoVersion: runtime.Version(), Kernel: d.kernel, Counts: &counts, Transitions: &matrix,
		Events: &metrics.Events{
			Seen: stats.Seen, Delivered: stats.Seen - stats.Lost - stats.Filtered, Lost: stats.Lost, Missed: stats.Missed,
			Filtered: stats.Filtered, Untracked: stats.Untracked, Drift: drift,
		},
		Streams: &metrics.Streams{Subscribers: uint64(readers), Dropped: lost},
		Sinks:   d.alerts.health(),
	}
	if d.last != nil {
		r.Stuck = metrics.StuckOf(d.last.findings)
		r.Processes, r.Cgroups = d.groups.exported(d.last.findings)
	}
	return r, nil
}
