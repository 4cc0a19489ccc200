package cli

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tcptrail/tcptrail/internal/clock"
	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/proc"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	// huntShare is one part in how much of the time goes into snapshots while something is stuck, to follow its numbers, and
	// dueShare that into those for what has just become overdue: these are what people wait for, and are rare unless the
	// host leaks as fast as it can.
	huntShare = 20
	dueShare  = 4
	// dueBurst is what the latter may take ahead: some looks in a row that see 100,000 sockets.
	dueBurst = time.Second
	// huntRefresh is how often what is stuck is looked at again, for its numbers to move and its end to be seen.
	huntRefresh = 2 * time.Second
	// huntPoll is the longest time without a question for what will be overdue: what enters meanwhile is not before its limit
	// is over, so it need not be short unless a limit is. Then it is half of that, for a look to begin early enough.
	huntPoll = time.Second
	// sitesEvery is how often all sockets are looked at to forget stacks that none has any more: there is room for 16,384.
	sitesEvery = time.Minute
	// maxLead is how long before a deadline a snapshot is begun at most: one of half a million sockets.
	maxLead = time.Second
)

// errFound ends leaks --once, with its own exit code, when something is stuck.
var errFound = errors.New("stuck sockets were found")

// hunt looks for stuck sockets: events tell when sockets enter and leave what they may be stuck in, snapshots why.
type hunt struct {
	snapshots Snapshots
	selection *selection
	reporter  *leak.Reporter
	clock     *clock.Wall
	facts     leak.Facts
	poll      time.Duration
	stderr    io.Writer
	lead      time.Duration // what the last snapshot took: the next one begins so long before a deadline
	until     int64         // the deadline for which a snapshot was begun early (CLOCK_MONOTONIC); 0: none
	sites     *sites
	seenAll   int64        // when a look last saw all sockets (CLOCK_MONOTONIC)
	between   chan func()  // what is to be done between two looks, by who looks
	pulse     atomic.Int64 // when it was last seen at work: since began, ns
	began     time.Time

	mu       sync.Mutex // guards the watcher, which two goroutines use
	watcher  *leak.Watcher
	recorder eventRecorder // of all that the watcher learns, in the same order; nil: none
	noted    *notedFacts   // of the recorder
}

func newHunt(env *Env, p *leaksPlan, source Source) (*hunt, error) {
	h := &hunt{stderr: env.Stderr, facts: limitsOf{env.Proc}, between: make(chan func()), began: time.Now()}
	var err error
	if h.clock, err = clock.New(); err != nil {
		return nil, err
	}
	h.sites = openSites(env, source)
	h.begin(p)
	where := kernel.SnapshotOptions{States: p.limits.Snapshot(), Pin: env.PinDir, NetNS: p.selection.whereAllowed(env)}
	where.Tracer, _ = source.(*kernel.Tracer) // none with --once, and in tests
	h.snapshots, err = env.OpenSnapshots(where)
	return h, err
}

