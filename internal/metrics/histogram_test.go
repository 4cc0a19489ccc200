package metrics

import (
	"math"
	"math/rand/v2"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func written(t testing.TB, h *Histogram) *dto.Histogram {
	t.Helper()
	var m dto.Metric
	if err := (&bothHistogram{desc: descDurations, h: h}).Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetHistogram()
}

// unpacked returns the native buckets by their exponent, as the protocol describes them.
func unpacked(h *dto.Histogram) map[int]uint64 {
	buckets := map[int]uint64{}
	at, n, next := 0, int64(0), 0
	for _, span := range h.GetPositiveSpan() {
		at += int(span.GetOffset())
		for range span.GetLength() {
			n += h.GetPositiveDelta()[next]
			next++
			buckets[at] = uint64(n)
			at++
		}
	}
	return buckets
}

// TestHistogramIsBoth holds the native and the classic form against the counts that they were made of.
func TestHistogramIsBoth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 500 {
		h := Histogram{Seconds: random.Float64()}
		for range random.IntN(2 * Buckets) {
			h.Counts[random.IntN(Buckets)] += random.Uint64N(1 << (round % 40))
		}
		out := written(t, &h)
		var total uint64
		for _, n := range h.Counts {
			total += n
		}
		if out.GetSampleCount() != total || out.GetSampleSum() != h.Seconds {
			t.Fatalf("count %d and sum %v, want %d and %v", out.GetSampleCount(), out.GetSampleSum(), total, h.Seconds)
		}
		if out.GetSchema() != 0 || out.ZeroThreshold == nil || out.GetZeroThreshold() != math.Pow(2, -30) {
			t.Fatalf("schema %d, zero threshold %v", out.GetSchema(), out.GetZeroThreshold())
		}
		native := unpacked(out)
		native[firstExponent] = out.GetZeroCount()
		for i, n := range h.Counts {
			if native[i-30] != n {
				t.Fatalf("native bucket up to 2^%d s has %d, want %d", i-30, native[i-30], n)
			}
		}
		wantBound := math.Pow(2, -14)
		for _, b := range out.GetBucket() {
			var below uint64
			for i, n := range h.Counts {
				if math.Pow(2, float64(i-30)) <= b.GetUpperBound() {
					below += n
				}
			}
			if b.GetUpperBound() != wantBound || b.GetCumulativeCount() != below {
				t.Fatalf("classic bucket %v has %d, want %v with %d", b.GetUpperBound(), b.GetCumulativeCount(), wantBound, below)
			}
			wantBound *= 16
		}
		if wantBound != math.Pow(2, 18) {
			t.Fatalf("the last classic bucket is %v", wantBound/16)
		}
	}
}

// TestNativeIsCompact holds that nothing is said of buckets before the first and after the last that has something.
func TestNativeIsCompact(t *testing.T) {
	var h Histogram
	if out := written(t, &h); len(out.GetPositiveSpan()) != 0 || len(out.GetPositiveDelta()) != 0 {
		t.Errorf("an empty one has %v", out)
	}
	h.Counts[30], h.Counts[32] = 1, 1
	out := written(t, &h)
	if len(out.GetPositiveDelta()) != 3 || out.GetPositiveSpan()[0].GetOffset() != 0 {
		t.Errorf("%v", out)
	}
	h.Counts[Buckets-1] = 1
	if b := unpacked(written(t, &h)); b[33] != 1 {
		t.Errorf("%v", b)
	}
}

// TestReadingMayBeUsedAgain changes a reading of which metrics were made.
func TestReadingMayBeUsedAgain(t *testing.T) {
	r := everything()
	all := gather(t, r, 5)
	before := textOf(t, all)
	*r.Counts, *r.Transitions, *r.Durations, *r.Stuck, *r.Events = tcp.Counts{}, Matrix{}, Durations{}, Stuck{}, Events{}
	clear(r.Processes)
	clear(r.Sinks)
	if textOf(t, all) != before {
		t.Error("the metrics changed with it")
	}
}
