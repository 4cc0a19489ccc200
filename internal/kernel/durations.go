package kernel

import (
	"fmt"
	"math"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// DurationBuckets is how many buckets Durations have.
const DurationBuckets = 64

// Durations is how long sockets were in the states that they left since Open, by state. What began before, or is unknown
// for another reason, is not in it.
type Durations struct {
	// Counts has stays above 2^(i-31) s, up to and including 2^(i-30) s, in bucket i.
	Counts [tcp.States + 1][DurationBuckets]uint64
	// Seconds is the sum of the stays.
	Seconds [tcp.States + 1]float64
}

// Durations reads them, where Options ask for them. It may be called from any goroutine until Close.
func (t *Tracer) Durations() (*Durations, error) {
	var perCPU []bpfDurations
	if err := t.maps.Stays.Lookup(uint32(0), &perCPU); err != nil {
		return nil, fmt.Errorf("read times in states: %w", err)
	}
	var d Durations
	for i := range perCPU {
		d.add(&perCPU[i])
	}
	return &d, nil
}

func (d *Durations) add(c *bpfDurations) {
	for state := range d.Counts {
		for i := range d.Counts[state] {
			d.Counts[state][i] += c.Counts[state][i]
		}
		d.Seconds[state] += (math.Ldexp(float64(c.HighNs[state]), 64) + float64(c.LowNs[state])) / 1e9
	}
}
