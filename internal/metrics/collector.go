package metrics

import (
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// collector makes metrics of a reading. It declares none before, so that what is not known may be absent.
type collector struct {
	r   *Reading
	top int // series of each kind for processes and for cgroups
}

var _ prometheus.Collector = (*collector)(nil)

// families returns the metrics of a reading, by name.
func families(r *Reading, top int) ([]*dto.MetricFamily, error) {
	if r == nil {
		return nil, errors.New("there is no reading")
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(&collector{r, top}); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return registry.Gather()
}

func (c *collector) Describe(chan<- *prometheus.Desc) {}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	w := writer{out}
	c.writeInfo(w)
	c.writeStates(w)
	c.writeStuck(w)
	c.writeGroups(w)
	c.writeEvents(w)
	c.writeSinks(w)
	c.writeReaders(w)
	c.writePrograms(w)
}

// writer makes each label's value a safe one.
type writer struct{ out chan<- prometheus.Metric }

func (w writer) gauge(d *prometheus.Desc, value float64, labels ...string) {
	w.write(d, prometheus.GaugeValue, value, labels)
}

func (w writer) counter(d *prometheus.Desc, value uint64, labels ...string) {
	w.write(d, prometheus.CounterValue, float64(value), labels)
}

func (w writer) write(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels []string) {
	for i := range labels {
		labels[i] = label(labels[i])
	}
	w.out <- prometheus.MustNewConstMetric(d, kind, value, labels...)
}

func (c *collector) writeInfo(w writer) {
	if c.r.Version != "" {
		w.gauge(descBuild, 1, c.r.Version, c.r.GoVersion)
	}
	if c.r.Kernel != "" {
		w.gauge(descKernel, 1, c.r.Kernel)
	}
}

func (c *collector) writeStates(w writer) {
	if counts := c.r.Counts; counts != nil {
		for s := tcp.Established; s <= tcp.NewSynRecv; s++ {
			w.gauge(descSockets, float64(counts.States[s]), s.String())
		}
		w.gauge(descSockets, float64(counts.Zombies), leak.Zombie.String())
	}
	if c.r.Transitions != nil {
		for old, row := range c.r.Transitions {
			for now, n := range row {
				if n > 0 || legalAfter(tcp.State(old)).Has(tcp.State(now)) {
					w.counter(descTransitions, n, tcp.State(old).String(), tcp.State(now).String())
				}
			}
		}
	}
	if c.r.Durations != nil {
		for old := range c.r.Durations {
			h := &c.r.Durations[old]
			if legalAfter(tcp.State(old)) != 0 || slices.Max(h.Counts[:]) > 0 {
				labels := prometheus.MakeLabelPairs(descDurations, []string{tcp.State(old).String()})
				w.out <- &bothHistogram{descDurations, labels, h}
			}
		}
	}
}

func (c *collector) writeStuck(w writer) {
	stuck := c.r.Stuck
	if stuck == nil {
		return
	}
	for condition := range conditions {
		possible := possibleCauses(condition)
		for cause, n := range stuck.Sockets[condition] {
			if n > 0 || slices.Contains(possible, leak.Cause(cause)) {
				w.gauge(descStuck, float64(n), condition.String(), nameOfCause(leak.Cause(cause)))
			}
		}
		if oldest := stuck.Oldest[condition]; oldest > 0 {
			w.gauge(descOldest, oldest.Seconds(), condition.String())
		}
	}
	for level := leak.Warn; level < levels; level++ {
		w.gauge(descFindings, float64(stuck.Findings[level]), level.String())
	}
}

func nameOfCause(c leak.Cause) string {
	if c == leak.CauseNone {
		return unknownValue
	}
	return c.String()
}

func (c *collector) writeGroups(w writer) {
	write := func(d *prometheus.Desc, groups []group) {
		for _, g := range groups {
			w.gauge(d, float64(g.value), g.labels[:]...)
		}
	}
	if c.r.Processes != nil {
		sockets := func(p *Process) uint64 { return p.Sockets }
		stuck := func(p *Process) uint64 { return p.Stuck }
		write(descProcess, top(c.r.Processes, c.top, sockets, orderProcesses, labelsOfProcess))
		write(descProcessStuck, top(c.r.Processes, c.top, stuck, orderProcesses, labelsOfProcess))
	}
	if c.r.Cgroups != nil {
		sockets := func(g *Cgroup) uint64 { return g.Sockets }
		stuck := func(g *Cgroup) uint64 { return g.Stuck }
		write(descCgroup, top(c.r.Cgroups, c.top, sockets, orderCgroups, labelsOfCgroup))
		write(descCgroupStuck, top(c.r.Cgroups, c.top, stuck, orderCgroups, labelsOfCgroup))
	}
}

func (c *collector) writeEvents(w writer) {
	e := c.r.Events
	if e == nil {
		return
	}
	w.counter(descSeen, e.Seen)
	w.counter(descDelivered, e.Delivered)
	w.counter(descLost, e.Lost)
	w.counter(descMissed, e.Missed)
	w.counter(descFiltered, e.Filtered)
	w.counter(descUntracked, e.Untracked)
	w.counter(descDrift, e.Drift)
}

func (c *collector) writeSinks(w writer) {
	for _, s := range mergeSinks(c.r.Sinks) {
		w.counter(descSinkDelivered, s.Delivered, s.Name)
		w.counter(descSinkFailed, s.Failed, s.Name)
		w.counter(descSinkDropped, s.Dropped, s.Name)
		w.gauge(descSinkQueued, float64(s.Queued), s.Name)
		failing := 0.
		if s.Failing {
			failing = 1
		}
		w.gauge(descSinkFailing, failing, s.Name)
	}
}

// writeReaders writes about those that events go to.
func (c *collector) writeReaders(w writer) {
	if l := c.r.Log; l != nil {
		w.counter(descLogLines, l.Lines)
		w.counter(descLogBytes, l.Bytes)
		w.counter(descLogLost, l.Lost)
		w.gauge(descLogDisk, float64(l.Disk))
	}
	if s := c.r.Streams; s != nil {
		w.gauge(descSubscribers, float64(s.Subscribers))
		w.counter(descStreamDropped, s.Dropped)
	}
}

func (c *collector) writePrograms(w writer) {
	for _, p := range mergePrograms(c.r.Programs) {
		w.write(descProgramTime, prometheus.CounterValue, p.Time.Seconds(), []string{p.Name})
		w.counter(descProgramRuns, p.Runs, p.Name)
	}
}
