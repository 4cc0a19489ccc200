package leak

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// ParseLimit reads STATE=DURATION[:DURATION] or STATE=off, as CLOSE_WAIT=60s, zombie=2m:1h or fin-wait-2=off. The second
// duration is when it is critical, five times the first unless given. STATE is one state in any spelling of
// tcp.ParseStates, or ZOMBIE. Off is the zero Limit.
func ParseLimit(text string) (Condition, Limit, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return 0, Limit{}, fmt.Errorf("limit %q: use STATE=DURATION, as CLOSE_WAIT=60s, or STATE=off", text)
	}
	c, err := ParseCondition(strings.TrimSpace(name))
	if err != nil {
		return 0, Limit{}, fmt.Errorf("limit %q: %w", text, err)
	}
	limit, err := parseDurations(strings.TrimSpace(value))
	if err != nil {
		return 0, Limit{}, fmt.Errorf("limit %q: %w", text, err)
	}
	return c, limit, nil
}

// ParseCondition reads one state in any spelling of tcp.ParseStates, or ZOMBIE, if it can have a limit.
func ParseCondition(name string) (Condition, error) {
	if folded := strings.ToLower(name); folded == "zombie" || folded == "zombies" {
		return Zombie, nil
	}
	set, err := tcp.ParseStates(name)
	if err != nil {
		return 0, fmt.Errorf("%w; or ZOMBIE", err)
	}
	if bits.OnesCount16(uint16(set)) != 1 {
		return 0, fmt.Errorf("%q is a group: give each state a limit of its own", name)
	}
	state := tcp.State(bits.TrailingZeros16(uint16(set)))
	if why := unlimited[state]; why != "" {
		return 0, fmt.Errorf("%v %s", state, why)
	}
	return Condition(state), nil
}

// unlimited says why a state cannot have a limit, and what to use instead.
var unlimited = map[tcp.State]string{
	tcp.TimeWait:   "always ends after 60 s, by the kernel: leave it out",
	tcp.Close:      "is where every socket begins: use ZOMBIE for those that were connected",
	tcp.Listen:     "is meant to last: leave it out",
	tcp.NewSynRecv: "is what ss calls SYN_RECV: use that",
}

func parseDurations(text string) (Limit, error) {
	if strings.EqualFold(text, "off") {
		return Limit{}, nil
	}
	first, second, two := strings.Cut(text, ":")
	warn, err := parseDuration(first)
	if err != nil {
		return Limit{}, err
	}
	limit := Limit{warn, min(criticalFactor*warn, maxLimit)}
	if !two {
		return limit, nil
	}
	if limit.Critical, err = parseDuration(second); err != nil {
		return Limit{}, err
	}
	if limit.Critical < limit.Warn {
		return Limit{}, fmt.Errorf("critical after %s is sooner than warn after %s: turn them round", second, first)
	}
	return limit, nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxLimit {
		return 0, fmt.Errorf("%q: use a number above 0 with its unit, as 30s, 5m or 1h30m, of at most ten years; or off", text)
	}
	return d, nil
}

// String returns the limit as ParseLimit reads it, without the second duration where that is what it would be.
func (l Limit) String() string {
	switch {
	case l.Warn <= 0:
		return "off"
	case l.Critical == min(criticalFactor*l.Warn, maxLimit):
		return short(l.Warn)
	}
	return short(l.Warn) + ":" + short(l.Critical)
}

// short is a duration without units that are zero at its end, as 5m.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
