package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/tcptrail/tcptrail/internal/callsite"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/proc"
	"github.com/tcptrail/tcptrail/internal/symbolize"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// sites says where in the code sockets were opened. A nil *sites knows of none.
type sites struct {
	book     *callsite.Book
	resolver *symbolize.Resolver
	done     chan error
}

// openSites follows the stacks of a tracer from now on; nil if it has none.
func openSites(env *Env, source Source) *sites {
	tracer, ok := source.(interface{ Stacks() *kernel.Stacks })
	if !ok || tracer.Stacks() == nil {
		return nil
	}
	s := &sites{resolver: symbolize.NewResolver(), done: make(chan error, 1)}
	s.book = callsite.New(tracer.Stacks(), s.look(env.Proc))
	go func() { s.done <- s.book.Watch() }()
	return s
}

// close waits for the end of the stacks, after that of the tracer.
func (s *sites) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(<-s.done, s.resolver.Close())
}

// look returns what looks at a process: that which began then, and no later one of the same pid.
func (s *sites) look(fs proc.FS) callsite.Look {
	return func(pid uint32, started time.Duration) (callsite.Process, error) {
		began, err := fs.StartTime(pid) // first: it may end any moment, and pids do not come again that fast
		if err != nil {
			return nil, err
		}
		if began != started {
			return nil, fmt.Errorf("pid %d is another process now", pid)
		}
		image, err := s.resolver.Capture(int(pid))
		if err != nil {
			return nil, err
		}
		return looked{s.resolver, image}, nil
	}
}

// looked is a process that was looked at.
type looked struct {
	resolver *symbolize.Resolver
	image    *symbolize.Image
}

func (l looked) Learn(s symbolize.Stack) (callsite.Process, bool) {
	part, ok := l.image.Learn(s)
	if !ok {
		return nil, false
	}
	return looked{l.resolver, part}, true
}

func (l looked) Frames(s symbolize.Stack) []symbolize.Frame { return l.resolver.Resolve(l.image, s) }

// hold looks at a process that is kept from running.
func (s *sites) hold(fs proc.FS, pid int) {
	if s == nil {
		return
	}
	if started, err := fs.StartTime(uint32(pid)); err == nil { // else it was killed
		s.book.Hold(uint32(pid), started)
	}
}

// trim forgets what none of the sockets has, which are all there were at a time (CLOCK_MONOTONIC).
func (s *sites) trim(at int64, sockets []tcp.Socket) error {
	if s == nil {
		return nil
	}
	return s.book.Trim(at, sockets)
}

// name finds out where sockets were opened, which may take seconds the first time: before a report is made, which keeps
// events waiting.
func (s *sites) name(sockets []tcp.Socket) {
	if s == nil {
		return
	}
	for i := range sockets {
		if sockets[i].Stack != 0 {
			s.opened(&sockets[i])
		}
	}
}

// opened is leak.ReportOptions.Opened.
func (s *sites) opened(socket *tcp.Socket) (site uint64, by leak.Direction) {
	site, call := s.book.Opened(socket)
	switch call {
	case tcp.CallConnect:
		return site, leak.Outgoing
	case tcp.CallListen, tcp.CallAccept:
		return site, leak.Incoming
	}
	return site, 0
}

// site is output.FindingOptions.CallSite.
func (s *sites) site(number uint64) (output.Site, bool) {
	known, ok := s.book.Site(number)
	if !ok {
		return output.Site{}, false
	}
	site := output.Site{Call: known.Call.String(), Place: known.Place}
	for _, f := range known.Frames {
		site.Frames = append(site.Frames, output.Frame{
			Function: f.Function, File: f.File, Line: f.Line, Module: f.Module, Offset: f.Offset, PC: f.PC, Guess: f.Guess,
			Inlined: f.Inlined,
		})
	}
	return site, true
}
