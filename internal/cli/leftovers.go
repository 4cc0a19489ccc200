package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/clock"
	"github.com/tcptrail/tcptrail/internal/family"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// maxLeftovers bounds what is kept of sockets that were left: 40 MB of them. Who leaks more knows it by then.
const maxLeftovers = 100_000

// Family is a command that was started; *family.Family is one, and says what the methods do.
type Family interface {
	PID() int
	Release() error
	Wait() (exit int, err error)
}

// leftovers are the sockets that processes of a command left when they ended, or closed when it was overdue.
type leftovers struct {
	limits leak.Limits
	left   []tcp.Socket
	late   []tcp.Socket     // closed overdue
	more   int              // beyond maxLeftovers
	ends   map[uint32]int64 // by process, when the kernel began to close what it left (CLOCK_MONOTONIC)
}

func (l *leftovers) observe(e *tcp.Event) {
	if e.Left && l.isOfTheEnd(e) {
		return
	}
	s := leak.Leftover(e)
	c := leak.Condition(s.State)
	if s.Zombie {
		c = leak.Zombie
	}
	if _, wanted := l.limits.Of(c); !wanted {
		return
	}
	switch {
	case len(l.left)+len(l.late) == maxLeftovers:
		l.more++
	case e.Left:
		l.left = append(l.left, s)
	default:
		l.late = append(l.late, s)
	}
}

// isOfTheEnd says whether a socket got where it is only when its holder ended: the kernel closed the other end first.
func (l *leftovers) isOfTheEnd(e *tcp.Event) bool {
	began, known := l.ends[e.PID]
	if !known {
		if l.ends == nil {
			l.ends = map[uint32]int64{}
		}
		if len(l.ends) < maxLeftovers {
			l.ends[e.PID] = e.Mono
		}
		return false
	}
	return e.InOld != tcp.Unknown && e.Mono-int64(e.InOld) >= began
}

// runCommand runs a command and reports what it leaked.
func runCommand(env *Env, p *runPlan) error {
	report, closeReport, err := p.openReport(env)
	if err != nil {
		return usageError{err}
	}
	w, err := openRunWatch(env, p)
	if err != nil {
		return errors.Join(err, closeReport())
	}
	exit, err := w.run(env, p)
	var start *family.StartError
	if errors.As(err, &start) {
		fmt.Fprintf(env.Stderr, "tcptrail: run %s\n", oneLine(start.Error()))
		return errors.Join(exitError(start.Exit), closeReport())
	}
	if err != nil {
		return errors.Join(err, closeReport())
	}
	leaked, err := w.report(env, output.NewFindings(report, w.findingOptions(p)))
	if err = errors.Join(err, closeReport(), w.close()); err != nil {
		return err
	}
	if leaked > 0 {
		fmt.Fprintf(env.Stderr, "tcptrail: leaked %s; the command itself ended with exit code %d\n", plural(leaked, "socket"), exit)
		return errFound
	}
	fmt.Fprintf(env.Stderr, "tcptrail: no socket was left open in %s\n", conditionsOf(&p.limits))
	return exitError(exit)
}

// runWatch is what looks on while a command runs.
type runWatch struct {
	source    Source
	snapshots Snapshots
	sites     *sites
	clock     *clock.Wall
	labels    *labels
	left      leftovers
	last      *tcp.Snapshot   // of the sockets that there are after the command's end
	alive     map[uint32]bool // descendants then
	lost      uint64
	untracked uint64 // transitions of sockets that nothing could be kept about, of the whole host
	anyAge    bool
}

func openRunWatch(env *Env, p *runPlan) (w *runWatch, err error) {
	w = &runWatch{left: leftovers{limits: p.limits}, anyAge: p.anyAge}
	if w.clock, err = clock.New(); err != nil {
		return nil, err
	}
	if w.labels, err = newLabels(env.Proc); err != nil {
		return nil, err
	}
	self := uint32(os.Getpid())
	if w.source, err = env.Open(kernel.Options{Stacks: true, Family: self, LeftOnly: true, Overdue: p.maxAge}); err != nil {
		return nil, err
	}
	o := kernel.SnapshotOptions{States: p.limits.Snapshot()}
	o.Tracer, _ = w.source.(*kernel.Tracer)
	if w.snapshots, err = env.OpenSnapshots(o); err != nil {
		return nil, errors.Join(err, w.source.Stop(), w.source.Close())
	}
	w.sites = openSites(env, w.source)
	return w, nil
}

