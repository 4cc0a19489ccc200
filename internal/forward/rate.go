package forward

import "time"

// What journald takes of a service within an interval unless it is told otherwise, for RateLimitBurst= and
// RateLimitIntervalSec= in journald.conf(5); up to six times of that where its disk is large.
const (
	journalBurst    = 10_000
	journalInterval = 30 * time.Second
)

const rateAdvice = "more than 10000 entries in 30s: what is beyond RateLimitBurst= of journald.conf, journald drops; raise it, or LogRateLimitBurst= of the unit"

// rate tells when journald may begin to drop entries, which it does without a word to us. It tells once.
type rate struct {
	since time.Time // of the interval
	n     int       // entries in it
	told  bool
}

// exceeds counts n entries, and says whether there are too many for the first time.
func (r *rate) exceeds(n int, now time.Time) bool {
	if r.told {
		return false
	}
	if now.Sub(r.since) >= journalInterval {
		r.since, r.n = now, 0
	}
	r.n += n
	r.told = r.n > journalBurst
	return r.told
}
