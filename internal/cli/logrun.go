package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tcptrail/tcptrail/internal/archive"
	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/recorder"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// parseSync reads --fsync.
func parseSync(text string) (s archive.Sync, err error) {
	switch text {
	case "never":
		return s, nil
	case "close":
		return archive.Sync{Close: true}, nil
	}
	if s.Every, err = time.ParseDuration(text); err != nil || s.Every <= 0 {
		return s, fmt.Errorf("--fsync %q: use never, close, or a time such as 1s", text)
	}
	s.Close = true
	return s, nil
}

// logging is one run of log.
type logging struct {
	env      *Env
	plan     *logPlan
	source   Source
	hunt     *hunt
	store    *archive.Archive
	recorder *recorder.Recorder
	pushed   filter.Filter // what the kernel decides of the filter
	rest     *filter.Expr
	filtered atomic.Uint64
	started  time.Time
}

func runLog(env *Env, p *logPlan) error {
	if err := keep(env, listPrivileges); err != nil {
		return err
	}
	p.selection.note(env)
	l := &logging{env: env, plan: p, pushed: p.selection.filter, started: time.Now()}
	l.rest = p.selection.expr.Push(&l.pushed)
	if err := l.open(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- l.read() }()
	stuck, err := untilStopped(env, p.duration, l.watch)
	if stuck {
		return err
	}
	err = errors.Join(err, l.source.Stop(), <-done)
	return errors.Join(err, l.finish(err == nil))
}

// open opens everything, the directory first: it is the most likely not to be as it should.
func (l *logging) open() (err error) {
	l.plan.store.Now, l.plan.store.Warn = time.Now, func(text string) {
		fmt.Fprintf(l.env.Stderr, "tcptrail: %s\n", oneLine(text))
	}
	if l.store, err = archive.Open(l.plan.store); err != nil {
		return err
	}
	if l.source, err = l.env.Open(kernel.Options{Filter: l.pushed, RingBytes: l.plan.ringBytes}); err != nil {
		return errors.Join(err, l.store.Close())
	}
	for _, note := range l.source.Notes() {
		fmt.Fprintf(l.env.Stderr, "tcptrail: %s\n", note)
	}
	if err = l.begin(); err != nil {
		return errors.Join(err, l.source.Stop(), l.source.Close(), l.store.Close())
	}
	return nil
}

// begin begins the session, with all sockets that there are by now.
func (l *logging) begin() (err error) {
	fs := l.env.Proc
	l.recorder, err = recorder.New(l.store, recorder.Options{
		Whole: l.plan.whole, Session: l.session(), Now: time.Now,
		Started: func(pid uint32) (time.Duration, bool) {
			since, err := fs.StartTime(pid)
			return since, err == nil
		},
	})
	if err != nil {
		return err
	}
	if l.hunt, err = newHunt(l.env, &leaksPlan{selection: l.plan.selection, limits: l.plan.limits}, l.source); err != nil {
		return err
	}
	l.hunt.noted = &notedFacts{facts: l.hunt.facts}
	l.hunt.facts, l.hunt.recorder = l.hunt.noted, l.recorder
	return nil
}

func (l *logging) session() record.SessionInfo {
	s := record.SessionInfo{Version: l.env.Version, Limits: l.plan.limits.String(), Filter: l.plan.filter, PID: os.Getpid()}
	s.Host, _ = os.Hostname()
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		s.BootID = string(bytes.TrimSpace(id))
	}
	return s
}

// read records until the source is stopped. What one Read hands out is in the kernel's hands before the next.
func (l *logging) read() error {
	for {
		err := l.source.Read(l.handle)
		l.recorder.Flush()
		if errors.Is(err, kernel.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *logging) handle(e *tcp.Event) {
	if !l.pushed.MatchRest(e) || !l.rest.MatchEvent(e, l.plan.selection.host) {
		l.filtered.Add(1)
		return
	}
	l.hunt.observe(e)
}

// watch looks at what is stuck, as leaks does, for the recording to tell why.
func (l *logging) watch(stop <-chan struct{}) error {
	if err := l.baseline(); err != nil {
		return err
	}
	if l.plan.ready != "" {
		if err := os.WriteFile(l.plan.ready, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
			return err
		}
	}
	told := func(*report) error {
		l.recorder.Flush()
		return nil
	}
	return l.hunt.watch(l.source, told, nil, stop)
}

// baseline records all sockets of where it records: from then on transitions tell the rest.
func (l *logging) baseline() error {
	o := kernel.SnapshotOptions{NetNS: l.plan.selection.snapshotOptions().NetNS}
	o.Tracer, _ = l.source.(*kernel.Tracer)
	snapshots, err := l.env.OpenSnapshots(o)
	if err != nil {
		return err
	}
	s, err := snapshots.Take()
	if err = errors.Join(err, snapshots.Close()); err != nil {
		return err
	}
	now := l.hunt.clock.Refresh()
	return l.recorder.Look(l.hunt.clock.At(now), s, &record.Look{Now: now, Baseline: true})
}

// finish ends the recording and says what became of everything.
func (l *logging) finish(sum bool) error {
	stats, counted := l.source.Stats()
	l.recorder.End()
	err := errors.Join(l.hunt.snapshots.Close(), l.source.Close(), l.store.Close())
	if sum && counted == nil {
		fmt.Fprintf(l.env.Stderr, "tcptrail: %s\n", l.account(&stats))
	}
	return err
}

func (l *logging) account(k *kernel.Stats) string {
	s := l.store.Stats()
	line := fmt.Sprintf("seen %d, recorded %d, lost %d, missed %d, filtered %d", k.Seen, l.recorder.Written(), k.Lost, k.Missed,
		k.Filtered+l.filtered.Load())
	if s.Lost > 0 {
		line += fmt.Sprintf(", not written %d", s.Lost)
	}
	return fmt.Sprintf("%s in %v; %s of %d bytes", line, time.Since(l.started).Round(time.Millisecond), plural(s.Files, "file"), s.Disk)
}
