package cli

import (
	"errors"
	"sync"
	"time"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// followerShare is one part in how much of the time goes into snapshots: ten percent of one CPU at most. A host with so
// many sockets that a snapshot takes longer gets fewer of them.
const followerShare = 10

// follower counts a part of the host's sockets: by a snapshot for each sample, and the transitions between by reading
// them.
type follower struct {
	source    Source
	snapshots Snapshots
	selection *selection
	pushed    filter.Filter
	rest      *filter.Expr
	budget    budget
	counts    tcp.Counts
	last      time.Time
	now       func() time.Time
	done      chan error // of reading

	mu          sync.Mutex
	transitions [tcp.States + 1][tcp.States + 1]uint64 // since the last sample
}

func newFollower(env *Env, s *selection) (_ *follower, err error) {
	f := &follower{
		selection: s, pushed: s.filter, budget: budget{share: followerShare}, now: env.clock(), done: make(chan error, 1),
	}
	f.rest = s.expr.Push(&f.pushed)
	if f.source, err = env.Open(kernel.Options{Filter: f.pushed}); err != nil {
		return nil, err
	}
	o := s.snapshotOptions()
	o.Tracer, _ = f.source.(*kernel.Tracer) // in tests there is none
	if f.snapshots, err = env.OpenSnapshots(o); err != nil {
		return nil, errors.Join(err, f.source.Stop(), f.source.Close())
	}
	go func() { f.done <- f.read() }()
	// For filters that ask for the owner: transitions of older sockets have one from here on.
	if _, err := f.source.Adopt(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *follower) read() error {
	for {
		if err := f.source.Read(f.note); err != nil {
			return err
		}
	}
}

func (f *follower) note(e *tcp.Event) {
	if !f.pushed.MatchRest(e) || !f.rest.MatchEvent(e, f.selection.host) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.transitions[e.Old][e.New]++
}

func (f *follower) take() (transitions [tcp.States + 1][tcp.States + 1]uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	transitions, f.transitions = f.transitions, transitions
	return transitions
}

func (f *follower) sample() (output.LiveSample, error) {
	select {
	case err := <-f.done:
		f.done <- kernel.ErrStopped // so that close does not tell it again
		return output.LiveSample{}, err
	default:
	}
	began := f.now()
	looked := f.budget.due(began)
	if looked {
		snapshot, err := f.snapshots.Take()
		if err != nil {
			return output.LiveSample{}, explainWalk(err)
		}
		f.counts = tcp.Counts{}
		for i := range snapshot.Sockets {
			if s := &snapshot.Sockets[i]; f.selection.selects(s) {
				f.counts.Count(s)
			}
		}
		f.budget.spent(began, f.now())
	}
	stats, err := f.source.Stats()
	if err != nil {
		return output.LiveSample{}, err
	}
	now := f.now()
	s := output.LiveSample{
		Time: now.UnixNano(), Counts: f.counts, Transitions: f.take(), Missed: stats.Missed, Lost: stats.Lost,
		Reconciled: looked,
	}
	if !f.last.IsZero() {
		s.Elapsed = now.Sub(f.last)
	}
	f.last = now
	return s, nil
}

func (f *follower) close() error {
	err := f.source.Stop()
	if ended := <-f.done; !errors.Is(ended, kernel.ErrStopped) {
		err = errors.Join(err, ended)
	}
	return errors.Join(err, f.snapshots.Close(), f.source.Close())
}
