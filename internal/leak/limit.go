package leak

import (
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Level is how far a socket or a finding is past its limit.
type Level uint8

// The levels, in ascending order.
const (
	None     Level = iota // within its limit
	Warn                  // past the limit
	Critical              // past the second one
)

var levelNames = [...]string{"", "warn", "critical"}

// String returns the name used in JSON; "" for None and for a number that is no level.
func (l Level) String() string {
	if int(l) >= len(levelNames) {
		return ""
	}
	return levelNames[l]
}

// Limit is how long a condition may last. The zero value is no limit.
type Limit struct {
	Warn     time.Duration
	Critical time.Duration // at least Warn
}

// At returns the time at which a level is reached.
func (l Limit) At(level Level) time.Duration {
	if level == Critical {
		return l.Critical
	}
	return l.Warn
}

// level returns how far d is past the limit, which must be one.
func (l Limit) level(d time.Duration) Level {
	switch {
	case d >= l.Critical:
		return Critical
	case d >= l.Warn:
		return Warn
	}
	return None
}

// Limits has the limit of each condition. Its methods are those of pflag.Value. The zero value watches nothing.
type Limits struct {
	of [conditions]Limit
}

const (
	// defaultLimit is what the kernel itself gives an orphan in FIN_WAIT2 and a socket in TIME_WAIT (tcp_fin_timeout,
	// TCP_TIMEWAIT_LEN): a peer or a program that needs longer than that for its last step is late.
	defaultLimit = time.Minute
	// criticalFactor is how much longer than its limit a condition lasts before it is critical, unless told.
	criticalFactor = 5
	// maxLimit keeps sums of times far from overflow.
	maxLimit = 10 * 365 * 24 * time.Hour
)

// DefaultLimits watches CLOSE_WAIT, FIN_WAIT2 and zombies, a minute each.
func DefaultLimits() Limits {
	var l Limits
	for _, c := range []Condition{Condition(tcp.CloseWait), Condition(tcp.FinWait2), Zombie} {
		l.of[c] = Limit{defaultLimit, criticalFactor * defaultLimit}
	}
	return l
}

// Of returns the limit of a condition, and whether there is one.
func (l *Limits) Of(c Condition) (Limit, bool) {
	if c >= conditions || l.of[c].Warn <= 0 {
		return Limit{}, false
	}
	return l.of[c], true
}

// Shortest returns the shortest time after which something is past its limit; 0 without any limit.
func (l *Limits) Shortest() time.Duration {
	shortest := time.Duration(0)
	for c := Condition(1); c < conditions; c++ {
		if limit, ok := l.Of(c); ok && (shortest == 0 || limit.Warn < shortest) {
			shortest = limit.Warn
		}
	}
	return shortest
}

// Warn lets a condition that lasts so long be a warning, and never critical.
func (l *Limits) Warn(c Condition, after time.Duration) {
	l.of[c] = Limit{Warn: after, Critical: maxLimit}
}

// Events returns the states of which a Watcher needs the transitions into and out of; Close for zombies.
func (l *Limits) Events() tcp.StateSet {
	var set tcp.StateSet
	for c := Condition(1); c < conditions; c++ {
		if _, ok := l.Of(c); ok {
			set |= tcp.SetOf(c.State())
		}
	}
	return set
}

// Snapshot returns the states that a snapshot for a Reporter has to have: those watched, listeners, which own what was
// never accepted, and both of the states that make a pair.
func (l *Limits) Snapshot() tcp.StateSet {
	return l.Events() | tcp.SetOf(tcp.Listen, tcp.CloseWait, tcp.FinWait2)
}

// Set adds or replaces limits, as ParseLimit reads them between the commas of text; a later one wins. A text that is
// refused changes nothing.
func (l *Limits) Set(text string) error {
	changed := *l
	for token := range strings.SplitSeq(text, ",") {
		c, limit, err := ParseLimit(token)
		if err != nil {
			return err
		}
		changed.of[c] = limit
	}
	*l = changed
	return nil
}

// String returns the limits as Set reads them, in the order of the kernel's states; "" when there are none.
func (l *Limits) String() string {
	var texts []string
	for c := Condition(1); c < conditions; c++ {
		if limit, ok := l.Of(c); ok {
			texts = append(texts, c.String()+"="+limit.String())
		}
	}
	return strings.Join(texts, ",")
}

// Type returns what help calls a value.
func (l *Limits) Type() string { return "limit" }
