package cli

import (
	"time"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/metrics"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// How often it is counted who has how many sockets: as often as Prometheus asks, mostly, and at most one part in so many of
// the time.
const (
	groupEvery = 15 * time.Second
	groupShare = 50
)

// groups are who has how many sockets; nil before the first count.
type groups struct {
	processes map[process]uint64
	cgroups   map[uint64]uint64
	names     output.HostNames
}

type process struct {
	pid  uint32
	comm tcp.Comm
}

// group counts who has how many sockets, until over is closed.
func (d *daemon) group(over <-chan struct{}) error {
	b := budget{share: groupShare}
	for {
		began := time.Now()
		if err := d.countGroups(); err != nil {
			return err
		}
		b.spent(began, time.Now())
		timer := time.NewTimer(max(groupEvery, time.Until(b.next())))
		select {
		case <-over:
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func (d *daemon) countGroups() error {
	d.looking.Lock()
	snapshot, err := d.snapshots.Take()
	d.looking.Unlock()
	if err != nil {
		return err
	}
	labels, err := newLabels(d.env.Proc)
	if err != nil {
		return err
	}
	g := groups{processes: map[process]uint64{}, cgroups: map[uint64]uint64{}, names: labels.ofList()}
	for i := range snapshot.Sockets {
		s := &snapshot.Sockets[i]
		if s.Kind == tcp.Full {
			g.processes[process{s.PID, s.Comm}]++
			g.cgroups[s.CgroupID]++
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.groups = g
	return nil
}

// exported returns who has how many sockets, and how many of them the findings are about; nil before the first count. The
// sockets of a finding are of one process, and so of one cgroup.
func (g *groups) exported(findings []leak.Finding) (processes []metrics.Process, cgroups []metrics.Cgroup) {
	if g.processes == nil {
		return nil, nil
	}
	stuck, stuckIn := map[process]uint64{}, map[uint64]uint64{}
	for i := range findings {
		f := &findings[i]
		if f.Status.IsOver() || len(f.Sample) == 0 {
			continue
		}
		s := &f.Sample[0].Socket
		stuck[process{s.PID, s.Comm}] += uint64(f.Count)
		stuckIn[s.CgroupID] += uint64(f.Count)
	}
	processes, cgroups = []metrics.Process{}, []metrics.Cgroup{}
	for p, n := range g.processes {
		processes = append(processes, metrics.Process{PID: p.pid, Comm: p.comm, Sockets: n, Stuck: min(n, stuck[p])})
	}
	for id, n := range g.cgroups {
		c := metrics.Cgroup{Sockets: n, Stuck: min(n, stuckIn[id])}
		if id != 0 {
			c.Path, c.Container = g.names.Cgroup(id), g.names.Container(id)
		}
		cgroups = append(cgroups, c)
	}
	return processes, cgroups
}
