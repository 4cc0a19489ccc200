package kernel

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// ticks turns jiffies into time.
type ticks struct {
	length time.Duration // of a jiffy
}

// ticksOfKernel asks for the length of a jiffy: it is the resolution of the coarse clocks, which move with the tick
// (kernel/time/posix-timers.c, posix_get_coarse_res).
func ticksOfKernel() (ticks, error) {
	var resolution unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &resolution); err != nil {
		return ticks{}, fmt.Errorf("ask for the length of a jiffy: %w", err)
	}
	if resolution.Nano() <= 0 {
		return ticks{}, fmt.Errorf("length of a jiffy is %d ns", resolution.Nano())
	}
	return ticks{length: time.Duration(resolution.Nano())}, nil
}

// of returns the time that n jiffies take, or the longest that there is.
func (t ticks) of(n int64) time.Duration {
	if n > math.MaxInt64/int64(t.length) {
		return math.MaxInt64
	}
	return time.Duration(n) * t.length
}

// wrap is after how long 32 bits of jiffies begin anew.
func (t ticks) wrap() time.Duration { return t.length << 32 }
