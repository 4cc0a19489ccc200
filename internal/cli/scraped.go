package cli

import (
	"context"
	"runtime"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/metrics"
)

// scraped is the daemon as Prometheus sees it.
type scraped struct{ *daemon }

// meter is what a tracer of the live kernel knows beside its Stats; *kernel.Tracer is one, and says what the methods do.
type meter interface {
	Durations() (*kernel.Durations, error)
	Programs() ([]kernel.Program, error)
}

// Read gathers what the kernel has counted, and what the last looks have found.
func (d scraped) Read(context.Context) (*metrics.Reading, error) {
	stats, err := d.source.Stats()
	if err != nil {
		return nil, err
	}
	r := &metrics.Reading{Version: d.env.Version, GoVersion: runtime.Version(), Kernel: d.kernel, Transitions: (*metrics.Matrix)(&stats.Transitions)}
	if err := d.measured(r); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	counts, drift, err := d.gauge.count()
	if err != nil {
		return nil, err
	}
	streams := d.feed.state()
	r.Counts = &counts
	r.Events = &metrics.Events{
		Seen: stats.Seen, Delivered: d.delivered.Load(), Lost: stats.Lost + streams.unseen, Missed: stats.Missed,
		Filtered: stats.Filtered, Untracked: stats.Untracked, Drift: drift,
	}
	r.Streams = &metrics.Streams{Subscribers: uint64(streams.readers), Dropped: streams.lost}
	if d.recording != nil {
		s := d.recording.store.Stats()
		r.Log = &metrics.Log{Lines: s.Lines, Bytes: s.Bytes, Lost: s.Lost, Disk: uint64(s.Disk)}
	}
	r.Sinks = d.alerts.health()
	if d.last != nil {
		r.Stuck = metrics.StuckOf(d.last.findings)
		r.Processes, r.Cgroups = d.groups.exported(d.last.findings)
	}
	return r, nil
}

// measured adds times in states, and what programs cost if that is measured.
func (d scraped) measured(r *metrics.Reading) error {
	m, ok := d.source.(meter)
	if !ok {
		return nil
	}
	durations, err := m.Durations()
	if err != nil {
		return err
	}
	r.Durations = &metrics.Durations{}
	for state := range durations.Counts {
		r.Durations[state] = metrics.Histogram{Counts: durations.Counts[state], Seconds: durations.Seconds[state]}
	}
	programs, err := m.Programs()
	if err != nil {
		return err
	}
	for _, p := range programs {
		r.Programs = append(r.Programs, metrics.Program(p))
	}
	return nil
}
