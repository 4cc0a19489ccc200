package cli

import (
	"bytes"
	"errors"
	"io"
	"sync/atomic"
	"syscall"
)

// sink stands between the output's writer and its reader, and counts what the reader has taken, to the row. Only
// delivered may be read from other goroutines.
type sink struct {
	w         io.Writer
	header    bool // the first line is no transition
	pending   uint64
	delivered atomic.Uint64
}

// add announces a transition that the next Write may contain. A Write contains all that were announced, because
// output.Writer writes its whole buffer.
func (k *sink) add() { k.pending++ }

// total is how many were announced.
func (k *sink) total() uint64 { return k.delivered.Load() + k.pending }

// Write passes b on.
func (k *sink) Write(b []byte) (int, error) {
	n, err := k.w.Write(b)
	rows := k.pending
	if err != nil || n < len(b) {
		rows = uint64(bytes.Count(b[:n], []byte("\n")))
		if k.header && rows > 0 {
			rows--
		}
	}
	k.header = false
	k.pending -= rows
	k.delivered.Add(rows)
	return n, err
}

// ignoreClosed makes a reader that went away, as `head` does, a good end. A socket says it by ECONNRESET, too.
func ignoreClosed(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}
