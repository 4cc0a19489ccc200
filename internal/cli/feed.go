package cli

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/stream"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// feedLinger is for how long transitions are traced after the last reader has gone: it may come again at once.
const feedLinger = 5 * time.Second

// feed traces all transitions of some place while somebody reads them, and not otherwise.
type feed struct {
	env   *Env
	where filter.Filter
	fed   bool // by somebody who traces them anyway
	hub   *stream.Hub[tcp.Event]
	ended chan struct{} // closed by close

	mu      sync.Mutex
	source  Source     // nil: nobody reads
	done    chan error // of reading, and of adopting
	stopped bool
	unseen  atomic.Uint64 // events that were lost on their way here
}

// newFeed makes a feed. One that is fed leaves it to its caller to publish and to flush.
func newFeed(env *Env, where filter.Filter, fed bool) *feed {
	lines := output.NewLines()
	encode := func(line []byte, e *tcp.Event) []byte { return lines.Append(line, e) }
	f := &feed{env: env, where: where, fed: fed, hub: stream.NewHub(encode, 0), ended: make(chan struct{})}
	if !fed {
		go f.linger()
	}
	return f
}

func (f *feed) subscribe(match func(*tcp.Event) bool) (*stream.Subscription[tcp.Event], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return nil, stream.ErrClosed
	}
	s, err := f.hub.Subscribe(match)
	if err != nil {
		return nil, err
	}
	if f.source == nil && !f.fed {
		if err := f.begin(); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// begin opens a tracer, whose older sockets get owners meanwhile.
func (f *feed) begin() error {
	source, err := f.env.Open(kernel.Options{Filter: f.where})
	if err != nil {
		return err
	}
	f.source, f.done = source, make(chan error, 2)
	go func(done chan<- error) { done <- f.read(source) }(f.done)
	go func(done chan<- error) {
		_, err := source.Adopt()
		done <- err
	}(f.done)
	return nil
}

func (f *feed) read(source Source) error {
	lost := uint64(0)
	return readAll(source, f.hub.Publish, func() { lost = f.flush(source, lost) })
}

// flush shows readers what was published, and how many events the source has lost since there were so many. It returns how
// many there are.
func (f *feed) flush(source Source, lost uint64) uint64 {
	if stats, err := source.Stats(); err == nil && stats.Lost > lost {
		if !f.fed { // or they are counted already
			f.unseen.Add(stats.Lost - lost)
		}
		f.hub.Lose(stats.Lost - lost)
		lost = stats.Lost
	}
	f.hub.Flush()
	return lost
}

// linger ends the tracer some time after its last reader has gone.
func (f *feed) linger() {
	tick := time.NewTicker(feedLinger)
	defer tick.Stop()
	idle := false
	for {
		select {
		case <-f.ended:
			return
		case <-tick.C:
		}
		f.mu.Lock()
		if idle = f.source != nil && f.hub.Listening() == 0 && idle; idle {
			if err := f.end(); err != nil {
				fmt.Fprintf(f.env.Stderr, "tcptrail: events: %s\n", oneLine(err.Error()))
			}
		}
		idle = f.source != nil && f.hub.Listening() == 0
		f.mu.Unlock()
	}
}

// end closes the tracer. The caller holds the lock.
func (f *feed) end() error {
	if f.source == nil {
		return nil
	}
	err := errors.Join(f.source.Stop(), <-f.done, <-f.done, f.source.Close())
	f.source = nil
	return err
}

// feedState is how readers do.
type feedState struct {
	lost    uint64 // lines that they were too slow for, all together
	unseen  uint64 // events that never came to them
	readers int
}

func (f *feed) state() feedState {
	return feedState{lost: f.hub.Lost(), unseen: f.unseen.Load(), readers: f.hub.Listening()}
}

func (f *feed) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return nil
	}
	f.stopped = true
	close(f.ended)
	err := f.end()
	f.hub.Close()
	return err
}
