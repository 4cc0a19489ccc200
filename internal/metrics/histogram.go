package metrics

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Buckets is how many buckets a Histogram has, and firstExponent the exponent of the bound of the first.
const (
	Buckets       = 64
	firstExponent = -30
)

// Histogram counts durations in buckets that are bounded by powers of two of a second: bucket i has those above
// 2^(i-31) s, up to and including 2^(i-30) s. The first, whose bound is just under a nanosecond, has all below, too, and
// the last all above.
//
// How many there are in all is the sum of the buckets and nothing else: Prometheus refuses a histogram in which they
// differ, as they do when they are counted one after the other while they are read.
type Histogram struct {
	Counts [Buckets]uint64
	// Seconds is the sum of the durations. In nanoseconds and 64 bits it would wrap after 584 years, which a million
	// sockets have behind them in five hours.
	Seconds float64
}

// The classic buckets are every fourth from 61 µs to four and a half hours: enough to tell a round trip, a timeout and a
// leak apart. Who wants more scrapes the native ones.
const (
	firstClassic = -14
	lastClassic  = 14
	classicStep  = 4
)

// bothHistogram is a native histogram and a classic one at once. Schema 0 has our very bounds.
type bothHistogram struct {
	desc   *prometheus.Desc
	labels []*dto.LabelPair
	h      *Histogram
}

var _ prometheus.Metric = (*bothHistogram)(nil)

func (b *bothHistogram) Desc() *prometheus.Desc { return b.desc }

func (b *bothHistogram) Write(out *dto.Metric) error {
	out.Label = b.labels
	out.Histogram = &dto.Histogram{SampleSum: new(b.h.Seconds)}
	b.writeClassic(out.Histogram)
	b.writeNative(out.Histogram)
	return nil
}

func (b *bothHistogram) writeClassic(out *dto.Histogram) {
	var count uint64
	next := firstClassic
	for i, n := range &b.h.Counts {
		count += n
		if i+firstExponent == next && next <= lastClassic {
			out.Bucket = append(out.Bucket, &dto.Bucket{CumulativeCount: new(count), UpperBound: new(math.Ldexp(1, next))})
			next += classicStep
		}
	}
	out.SampleCount = &count
}

// writeNative makes the first bucket the zero bucket, which says best that it has all below.
func (b *bothHistogram) writeNative(out *dto.Histogram) {
	out.Schema = new(int32(0))
	out.ZeroThreshold = new(math.Ldexp(1, firstExponent))
	out.ZeroCount = new(b.h.Counts[0])
	first, end := 1, Buckets
	for first < end && b.h.Counts[first] == 0 {
		first++
	}
	for end > first && b.h.Counts[end-1] == 0 {
		end--
	}
	if first == end {
		return
	}
	out.PositiveSpan = []*dto.BucketSpan{{Offset: new(int32(first + firstExponent)), Length: new(uint32(end - first))}}
	previous := int64(0)
	for _, n := range b.h.Counts[first:end] {
		out.PositiveDelta = append(out.PositiveDelta, int64(n)-previous)
		previous = int64(n)
	}
}
