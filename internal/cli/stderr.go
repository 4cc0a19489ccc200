package cli

import (
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// impatient is a writer that waits for another no longer than limit. Stderr may be the same full pipe as stdout, as in
// `tcptrail 2>&1 | less`, and the end must not wait for someone to scroll. It may be used from several goroutines.
type impatient struct {
	w     io.Writer
	limit time.Duration
	mu    sync.Mutex
	stuck bool // after one that took too long, nothing more is tried
}

// Write passes b on as a whole, and returns os.ErrDeadlineExceeded when that takes too long.
func (i *impatient) Write(b []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stuck {
		return 0, os.ErrDeadlineExceeded
	}
	done := make(chan error, 1)
	go func(b []byte) { // outlives this call when it is stuck, so it needs bytes of its own
		_, err := i.w.Write(b)
		done <- err
	}(slices.Clone(b))
	timer := time.NewTimer(i.limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return len(b), err
	case <-timer.C:
		i.stuck = true
		return 0, os.ErrDeadlineExceeded
	}
}
