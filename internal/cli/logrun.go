package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// keeper is where log keeps what it reads: a directoryKeeper or a forwardKeeper.
type keeper interface {
	// begin makes ready, now that the source is open.
	begin(source Source) error
	// event keeps a transition, at the latest when flush is called after a batch.
	event(e *tcp.Event)
	flush()
	// watch does what is to be done beside reading, until stop is closed. It calls ready once, when all that comes is kept.
	watch(source Source, ready func() error, stop <-chan struct{}) error
	// end is called once, when nothing else goes on any more, whatever became of begin.
	end(*kernel.Stats) error
	account() keptAccount
}

// keptAccount says what became of what was to be kept.
type keptAccount struct {
	done   string // the word for it, as "recorded"
	kept   uint64
	undone string // likewise
	lost   uint64
	where  string // more to say
}

// logging is one run of log.
type logging struct {
	env      *Env
	plan     *logPlan
	source   Source
	keeper   keeper
	pushed   filter.Filter // what the kernel decides of the filter
	rest     *filter.Expr
	filtered atomic.Uint64
	started  time.Time
}

func runLog(env *Env, p *logPlan) error {
	if err := keep(env, p.privileges()); err != nil {
		return err
	}
	l := &logging{env: env, plan: p, pushed: p.selection.filter, started: time.Now()}
	l.rest = p.selection.expr.Push(&l.pushed)
	if err := l.open(); err != nil {
		return err
	}
	p.selection.note(env)
	done, ended := make(chan error, 1), make(chan struct{})
	go func() {
		done <- readAll(l.source, l.handle, l.keeper.flush)
		close(ended)
	}()
	stuck, err := untilStopped(env, p.duration, func(stop <-chan struct{}) error {
		return l.keeper.watch(l.source, l.ready, either(stop, ended))
	})
	if stuck {
		return err
	}
	err = errors.Join(err, l.source.Stop(), <-done)
	return errors.Join(err, l.finish(err == nil))
}

// either returns what is closed when one of two is, one of which is in the end.
func either(a, b <-chan struct{}) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		defer close(c)
		select {
		case <-a:
		case <-b:
		}
	}()
	return c
}

// open opens everything, where to keep it first: that is the most likely not to be as it should.
func (l *logging) open() (err error) {
	if l.keeper, err = l.plan.open(l.env); err != nil {
		return err
	}
	if l.source, err = l.env.Open(kernel.Options{Filter: l.pushed, RingBytes: l.plan.ringBytes}); err != nil {
		return errors.Join(err, l.keeper.end(&kernel.Stats{}))
	}
	for _, note := range l.source.Notes() {
		fmt.Fprintf(l.env.Stderr, "tcptrail: %s\n", note)
	}
	if err = l.keeper.begin(l.source); err != nil {
		return errors.Join(err, l.source.Stop(), l.keeper.end(&kernel.Stats{}), l.source.Close())
	}
	return nil
}

func (l *logging) handle(e *tcp.Event) {
	if !l.pushed.MatchRest(e) || !l.rest.MatchEvent(e, l.plan.selection.host) {
		l.filtered.Add(1)
		return
	}
	l.keeper.event(e)
}

// ready tells who waits for it that everything is kept from now on.
func (l *logging) ready() error {
	if l.plan.ready == "" {
		return nil
	}
	return os.WriteFile(l.plan.ready, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
}

// finish ends it and says what became of everything.
func (l *logging) finish(sum bool) error {
	stats, counted := l.source.Stats()
	err := errors.Join(l.keeper.end(&stats), l.source.Close())
	if sum && counted == nil {
		fmt.Fprintf(l.env.Stderr, "tcptrail: %s\n", l.account(&stats))
	}
	return err
}

func (l *logging) account(k *kernel.Stats) string {
	a := l.keeper.account()
	line := fmt.Sprintf("seen %d, %s %d, lost %d, missed %d, filtered %d", k.Seen, a.done, a.kept, k.Lost, k.Missed,
		k.Filtered+l.filtered.Load())
	if a.lost > 0 {
		line += fmt.Sprintf(", %s %d", a.undone, a.lost)
	}
	if k.Untracked > 0 {
		line += fmt.Sprintf(", untracked %d", k.Untracked)
	}
	return fmt.Sprintf("%s in %v%s", line, time.Since(l.started).Round(time.Millisecond), a.where)
}
