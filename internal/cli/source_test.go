package cli

import (
	"sync"
	"sync/atomic"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// fakeSource is a tracer that hands out what a test feeds it.
type fakeSource struct {
	batches  chan []tcp.Event // one for each Read
	failures chan error       // likewise
	stopped  chan struct{}
	stop     sync.Once
	adopting chan struct{} // Adopt waits until it is closed
	unknown  int           // what Adopt returns
	adoptErr error
	stopErr  error
	statsErr error
	notes    []string

	mu    sync.Mutex
	stats kernel.Stats

	users  atomic.Int32 // calls under way
	wrong  atomic.Bool  // closed while there were any
	closed atomic.Bool
}

var _ Source = (*fakeSource)(nil)

func newFakeSource() *fakeSource {
	f := &fakeSource{
		batches: make(chan []tcp.Event, 4096), failures: make(chan error, 1), stopped: make(chan struct{}),
		adopting: make(chan struct{}),
	}
	close(f.adopting)
	return f
}

// feed makes one Read hand out the events, which have been seen by then.
func (f *fakeSource) feed(events ...tcp.Event) {
	f.count(kernel.Stats{Seen: uint64(len(events))})
	f.batches <- events
}

// count adds to the counters.
func (f *fakeSource) count(s kernel.Stats) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Seen += s.Seen
	f.stats.Lost += s.Lost
	f.stats.Missed += s.Missed
	f.stats.Filtered += s.Filtered
	f.stats.Untracked += s.Untracked
}

// change changes the counters.
func (f *fakeSource) change(how func(*kernel.Stats)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how(&f.stats)
}

func (f *fakeSource) misused() bool { return f.wrong.Load() }

func (f *fakeSource) Read(handle func(*tcp.Event)) error {
	f.users.Add(1)
	defer f.users.Add(-1)
	select { // what was fed before a failure or the end comes before it
	case batch := <-f.batches:
		hand(batch, handle)
		return nil
	default:
	}
	select {
	case batch := <-f.batches:
		hand(batch, handle)
		return nil
	case err := <-f.failures:
		return err
	case <-f.stopped:
		return kernel.ErrStopped
	}
}

func hand(batch []tcp.Event, handle func(*tcp.Event)) {
	for i := range batch {
		handle(&batch[i])
	}
}

func (f *fakeSource) Adopt() (int, error) {
	f.users.Add(1)
	defer f.users.Add(-1)
	<-f.adopting
	return f.unknown, f.adoptErr
}

func (f *fakeSource) Stop() error {
	f.stop.Do(func() { close(f.stopped) })
	return f.stopErr
}

func (f *fakeSource) Stats() (kernel.Stats, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats, f.statsErr
}

func (f *fakeSource) Notes() []string { return f.notes }

func (f *fakeSource) Close() error {
	if f.users.Load() != 0 || f.closed.Swap(true) {
		f.wrong.Store(true)
	}
	return nil
}
