package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/replay"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// playback is a recording that stands for the host.
type playback struct {
	player  *replay.Player
	sockets *record.Sockets
	table   *replay.Table
	session record.SessionInfo // the first one's
	first   *record.Record     // read, and not played yet
	span    span
	speed   float64 // 0: as fast as possible
	missing int     // sockets of looks whose lines are gone
	began   time.Time
	from    int64 // the first line's time, ns since 1970
}

func openPlayback(env *Env, path string, s span, speed float64) (*playback, error) {
	streams, err := replay.Streams(env.stdin(), path)
	if err != nil {
		return nil, err
	}
	player, err := replay.Open(streams)
	if err != nil {
		return nil, err
	}
	p := &playback{player: player, sockets: record.NewSockets(), table: replay.NewTable(), span: s, speed: speed, began: time.Now()}
	p.first, err = player.Next()
	switch {
	case errors.Is(err, io.EOF):
		stats := player.Stats()
		if stats.First != nil {
			return nil, fmt.Errorf("not a recording: %w", stats.First)
		}
		return nil, fmt.Errorf("%s: %w", path, replay.ErrNoRecording)
	case err != nil:
		return nil, errors.Join(err, player.Close())
	}
	if p.first.Kind == record.Session {
		p.session = p.first.Session
	}
	p.from = p.first.Time
	return p, nil
}

// next returns the next line of the span; io.EOF at its end.
func (p *playback) next() (*record.Record, error) {
	r := p.first
	p.first = nil
	if r == nil {
		var err error
		if r, err = p.player.Next(); err != nil {
			return nil, err
		}
	}
	if p.span.until != 0 && r.Time > p.span.until {
		return nil, io.EOF
	}
	if p.speed > 0 {
		time.Sleep(time.Until(p.began.Add(time.Duration(float64(r.Time-max(p.from, p.span.since)) / p.speed))))
	}
	return r, nil
}

// snapshot returns what a look saw.
func (p *playback) snapshot(r *record.Record) (*tcp.Snapshot, error) {
	s, missing, err := p.sockets.Snapshot(r)
	p.missing += missing
	return s, err
}

