package kernel

import (
	"fmt"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// matrixSide is TCP_STATES of bpf/kernel.h, a power of two over the number of states.
const matrixSide = 16

// Stats are counts since Open, over all CPUs, summed while they run: exact once the tracer is stopped.
type Stats struct {
	// Seen is how many transitions there were. Each was put in the ring, Lost or Filtered.
	Seen uint64
	// Lost is how many found the ring full, or were unreadable.
	Lost uint64
	// Filtered is how many the filter refused in the kernel.
	Filtered uint64
	// Missed is how many transitions the kernel hid from us, as found by the next one of the same socket.
	Missed uint64
	// Untracked is how many came from sockets that we could keep nothing about, for want of memory.
	Untracked uint64
	// Unstacked is how many sockets were opened of which the stack could not be had, where stacks are wanted.
	Unstacked uint64
	// Transitions counts what the kernel did, by old and new state, before any filter. LISTEN to SYN_RECV is the birth
	// of a child: the listener stays in LISTEN. Missed transitions are counted in, so that the gauges follow from it.
	Transitions [tcp.States + 1][tcp.States + 1]uint64
	// Adopted and Gone make gauges of that: how many full sockets that were there before came to be counted in each
	// state, by Counter.Watch or at their first transition, and how many of those counted ended in it.
	Adopted, Gone [tcp.States + 1]uint64
}

// Stats reads the counters. It may be called from any goroutine until Close.
func (t *Tracer) Stats() (Stats, error) {
	var perCPU []bpfCounters
	if err := t.maps.Counts.Lookup(uint32(0), &perCPU); err != nil {
		return Stats{}, fmt.Errorf("read counters: %w", err)
	}
	s := Stats{Lost: t.reader.corrupt.Load()}
	for i := range perCPU {
		s.add(&perCPU[i])
	}
	return s, nil
}

func (s *Stats) add(c *bpfCounters) {
	s.Seen += c.Seen
	s.Lost += c.Lost
	s.Filtered += c.Filtered
	s.Missed += c.Missed
	s.Untracked += c.Untracked
	s.Unstacked += c.Unstacked
	for state := range s.Adopted {
		s.Adopted[state] += c.Adopted[state]
		s.Gone[state] += c.Gone[state]
	}
	for old := range s.Transitions {
		for now := range s.Transitions[old] {
			s.Transitions[old][now] += c.Transitions[old*matrixSide+now]
		}
	}
}
