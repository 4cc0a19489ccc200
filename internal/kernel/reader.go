package kernel

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/tcptrail/tcptrail/internal/clock"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// ErrStopped is returned by Read when the tracer was stopped and everything it had is read.
var ErrStopped = errors.New("tracer stopped")

const (
	// pollInterval is how often the rings are read while records flow: a tenth of the time in which the busiest host
	// that we measured fills them, and short enough that eyes see no delay.
	pollInterval = 10 * time.Millisecond
	// quietPolls is how many empty polls in a row send the reader to sleep until a record wakes it: long enough that
	// a host with steady traffic never pays for wakeups, short enough that an idle one costs nothing.
	quietPolls = 20
	// sleepLimit bounds a sleep; nothing is known that would make it necessary.
	sleepLimit = 10 * time.Second
	// settleTime is how old a record must be to be handed out while others may still come: a program takes its time
	// stamp first and commits under a microsecond later, so that merging by time is exact unless a CPU stands still.
	settleTime = time.Millisecond
	// batchLimit is how many events Read hands out before it returns, so that its caller gets to flush and to look at
	// its signals while records keep flowing, and the programs get their slots back.
	batchLimit = 4096
)

// reader merges the rings by time. It sleeps between polls rather than be woken for each record, and only when nothing
// has come for a while does it ask the programs, through the variable reader_sleeps, to ring the doorbell.
type reader struct {
	rings    *rings
	doorbell *ringbuf.Reader
	sleeps   *ebpf.Variable
	clock    *clock.Wall
	ring     ringbuf.Record // of the doorbell, reused
	event    tcp.Event
	latest   int64 // time of the youngest event handed out
	quiet    int
	stopping atomic.Bool
	wake     chan struct{}
	timer    *time.Timer
	corrupt  atomic.Uint64
}

func newReader(maps *requiredMaps, sleeps *ebpf.Variable) (*reader, error) {
	doorbell, err := ringbuf.NewReader(maps.Doorbell)
	if err != nil {
		return nil, fmt.Errorf("open doorbell: %w", err)
	}
	rings, err := openRings(maps.Rings)
	if err != nil {
		return nil, errors.Join(err, doorbell.Close())
	}
	wall, err := clock.New()
	if err != nil {
		return nil, errors.Join(err, doorbell.Close(), rings.close())
	}
	return &reader{
		rings: rings, doorbell: doorbell, sleeps: sleeps, clock: wall,
		wake: make(chan struct{}, 1), timer: time.NewTimer(pollInterval),
	}, nil
}

// Read waits a while for events and calls handle for each, in the order of their time but for those that are Late, until
// none is left or a batch is full; there may have been none. The event is valid only during the call. It returns ErrStopped after Stop, when
// nothing is left.
func (t *Tracer) Read(handle func(*tcp.Event)) error { return t.reader.read(handle) }

func (r *reader) read(handle func(*tcp.Event)) error {
	if err := r.wait(); err != nil {
		return err
	}
	stopping := r.stopping.Load() // before reading: what was committed before Stop is read now
	n := r.drain(handle, stopping)
	switch {
	case n > 0:
		r.quiet = 0
	case stopping:
		return ErrStopped
	default:
		r.quiet++
	}
	return nil
}

// wait lets records gather, or sleeps until there is one.
func (r *reader) wait() error {
	if r.stopping.Load() {
		return nil
	}
	if r.quiet >= quietPolls {
		return r.sleep()
	}
	r.timer.Reset(pollInterval)
	select {
	case <-r.timer.C:
	case <-r.wake:
	}
	return nil
}

// sleep asks for a wakeup and waits for it. A program that committed its record before it could see the question rings
// no bell, but its record is in sight when settleTime is over.
func (r *reader) sleep() error {
	if err := r.sleeps.Set(true); err != nil {
		return fmt.Errorf("ask for a wakeup: %w", err)
	}
	time.Sleep(settleTime)
	if r.rings.look() {
		r.quiet = 0
		return nil
	}
	r.doorbell.SetDeadline(time.Now().Add(sleepLimit))
	err := r.doorbell.ReadInto(&r.ring)
	switch {
	case err == nil:
		r.quiet = 0
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, ringbuf.ErrFlushed):
	default:
		return fmt.Errorf("wait for the doorbell: %w", err)
	}
	return nil
}

// drain hands out what is in the rings and old enough, or everything when all programs are done.
func (r *reader) drain(handle func(*tcp.Event), all bool) (n int) {
	now := r.clock.Refresh()
	horizon := uint64(math.MaxUint64)
	if !all {
		horizon = uint64(now - settleTime.Nanoseconds())
	}
	if !r.rings.look() {
		return 0
	}
	defer r.rings.release()
	for n < batchLimit {
		c := r.rings.earliest()
		if c == nil || c.time > horizon {
			break
		}
		r.hand(c.record(r.rings.mask), handle)
		c.next++
		c.look(r.rings.mask)
		n++
	}
	return n
}

func (r *reader) hand(record *bpfClosingRecord, handle func(*tcp.Event)) {
	if err := decode(record, &r.event); err != nil {
		r.corrupt.Add(1)
		return
	}
	if r.event.Mono < r.latest { // its CPU stood still for longer than settleTime, as a virtual one may
		r.event.Late = true
	}
	r.latest = max(r.latest, r.event.Mono)
	r.event.Time = r.clock.At(r.event.Mono)
	handle(&r.event)
}

// stop lets read finish what there is. Every program has ended by now.
func (r *reader) stop() error {
	r.stopping.Store(true)
	select {
	case r.wake <- struct{}{}:
	default:
	}
	if err := r.doorbell.Flush(); err != nil && !errors.Is(err, ringbuf.ErrClosed) {
		return fmt.Errorf("wake the reader: %w", err)
	}
	return nil
}

func (r *reader) close() error {
	r.timer.Stop()
	return errors.Join(r.doorbell.Close(), r.rings.close())
}