// settle plays all, and leaves the sockets of the end.
func (p *playback) settle() (*tcp.Snapshot, error) {
	for {
		r, err := p.next()
		if errors.Is(err, io.EOF) {
			return p.table.Snapshot(), nil
		}
		if err != nil {
			return nil, err
		}
		switch r.Kind {
		case record.Session:
			p.sockets, p.table = record.NewSockets(), replay.NewTable()
		case record.Transition:
			p.table.Apply(&r.Event)
		case record.Socket:
			err = p.sockets.Add(r)
		case record.LookOver:
			var s *tcp.Snapshot
			if s, err = p.snapshot(r); err == nil && r.Look.Baseline {
				p.table.Baseline(s, r.Look.Now, r.Time)
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

// lend makes an Env look at the recording.
func (p *playback) lend(env *Env) {
	env.recording = p
	env.Open = func(o kernel.Options) (Source, error) { return &playedSource{playback: p, filter: o.Filter}, nil }
	env.OpenSnapshots = func(o kernel.SnapshotOptions) (Snapshots, error) { return playedSnapshots{p, env, o}, nil }
	env.OpenCounter = func(o kernel.SnapshotOptions) (Counter, error) { return playedSnapshots{p, env, o}, nil }
	env.CountStates = func(o kernel.SnapshotOptions) (tcp.Counts, error) { return playedSnapshots{p, env, o}.counts() }
}

// account says what could not be played.
func (p *playback) account(env *Env) {
	s := p.player.Stats()
	if s.Bad > 0 {
		fmt.Fprintf(env.Stderr, "tcptrail: %s could not be read, the first in %s\n", plural(int(s.Bad), "line"), oneLine(s.First.Error()))
	}
	if s.Torn > 0 {
		fmt.Fprintf(env.Stderr, "tcptrail: %s torn off\n", plural(int(s.Torn), "last line"))
	}
	if s.Lost > 0 {
		fmt.Fprintf(env.Stderr, "tcptrail: %s lost while it was recorded\n", plural(int(s.Lost), "event"))
	}
	if p.missing > 0 {
		fmt.Fprintf(env.Stderr, "tcptrail: %s missing from looks: older files are gone\n", plural(p.missing, "socket"))
	}
}

func (p *playback) close() error { return p.player.Close() }

// playedSource is a tracer that traces what was recorded.
type playedSource struct {
	*playback
	filter  filter.Filter
	stopped atomic.Bool
	seen    atomic.Uint64
	refused atomic.Uint64
}

// playedBatch is after how many lines the output is flushed.
const playedBatch = 1024

// Read hands out some of the transitions.
func (s *playedSource) Read(handle func(*tcp.Event)) error {
	for range playedBatch {
		if s.stopped.Load() {
			return kernel.ErrStopped
		}
		r, err := s.next()
		if errors.Is(err, io.EOF) {
			return kernel.ErrStopped
		}
		if err != nil {
			return err
		}
		if r.Kind != record.Transition || r.Time < s.span.since {
			continue
		}
		s.seen.Add(1)
		if !s.filter.Match(&r.Event) {
			s.refused.Add(1)
			continue
		}
		handle(&r.Event)
		if s.speed > 0 {
			return nil
		}
	}
	return nil
}

// Adopt has nothing to do: who owned what is recorded.
func (s *playedSource) Adopt() (int, error) { return 0, nil }

// Stop ends it with the line that is being played.
func (s *playedSource) Stop() error { s.stopped.Store(true); return nil }

// Stats counts what was played.
func (s *playedSource) Stats() (kernel.Stats, error) {
	return kernel.Stats{Seen: s.seen.Load(), Filtered: s.refused.Load()}, nil
}

// Notes has none.
func (s *playedSource) Notes() []string { return nil }

// Close leaves the recording to who opened it.
func (s *playedSource) Close() error { return nil }

// playedSnapshots look at the end of a recording.
type playedSnapshots struct {
	*playback
	env *Env
	o   kernel.SnapshotOptions
}

// Take plays the recording.
func (s playedSnapshots) Take() (*tcp.Snapshot, error) {
	snapshot, err := s.settle()
	if err != nil {
		return nil, err
	}
	if !s.table.IsWhole() {
		fmt.Fprintln(s.env.Stderr, "tcptrail: the recording has no beginning: sockets without a transition in it are missing")
	}
	snapshot.Sockets = slices.DeleteFunc(snapshot.Sockets, func(k tcp.Socket) bool {
		return s.o.NetNS != nil && !slices.Contains(s.o.NetNS, k.NetNS) || s.o.States != 0 && s.o.States&k.States() == 0
	})
	return snapshot, nil
}

// TakeUntil is Take: there is nothing to be saved.
func (s playedSnapshots) TakeUntil(tcp.Horizon) (*tcp.Snapshot, error) { return s.Take() }

// Watch has nothing to do.
func (s playedSnapshots) Watch() error { return nil }

// Count counts the sockets.
func (s playedSnapshots) Count() (tcp.Tally, error) {
	var t tcp.Tally
	snapshot, err := s.Take()
	if err != nil {
		return t, err
	}
	for i := range snapshot.Sockets {
		switch k := &snapshot.Sockets[i]; {
		case k.Zombie:
			t.Zombies++
		case k.Kind == tcp.Full:
			t.Full[k.State]++
		default:
			t.Bare[k.State]++
		}
	}
	return t, nil
}

func (s playedSnapshots) counts() (tcp.Counts, error) {
	t, err := s.Count()
	return t.Counts(), err
}

// Close leaves the recording to who opened it.
func (s playedSnapshots) Close() error { return nil }

// stdin returns standard input.
func (e *Env) stdin() io.Reader {
	if e.Stdin != nil {
		return e.Stdin
	}
	return os.Stdin
}