// begin forgets what is known of sockets, for the next look to find it all, by a plan that asks for the same states. It is
// for who looks.
func (h *hunt) begin(p *leaksPlan) {
	o := leak.ReportOptions{Repeat: p.repeat, Unproven: p.once}
	if h.sites != nil {
		o.Opened = h.sites.opened
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.selection, h.poll, h.until = p.selection, min(huntPoll, p.limits.Shortest()/2), 0
	h.watcher = leak.NewWatcher(leak.WatchOptions{Limits: p.limits})
	h.reporter = leak.NewReporter(h.watcher, o)
	h.reporter.Mute(leak.Mute{Match: func(s *tcp.Socket) bool { return !p.selection.selects(s) }, Until: leak.Never})
	for i := range p.mutes {
		h.reporter.Mute(p.mutes[i].from(h.clock.Refresh()))
	}
}

// beat says that it is at work.
func (h *hunt) beat() { h.pulse.Store(int64(time.Since(h.began))) }

// still returns for how long nothing was seen of its work.
func (h *hunt) still() time.Duration { return time.Since(h.began) - time.Duration(h.pulse.Load()) }

// report is what a look has found.
type report struct {
	findings []leak.Finding
	now      int64 // CLOCK_MONOTONIC, ns
	at       int64 // the same moment on the wall clock, ns since 1970
	took     time.Duration
}

// look takes a snapshot and returns what there is to say.
func (h *hunt) look() (report, error) {
	snapshot, err := h.snapshots.TakeUntil(h.horizon())
	if err != nil {
		return report{}, err
	}
	h.lead = min(snapshot.Took, maxLead)
	now := h.clock.Refresh()
	if early := time.Duration(h.until - now); h.until != 0 && early > 0 {
		time.Sleep(min(early, maxLead)) // what changes meanwhile, events tell
		now = h.clock.Refresh()
	}
	h.until = 0
	if snapshot.Horizon == (tcp.Horizon{}) { // all that there are
		h.seenAll = now
		if err := h.sites.trim(now-int64(snapshot.Took), snapshot.Sockets); err != nil {
			return report{}, err
		}
	}
	h.sites.name(snapshot.Sockets)
	h.mu.Lock()
	defer h.mu.Unlock()
	r := report{h.reporter.Report(now, snapshot, h.facts), now, h.clock.At(now), snapshot.Took}
	return r, h.record(&r, snapshot)
}

// question returns whether something is overdue, or will be when a look that begins now ends; whether something is over; and when
// to ask again at the latest.
func (h *hunt) question() (overdue, over bool, left time.Duration) {
	now := h.clock.Refresh()
	h.mu.Lock()
	defer h.mu.Unlock()
	n, next := h.watcher.Due(now)
	gone := h.watcher.Gone()
	left = max(0, time.Duration(next-now))
	if n == gone && left <= h.lead {
		h.until = next
		return true, gone > 0, left
	}
	return n > gone, gone > 0, left - h.lead
}

// horizon returns how far the look that begins now has to see.
func (h *hunt) horizon() tcp.Horizon {
	now := h.clock.Refresh()
	if h.sites != nil && now-h.seenAll >= int64(sitesEvery) {
		return tcp.Horizon{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.watcher.Horizon(now)
}

// blind says that events were lost.
func (h *hunt) blind() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watcher.Blind()
}

func (h *hunt) observe(e *tcp.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watcher.Observe(e)
	if h.recorder != nil {
		h.recorder.Event(e)
	}
}

func runLeaksOnce(env *Env, p *leaksPlan) error {
	defer collectLater()()
	if err := keep(env, listPrivileges); err != nil {
		return err
	}
	h, err := newHunt(env, p, nil)
	if err != nil {
		return err
	}
	r, err := h.look()
	if err = errors.Join(err, h.snapshots.Close()); err != nil {
		return err
	}
	p.selection.note(env)
	labels, err := newLabels(env.Proc)
	if err != nil {
		return err
	}
	o := p.findingOptions(labels)
	alerts := newAlerts(env, p.sinks, o)
	if err := errors.Join(alerts.tell(&r), alerts.close(), wrote(output.NewFindings(env.Stdout, o).Report(r.findings, r.at))); err != nil {
		return err
	}
	if len(r.findings) > 0 {
		return errFound
	}
	return nil
}

// whereAllowed returns the network namespaces to look at: all, for the other end may be anywhere, but those selected if it
// is our own alone and we may not enter others.
func (s *selection) whereAllowed(env *Env) []uint32 {
	only := s.snapshotOptions().NetNS
	if len(only) == 1 && only[0] == ownNetNS(env.Proc) && privilege.Missing(privilege.Namespaces) != 0 {
		return only
	}
	return nil
}

func (p *leaksPlan) findingOptions(l *labels) output.FindingOptions {
	return output.FindingOptions{
		Format: p.looks.format, Color: p.looks.color, Width: p.looks.width, Names: l.ofList(), NetNS: l.own,
		Location: time.Local, Limits: p.limits,
	}
}

// runLeaks watches until it is told to end.
func runLeaks(env *Env, p *leaksPlan) error {
	if err := keep(env, listPrivileges); err != nil {
		return err
	}
	source, err := env.Open(kernel.Options{Filter: watched(&p.limits), Stacks: p.stacks})
	if err != nil {
		return err
	}
	p.selection.note(env)
	h, err := newHunt(env, p, source)
	if err != nil {
		return errors.Join(err, source.Stop(), source.Close())
	}
	t, err := newTeller(env, p, h.sites)
	if err != nil {
		return errors.Join(err, h.snapshots.Close(), source.Stop(), source.Close())
	}
	started, done := time.Now(), make(chan error, 1)
	go func() { done <- readAll(source, h.observe, nil) }()
	stuck, err := untilStopped(env, p.duration, func(stop <-chan struct{}) error {
		if _, err := source.Adopt(); err != nil {
			return errors.Join(err, t.finish())
		}
		return errors.Join(h.watch(source, t.tell, t.over, stop), t.finish())
	})
	if stuck {
		return err // all of it is still in use: what the process leaves behind, the kernel frees
	}
	err = errors.Join(err, source.Stop(), <-done)
	if stats, counted := source.Stats(); err == nil && counted == nil {
		fmt.Fprintf(env.Stderr, "tcptrail: %v\n", &huntAccount{stats, t.told, time.Since(started)})
	}
	return errors.Join(err, t.alerts.close(), h.sites.close(), h.snapshots.Close(), source.Close())
}

// watched returns which transitions a hunt is about: of all that come to CLOSE only those that stay held matter.
func watched(l *leak.Limits) filter.Filter {
	states := l.Events()
	return filter.Filter{States: states &^ tcp.SetOf(tcp.Close), Zombies: states.Has(tcp.Close)}
}

// readAll reads until the source is stopped, and calls after, which may be nil, after each Read.
func readAll(source Source, handle func(*tcp.Event), after func()) error {
	for {
		err := source.Read(handle)
		if after != nil {
			after()
		}
		if errors.Is(err, kernel.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// watching is the loop that looks whenever something may be overdue, and as long as something is, again and again.
type watching struct {
	*hunt
	source Source
	tell   func(*report) error
	over   <-chan struct{} // nobody can be told any more
	stop   <-chan struct{}
	follow budget // of looks that bring what is stuck, or was, up to date
	due    budget // of those for what is overdue
	lost   uint64 // events, so far
}

// watch looks until stop is closed, and tells of what it finds until over is. The source has adopted what there was.
func (h *hunt) watch(source Source, tell func(*report) error, over, stop <-chan struct{}) error {
	w := &watching{
		hunt: h, source: source, tell: tell, over: over, stop: stop,
		follow: budget{share: huntShare}, due: budget{share: dueShare, burst: dueBurst},
	}
	for spender := &w.follow; spender != nil; {
		began := time.Now()
		r, err := h.look()
		if err != nil {
			return err
		}
		if err := tell(&r); err != nil {
			return err
		}
		spender.spent(began, began.Add(r.took))
		spender = w.wait(len(r.findings) > 0)
	}
	return nil
}

// wait returns the budget for the next look when it is time for that, and nil when to end instead.
func (w *watching) wait(found bool) *budget {
	refresh := time.Now().Add(huntRefresh)
	for {
		w.beat()
		overdue, over, next := w.question()
		overdue = w.hasLost() || overdue
		now := time.Now()
		if overdue {
			if w.due.due(now) {
				return &w.due
			}
			next = w.due.next().Sub(now)
		}
		if over || found {
			again := w.follow.next()
			if !over {
				again = latest(refresh, again)
			}
			if !now.Before(again) {
				return &w.follow
			}
			next = min(next, again.Sub(now))
		}
		timer := time.NewTimer(min(max(next, time.Millisecond), w.poll))
		select {
		case <-w.stop:
			timer.Stop()
			return nil
		case <-w.over:
			timer.Stop()
			return nil
		case do := <-w.between:
			timer.Stop()
			do()
			return &w.follow
		case <-timer.C:
		}
	}
}

// hasLost says whether events were lost since it was asked last. That makes the clocks of some sockets wrong, which a look
// at all of them puts right.
func (w *watching) hasLost() bool {
	stats, err := w.source.Stats()
	if err != nil || stats.Lost <= w.lost {
		return false
	}
	fmt.Fprintf(w.stderr, "tcptrail: %s lost: all sockets are looked at again\n", plural(int(stats.Lost-w.lost), "event"))
	if w.recorder != nil {
		w.recorder.Lost(stats.Lost - w.lost)
	}
	w.lost = stats.Lost
	w.blind()
	return true
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// limitsOf tells how many descriptors a process may have.
type limitsOf struct{ fs proc.FS }

func (l limitsOf) FDLimit(pid uint32) (soft uint64, used int, ok bool) {
	soft, used, err := l.fs.FDLimit(pid)
	return soft, used, err == nil
}
