// Package clock turns the kernel's monotonic time into wall clock time.
package clock

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// tries is how often one sample is taken, as each may be torn by an interrupt. Of three, the narrowest is within a
// microsecond even on a busy machine, and they cost less than two.
const tries = 3

// Wall converts CLOCK_MONOTONIC, as bpf_ktime_get_ns() reads it, to the wall clock. A Wall serves one goroutine.
//
// A step of the wall clock moves the result for all events that are converted after the next sample, also for those
// that happened before the step: the wall clock's present idea of that moment. So wall time may run backwards between
// events; monotonic time never does. It stands still while the machine sleeps, and the wall clock is ahead afterwards.
type Wall struct {
	read   reader
	ahead  int64 // how far our CLOCK_MONOTONIC is ahead of the kernel's own, by a time namespace, ns
	offset int64 // CLOCK_REALTIME less the kernel's monotonic time, ns
	now    int64 // the kernel's monotonic time at the last sample, ns
}

// reader returns the time of a clock (CLOCK_MONOTONIC …) in ns.
type reader func(id int32) (int64, error)

// New returns a converter that has taken its first sample. It fails only where clock_gettime or a file in /proc/self is
// forbidden.
func New() (*Wall, error) {
	ahead, err := timeNamespaceOffset("/proc/self")
	if err != nil {
		return nil, err
	}
	return newWall(gettime, ahead)
}

func newWall(read reader, ahead int64) (*Wall, error) {
	w := &Wall{read: read, ahead: ahead}
	if err := w.sample(); err != nil {
		return nil, err
	}
	return w, nil
}

// At returns the wall clock in ns since 1970 at the kernel's monotonic time, ns. It makes no system call and allocates
// nothing. It may be asked about the past and the future alike.
func (w *Wall) At(mono int64) int64 { return mono + w.offset }

// Refresh looks at the clocks again, so that a step of the wall clock or a sleep of the machine shows at once, and
// returns the kernel's monotonic time, ns. Call it once a batch of events. It allocates nothing. If the clocks cannot be
// read, the last sample stands.
func (w *Wall) Refresh() (now int64) {
	_ = w.sample()
	return w.now
}

// sample reads the wall clock between two readings of monotonic time, several times, and believes the pair that lies
// closest together: its middle is at most half its width away from the moment when the wall clock was read.
func (w *Wall) sample() error {
	var offset, now int64
	narrowest := int64(-1)
	for range tries {
		before, err := w.read(unix.CLOCK_MONOTONIC)
		if err != nil {
			return fmt.Errorf("read monotonic clock: %w", err)
		}
		wall, err := w.read(unix.CLOCK_REALTIME)
		if err != nil {
			return fmt.Errorf("read wall clock: %w", err)
		}
		after, err := w.read(unix.CLOCK_MONOTONIC)
		if err != nil {
			return fmt.Errorf("read monotonic clock: %w", err)
		}
		if width := after - before; narrowest < 0 || width < narrowest {
			narrowest, offset = width, wall-(before+width/2)
		}
		now = after
	}
	w.offset = offset + w.ahead
	w.now = now - w.ahead
	return nil
}

func gettime(id int32) (int64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0, err
	}
	return ts.Nano(), nil
}
