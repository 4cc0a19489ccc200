package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// session is one run of trace. One goroutine reads, so that a signal is heard even while the output blocks; one adopts
// older sockets; the one that runs the session hears of their end, and of everything else that ends it.
type session struct {
	env      *Env
	source   Source
	filter   filter.Filter // what the kernel decides of it, it has decided
	rest     *filter.Expr  // what is left of the expression
	host     filter.Host
	lasting  privilege.Set // what matching needs to the end
	limit    uint64
	started  time.Time
	out      *output.Writer // of the reading goroutine, as the next two
	sink     *sink
	writeErr error
	filtered atomic.Uint64
	beyond   atomic.Uint64
	stop     func() error // of the source, from any goroutine
	done     chan error   // of reading; nil when that has ended
	adopted  chan error   // likewise
}

func runTrace(env *Env, p *tracePlan) error {
	if err := keep(env, privilege.Trace|privilege.TraceOptional); err != nil {
		return err
	}
	pushed := p.selection.filter
	rest := p.selection.expr.Push(&pushed)
	o := kernel.Options{Filter: pushed, RingBytes: p.ringBytes}
	if p.pin {
		o.Pin = env.PinDir
	}
	source, err := env.Open(o)
	if err != nil {
		return err
	}
	for _, note := range source.Notes() {
		fmt.Fprintf(env.Stderr, "tcptrail: %s\n", note)
	}
	if !env.Proc.IsHostPIDNS() {
		fmt.Fprintf(env.Stderr, "tcptrail: in a PID namespace: pids shown are the host's, and older sockets of processes outside have no owner\n")
	}
	s := newSession(env, source, p)
	s.filter, s.rest, s.host, s.lasting = pushed, rest, p.selection.host, p.selection.privileges()
	err = errors.Join(s.run(p), s.summary(true))
	if s.done != nil || s.adopted != nil {
		return err // it is still in use: what the process leaves behind, the kernel frees
	}
	return errors.Join(err, source.Close())
}

func newSession(env *Env, source Source, p *tracePlan) *session {
	s := &session{
		env: env, source: source, limit: p.limit, started: time.Now(),
		sink: &sink{w: env.Stdout, header: p.output.Header && p.output.Format != output.JSON},
		stop: sync.OnceValue(source.Stop), done: make(chan error, 1), adopted: make(chan error, 1),
	}
	s.out = output.New(s.sink, p.output)
	return s
}

// run returns when the session is over, and why if that is an error.
func (s *session) run(p *tracePlan) error {
	go func(done chan<- error) { done <- s.read() }(s.done)
	go func(adopted chan<- error) { adopted <- s.adopt(p.ready) }(s.adopted)
	var timeout <-chan time.Time
	if p.duration > 0 {
		timer := time.NewTimer(p.duration)
		defer timer.Stop()
		timeout = timer.C
	}
	for {
		select {
		case err := <-s.done:
			s.done = nil
			return errors.Join(err, s.finish())
		case err := <-s.adopted:
			s.adopted = nil
			if err != nil {
				return errors.Join(err, s.end())
			}
		case <-timeout:
			return s.end()
		case <-s.env.Gone:
			return s.end()
		case signal := <-s.env.Signals:
			if signal != syscall.SIGUSR1 {
				return s.end()
			}
			if err := s.summary(false); err != nil {
				return errors.Join(err, s.end())
			}
		}
	}
}

// end stops the source, so that reading ends with what is in flight.
func (s *session) end() error {
	err := s.stop()
	return errors.Join(err, s.finish())
}

// finish waits for both goroutines, until the output proves to be stuck or too slow, or the user to be in a hurry.
func (s *session) finish() error {
	pause := time.NewTicker(s.env.drainLimit())
	defer pause.Stop()
	var errs []error
	for pauses, taken := 0, s.sink.delivered.Load(); s.done != nil || s.adopted != nil; {
		select {
		case err := <-s.done:
			s.done, errs = nil, append(errs, err)
		case err := <-s.adopted:
			s.adopted, errs = nil, append(errs, err)
		case signal := <-s.env.Signals:
			if signal != syscall.SIGUSR1 {
				s.abandon("interrupted again")
				return errors.Join(errs...)
			}
			errs = append(errs, s.summary(false))
		case <-pause.C:
			before := taken
			if taken = s.sink.delivered.Load(); taken == before || pauses == drainPauses {
				s.abandon("output takes too long")
				return errors.Join(errs...)
			}
			pauses++
		}
	}
	return errors.Join(errs...)
}

// abandon says that the output's reader does not get what is left for it. That is no error.
func (s *session) abandon(why string) {
	if s.done != nil {
		fmt.Fprintf(s.env.Stderr, "tcptrail: %s: what was left is not delivered\n", why)
	}
}

// read delivers events until the source is stopped, the limit is reached or the output is closed.
func (s *session) read() error {
	for {
		err := s.source.Read(s.handle)
		if writeErr := s.flush(); writeErr != nil {
			return errors.Join(ignoreClosed(writeErr), s.stop())
		}
		if errors.Is(err, kernel.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.isFull() {
			if err := s.stop(); err != nil {
				return err
			}
		}
	}
}

func (s *session) handle(e *tcp.Event) {
	switch {
	case !s.filter.MatchRest(e) || !s.rest.MatchEvent(e, s.host):
		s.filtered.Add(1)
	case s.isFull():
		s.beyond.Add(1)
	default:
		s.sink.add()
		if err := s.out.Event(e); err != nil {
			s.writeErr = err
		}
	}
}

func (s *session) isFull() bool { return s.limit > 0 && s.sink.total() >= s.limit }

// flush hands everything to the output's reader. After an error nothing more will be.
func (s *session) flush() error {
	if err := s.out.Flush(); err != nil {
		s.writeErr = err
	}
	if s.writeErr != nil {
		return fmt.Errorf("write output: %w", s.writeErr)
	}
	return nil
}

// adopt finds the owners of older sockets, and then gives up the privileges that only this needed.
func (s *session) adopt(ready string) error {
	unknown, err := s.source.Adopt()
	if err != nil {
		return err
	}
	if unknown > 0 {
		fmt.Fprintf(s.env.Stderr, "tcptrail: %s: %d of them for want of %s\n",
			privilege.TraceOptionalLoss, unknown, privilege.TraceOptional)
	}
	if err := keep(s.env, privilege.Trace|s.lasting); err != nil {
		return err
	}
	if ready == "" {
		return nil
	}
	return os.WriteFile(ready, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
}

// keep drops what is not needed. A binary built with cgo cannot, and traces with all it was given.
func keep(env *Env, set privilege.Set) error {
	if err := env.Keep(set); err != nil && !errors.Is(err, privilege.ErrCgo) {
		return fmt.Errorf("drop privileges: %w", err)
	}
	return nil
}

// summary prints the one line that says what became of everything that was seen.
func (s *session) summary(final bool) error {
	stats, err := s.source.Stats()
	if err != nil {
		return err
	}
	a := account{
		kernel: stats, delivered: s.sink.delivered.Load(), filtered: s.filtered.Load(), beyond: s.beyond.Load(),
		final: final, elapsed: time.Since(s.started),
	}
	fmt.Fprintf(s.env.Stderr, "tcptrail: %v\n", &a)
	return nil
}
