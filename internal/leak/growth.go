package leak

import (
	"slices"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Growth is how fast a finding grows. The zero value says that it has not been watched for long enough.
type Growth struct {
	Known     bool
	PerMinute float64       // sockets; negative when it shrinks
	Over      time.Duration // the time that it is computed from
}

const (
	// historyLength is how many counts of a finding are kept: enough for a slope that a few odd ones do not move.
	historyLength = 32
	// leastSpacing and mostSpacing are the least time between two counts, which doubles until it is the latter: half an
	// hour is remembered, and a leak that was mended there forgotten.
	leastSpacing = time.Second
	mostSpacing  = time.Minute
	// leastSamples and leastSpan are what it takes to say anything.
	leastSamples = 4
	leastSpan    = 5 * time.Second
)

// history is how many sockets a finding had, from time to time.
type history struct {
	counts  []sample
	spacing time.Duration
}

type sample struct {
	at    int64
	count int
}

func (h *history) add(at int64, count int) {
	h.spacing = max(h.spacing, leastSpacing)
	if n := len(h.counts); n > 0 && at-h.counts[n-1].at < int64(h.spacing) {
		return
	}
	if len(h.counts) == historyLength {
		h.thin()
	}
	h.counts = append(h.counts, sample{at, count})
}

// thin makes room: by every second count, or, when the spacing is at its most, by the oldest.
func (h *history) thin() {
	if h.spacing >= mostSpacing {
		h.counts = slices.Delete(h.counts, 0, 1)
		return
	}
	h.spacing = min(2*h.spacing, mostSpacing)
	kept := h.counts[:0]
	for i := 0; i < len(h.counts); i += 2 {
		kept = append(kept, h.counts[i])
	}
	h.counts = kept
}

// growth is the median of the slopes between all pairs of counts (Theil and Sen): up to 29 % of them may be anything.
func (h *history) growth(now int64, count int) Growth {
	counts := h.counts
	if n := len(counts); n > 0 && counts[n-1].at < now {
		counts = append(slices.Clip(counts), sample{now, count})
	}
	if len(counts) < leastSamples {
		return Growth{}
	}
	over := time.Duration(counts[len(counts)-1].at - counts[0].at)
	if over < leastSpan {
		return Growth{}
	}
	slopes := make([]float64, 0, len(counts)*(len(counts)-1)/2)
	for i := range counts {
		for j := i + 1; j < len(counts); j++ {
			if dt := counts[j].at - counts[i].at; dt > 0 {
				slopes = append(slopes, float64(counts[j].count-counts[i].count)/float64(dt))
			}
		}
	}
	slices.Sort(slopes)
	n := len(slopes)
	median := (slopes[(n-1)/2] + slopes[n/2]) / 2
	return Growth{Known: true, PerMinute: median * float64(time.Minute), Over: over}
}

// maxExhaustion is the longest time that is still worth a warning; what is computed for later is a guess about a guess.
const maxExhaustion = 365 * 24 * time.Hour

// fdLimit is what Facts said of a process.
type fdLimit struct {
	soft uint64
	used int
	ok   bool
}

// fds says what a finding means for the descriptors of its process.
func (r *round) fds(facts Facts, f *Finding, held int) FDs {
	if facts == nil || f.Key.PID == 0 || held == 0 {
		return FDs{}
	}
	l, asked := r.fdLimits[f.Key.PID]
	if !asked { // counting the descriptors of a process takes a while, and it may have many findings
		l.soft, l.used, l.ok = facts.FDLimit(f.Key.PID)
		r.fdLimits[f.Key.PID] = l
	}
	limit, used := l.soft, l.used
	if !l.ok || limit == 0 {
		return FDs{}
	}
	d := FDs{Known: true, Limit: limit, Used: used, Held: held, Share: float64(held) / float64(limit), Exhausted: tcp.Unknown}
	if uint64(max(used, 0)) >= limit {
		d.Exhausted = 0
		return d
	}
	if f.Growth.Known && f.Growth.PerMinute > 0 {
		left := float64(limit-uint64(max(used, 0))) / f.Growth.PerMinute * float64(time.Minute)
		if left <= float64(maxExhaustion) {
			d.Exhausted = time.Duration(left)
		}
	}
	return d
}
