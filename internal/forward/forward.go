// Package forward sends transitions to a log of the host, the journal or syslog, as they happen. Whoever hands them over
// never waits: they queue, within bounds, and what the log does not take in time is counted, told of and noted in the log
// itself when it takes something again.
package forward

import (
	"context"
	"sync"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	// maxWaiting is how many transitions wait for the log: a journald that is restarted is away for about a second, and a busy
	// host makes 10,000 a second. As many again may be on their way; all of them take 8 MB.
	maxWaiting = 16 << 10
	// chunk is how many messages are sent at a time: enough for what that costs beside the messages not to matter.
	chunk = 64
	// sendLimit is how long a log may take for a chunk: 1000 times what one takes that is well.
	sendLimit = 5 * time.Second
	// retryEvery is how long to wait after a failure.
	retryEvery = time.Second
	// calm is for how long nothing may have been lost or refused until a log is taken for well again: one that is too slow, or
	// a datagram's receiver that is not there, takes something every now and then.
	calm = 5 * time.Second
)

// Stats say what became of transitions.
type Stats struct {
	Sent uint64 // the kernel has taken them
	Lost uint64 // the log did not take them in time
}

// Forwarder sends transitions to a log. All methods may be used from several goroutines; none but Close waits.
type Forwarder struct {
	log   Log
	warn  func(text string)
	times times
	wake  chan struct{} // has room for one
	quit  chan struct{} // closed by Close
	done  chan struct{} // closed when the worker has ended
	cut   context.CancelFunc

	mu      sync.Mutex
	waiting []tcp.Event
	missing missing // that the log was not told of
	given   uint64
	stats   Stats
	closing bool
}

// missing are transitions that are not in the log.
type missing struct {
	before uint64 // lost before they came here
	here   uint64
}

// times are how long things take; tests have others.
type times struct{ send, retry, calm time.Duration }

// New sends to a log, which it closes in the end. Warn is told, from another goroutine, when the log begins not to take what
// is sent, and when that is over.
func New(l Log, warn func(text string)) *Forwarder {
	return begin(l, warn, times{sendLimit, retryEvery, calm})
}

func begin(l Log, warn func(text string), t times) *Forwarder {
	ctx, cut := context.WithCancel(context.Background())
	f := &Forwarder{
		log: l, warn: warn, times: t, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}), cut: cut,
	}
	go newWorker(ctx, f).run()
	return f
}

// Event hands a transition over, which is copied. It may be kept until Flush.
func (f *Forwarder) Event(e *tcp.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.given++
	if len(f.waiting) >= maxWaiting || f.closing {
		f.missing.here++
		f.stats.Lost++
		return
	}
	f.waiting = append(f.waiting, *e)
}

// Lost says that n transitions were lost before they came here, for the log to have it.
func (f *Forwarder) Lost(n uint64) {
	f.mu.Lock()
	f.missing.before += n
	f.mu.Unlock()
	f.Flush()
}

// Flush lets what was handed over be sent, soon.
func (f *Forwarder) Flush() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Stats returns what has become of transitions. Those that wait are neither sent nor lost.
func (f *Forwarder) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// Close sends what waits, as long as the log takes it and the context does not end; the rest is lost. It is called once.
func (f *Forwarder) Close(ctx context.Context) error {
	f.mu.Lock()
	f.closing = true
	f.mu.Unlock()
	close(f.quit)
	stop := context.AfterFunc(ctx, f.cut)
	<-f.done
	stop()
	f.cut()
	f.mu.Lock()
	f.stats.Lost = f.given - f.stats.Sent
	f.mu.Unlock()
	return f.log.Close()
}
