package cli

import (
	"errors"
	"io"
	"slices"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// errNoLooks says why a recording has no leaks to tell of.
var errNoLooks = errors.New("the recording has transitions alone, which do not tell why a socket is stuck: record with tcptrail log")

// playLeaks finds what was stuck, by the same looks and the same events in the same order as when it was recorded.
func playLeaks(env *Env, p *leaksPlan) error {
	p.lines = true
	t, err := newTeller(env, p, nil)
	if err != nil {
		return err
	}
	r := &leakReplay{playback: env.recording, plan: p}
	last, err := r.run(func(l *report) error {
		if p.once || l.at < r.span.since {
			return nil
		}
		return t.tell(l)
	})
	if err = errors.Join(err, t.finish()); err != nil {
		return err
	}
	if !p.once {
		return nil
	}
	if err := wrote(t.out.Report(last.findings, last.at)); err != nil {
		return err
	}
	if len(last.findings) > 0 {
		return errFound
	}
	return nil
}

// leakReplay feeds a recording to what finds leaks.
type leakReplay struct {
	*playback
	plan     *leaksPlan
	watcher  *leak.Watcher
	reporter *leak.Reporter
	looks    int
}

// run tells of each report, and returns the last one.
func (r *leakReplay) run(tell func(*report) error) (last report, err error) {
	r.begin(nil)
	for {
		line, err := r.next()
		if errors.Is(err, io.EOF) {
			if r.looks == 0 {
				return last, errNoLooks
			}
			return last, nil
		}
		if err != nil {
			return last, err
		}
		switch line.Kind {
		case record.Session:
			r.sockets = record.NewSockets()
			r.begin(line.Session.NetNS)
		case record.Transition:
			r.watcher.Observe(&line.Event)
		case record.Socket:
			err = r.sockets.Add(line)
		case record.LookOver:
			last, err = r.look(line, last, tell)
		}
		if err != nil {
			return last, err
		}
	}
}

// begin begins a session, of which the watcher knows nothing yet, and which was about some network namespaces; none: all.
func (r *leakReplay) begin(netns []uint32) {
	r.watcher = leak.NewWatcher(leak.WatchOptions{Limits: r.plan.limits})
	r.reporter = leak.NewReporter(r.watcher, leak.ReportOptions{})
	r.reporter.Mute(leak.Mute{Match: func(s *tcp.Socket) bool {
		return len(netns) > 0 && !slices.Contains(netns, s.NetNS) || !r.plan.selection.selects(s)
	}, Until: leak.Never})
	for i := range r.plan.mutes {
		r.reporter.Mute(r.plan.mutes[i].from(0))
	}
}

func (r *leakReplay) look(line *record.Record, last report, tell func(*report) error) (report, error) {
	s, err := r.snapshot(line)
	if err != nil || line.Look.Baseline {
		return last, err
	}
	r.looks++
	l := line.Look
	r.watcher.Due(l.Now)
	found := report{r.reporter.Report(l.Now, s, factsOf(l.FDLimits)), l.Now, line.Time, l.Took}
	return found, tell(&found)
}

// factsOf are what was known of processes then.
type factsOf []record.FDLimit

func (f factsOf) FDLimit(pid uint32) (soft uint64, used int, ok bool) {
	for i := range f {
		if f[i].PID == pid {
			return f[i].Soft, f[i].Used, true
		}
	}
	return 0, 0, false
}
