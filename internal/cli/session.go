package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// drainLimit is how long an ended session waits for an output that takes nothing more. What it could not deliver by
// then is counted as lost.
const drainLimit = 2 * time.Second

// session is one run of trace. Its counters are read by the summary while the reading goroutine goes on.
type session struct {
	env       *Env
	source    Source
	out       *output.Writer
	filter    *filter.Filter
	limit     uint64
	started   time.Time
	delivered atomic.Uint64 // written and taken
	filtered  atomic.Uint64 // refused here, after what the kernel refused
	beyond    atomic.Uint64 // came after the limit was reached
	pending   uint64        // written and not yet flushed; of the reading goroutine
	writeErr  error         // of the reading goroutine
}

func runTrace(env *Env, p *tracePlan) error {
	if err := keep(env, privilege.Trace|privilege.TraceOptional); err != nil {
		return err
	}
	source, err := env.Open(kernel.Options{Filter: p.filter, RingBytes: p.ringBytes})
	if err != nil {
		return err
	}
	defer source.Close()
	for _, note := range source.Notes() {
		fmt.Fprintf(env.Stderr, "tcptrail: %s\n", note)
	}
	s := &session{
		env: env, source: source, filter: &p.filter, limit: p.limit,
		out: output.New(env.Stdout, p.output), started: time.Now(),
	}
	return s.run(p)
}

// run reads in one goroutine, so that a signal is heard even while the output blocks.
func (s *session) run(p *tracePlan) error {
	done := make(chan error, 1)
	go func() { done <- s.read() }()
	adopted := make(chan error, 1)
	go func() { adopted <- s.adopt(p.ready) }()

	var timeout <-chan time.Time
	if p.duration > 0 {
		timer := time.NewTimer(p.duration)
		defer timer.Stop()
		timeout = timer.C
	}
	err := s.wait(done, adopted, timeout)
	return errors.Join(err, s.summary())
}

// wait returns when the session is over, and why if that is an error.
func (s *session) wait(done, adopted <-chan error, timeout <-chan time.Time) error {
	for {
		select {
		case err := <-done:
			return err
		case err := <-adopted:
			if err != nil {
				return err
			}
		case <-timeout:
			return s.end(done)
		case <-s.env.Gone:
			return s.end(done)
		case signal := <-s.env.Signals:
			if signal != syscall.SIGUSR1 {
				return s.end(done)
			}
			if err := s.summary(); err != nil {
				return err
			}
		}
	}
}

// end stops the source and waits until what is in flight is delivered, or the output proves to be stuck.
func (s *session) end(done <-chan error) error {
	if err := s.source.Stop(); err != nil {
		return err
	}
	timer := time.NewTimer(drainLimit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		fmt.Fprintf(s.env.Stderr, "tcptrail: output takes nothing more: what was left for it is lost\n")
		return nil
	}
}

// read delivers events until the source is stopped, the limit is reached or the output is closed.
func (s *session) read() error {
	for {
		err := s.source.Read(s.handle)
		if flushErr := s.flush(); flushErr != nil {
			return errors.Join(ignoreClosed(flushErr), s.source.Stop())
		}
		if errors.Is(err, kernel.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.isFull() {
			if err := s.source.Stop(); err != nil {
				return err
			}
		}
	}
}

func (s *session) handle(e *tcp.Event) {
	switch {
	case !s.filter.MatchRest(e):
		s.filtered.Add(1)
	case s.isFull():
		s.beyond.Add(1)
	default:
		s.pending++
		if err := s.out.Event(e); err != nil && s.writeErr == nil {
			s.writeErr = err
		}
	}
}

func (s *session) isFull() bool { return s.limit > 0 && s.delivered.Load()+s.pending >= s.limit }

// flush hands everything to the output's reader. What it takes is delivered; after an error nothing more will be.
func (s *session) flush() error {
	if err := s.out.Flush(); err != nil && s.writeErr == nil {
		s.writeErr = err
	}
	if s.writeErr != nil {
		return fmt.Errorf("write output: %w", s.writeErr)
	}
	s.delivered.Add(s.pending)
	s.pending = 0
	return nil
}

// ignoreClosed makes a reader that went away, as `head` does, a good end.
func ignoreClosed(err error) error {
	if errors.Is(err, unix.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// adopt finds the owners of older sockets, and then gives up the privileges that only this needed.
func (s *session) adopt(ready string) error {
	unknown, err := s.source.Adopt()
	if err != nil {
		return err
	}
	if unknown > 0 {
		fmt.Fprintf(s.env.Stderr, "tcptrail: %d of them: %s\n", unknown, privilege.TraceOptionalLoss)
	}
	if err := keep(s.env, privilege.Trace); err != nil {
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
func (s *session) summary() error {
	stats, err := s.source.Stats()
	if err != nil {
		return err
	}
	delivered, filtered, beyond := s.delivered.Load(), stats.Filtered+s.filtered.Load(), s.beyond.Load()
	fmt.Fprintf(s.env.Stderr, "tcptrail: seen %d, delivered %d, lost %d, missed %d, filtered %d",
		stats.Seen, delivered, stats.Lost, stats.Missed, filtered)
	if beyond > 0 {
		fmt.Fprintf(s.env.Stderr, ", after the limit %d", beyond)
	}
	if waiting := int64(stats.Seen - delivered - stats.Lost - filtered - beyond); waiting > 0 {
		fmt.Fprintf(s.env.Stderr, ", not delivered %d", waiting)
	}
	if stats.Untracked > 0 {
		fmt.Fprintf(s.env.Stderr, ", untracked %d", stats.Untracked)
	}
	fmt.Fprintf(s.env.Stderr, " in %v\n", time.Since(s.started).Round(time.Millisecond))
	return nil
}