// run starts the command, with the rights that we have, and only then gives up those that we do not need.
func (w *runWatch) run(env *Env, p *runPlan) (exit int, err error) {
	done := make(chan error, 1)
	go func() { done <- readAll(w.source, w.left.observe, nil) }()
	running, err := env.Start(&p.command)
	if err == nil {
		exit, err = w.accompany(env, running)
	}
	stop := w.source.Stop()
	if read := <-done; err == nil {
		err = errors.Join(stop, read)
	}
	if stats, counted := w.source.Stats(); counted == nil {
		w.lost, w.untracked = stats.Lost, stats.Untracked
	}
	if err != nil {
		return exit, errors.Join(err, w.close())
	}
	return exit, nil
}

// close frees what reports need no more.
func (w *runWatch) close() error {
	return errors.Join(w.sites.close(), w.snapshots.Close(), w.source.Close())
}

// accompany waits for the command's end, and looks at what is there then.
func (w *runWatch) accompany(env *Env, running Family) (exit int, err error) {
	if err := keep(env, listPrivileges|privilege.SetOf(privilege.Kill)); err != nil {
		return 0, err
	}
	w.sites.hold(env.Proc, running.PID())
	if err := running.Release(); err != nil {
		return 0, err
	}
	if exit, err = running.Wait(); err != nil {
		return 0, err
	}
	if w.last, err = w.snapshots.Take(); err != nil {
		return 0, err
	}
	w.alive, err = env.Proc.Descendants(uint32(os.Getpid()))
	return exit, err
}

// report writes what was leaked, and returns how many sockets that are.
func (w *runWatch) report(env *Env, out *output.Findings) (leaked int, err error) {
	now := w.clock.Refresh()
	findings := w.judge(env, w.withLiving(w.left.left), now)
	leak.Became(leak.Left, findings, func(pid uint32) bool { return !w.alive[pid] })
	late := w.judge(env, w.left.late, now)
	leak.Became(leak.Overdue, late, func(uint32) bool { return true })
	findings = append(findings, late...)
	for i := range findings {
		leaked += findings[i].Count
	}
	if leaked > 0 {
		err = wrote(out.Report(findings, w.clock.At(now)))
	}
	if w.left.more > 0 {
		fmt.Fprintf(env.Stderr, "tcptrail: %s more were left: the report has the first %d\n", plural(w.left.more, "socket"), maxLeftovers)
	}
	if w.lost > 0 {
		fmt.Fprintf(env.Stderr, "tcptrail: %s lost: more may have leaked\n", plural(int(w.lost), "event"))
	}
	if w.untracked > 0 {
		fmt.Fprintf(env.Stderr, "tcptrail: %s on this host could not be followed for want of memory for their sockets "+
			"(sysctl net.core.optmem_max): more may have leaked\n", plural(int(w.untracked), "transition"))
	}
	return leaked, err
}

// judge makes findings of sockets.
func (w *runWatch) judge(env *Env, sockets []tcp.Socket, now int64) []leak.Finding {
	snapshot := *w.last
	snapshot.Sockets = sockets
	watcher := leak.NewWatcher(leak.WatchOptions{Limits: w.left.limits})
	o := leak.ReportOptions{Unproven: true}
	if w.sites != nil {
		o.Opened = w.sites.opened
	}
	return leak.NewReporter(watcher, o).Report(now, &snapshot, limitsOf{env.Proc})
}

// withLiving adds to sockets those that living descendants hold, and the listeners that explain them.
func (w *runWatch) withLiving(sockets []tcp.Socket) []tcp.Socket {
	for i := range w.last.Sockets {
		s := &w.last.Sockets[i]
		if s.State != tcp.Listen && !w.isHeld(s) {
			continue
		}
		if w.anyAge { // payload that came a moment ago keeps nobody out
			s.LastSent, s.LastReceived = tcp.Unknown, tcp.Unknown
		}
		sockets = append(sockets, *s)
	}
	return sockets
}

func (w *runWatch) isHeld(s *tcp.Socket) bool {
	for i := range s.Holders {
		if w.alive[s.Holders[i].PID] {
			return true
		}
	}
	return s.Unaccepted && w.alive[s.PID]
}

// conditionsOf names what is looked for, as a sentence does.
func conditionsOf(l *leak.Limits) string {
	var names []string
	for _, c := range leftConditions {
		if _, ok := l.Of(c); ok {
			names = append(names, c.String())
		}
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// plural returns a number of things whose name takes an s.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func (w *runWatch) findingOptions(p *runPlan) output.FindingOptions {
	o := output.FindingOptions{Format: p.format, Names: w.labels.ofList(), NetNS: w.labels.own, Location: time.Local, Limits: p.limits}
	if w.sites != nil {
		o.CallSite = w.sites.site
	}
	return o
}
