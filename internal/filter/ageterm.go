package filter

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// ageTerm compares how long a socket has been in its state, and of an event how long it was in the old one. It holds
// only where that is proven: of an age between 1 and 9 minutes neither `> 5m` nor `<= 5m` holds.
type ageTerm struct {
	is  comparison
	age time.Duration
}

func (t ageTerm) matchEvent(e *tcp.Event, _ Host) bool {
	return e.InOld != tcp.Unknown && holds(t.is, e.InOld, t.age)
}

func (t ageTerm) matchSocket(s *tcp.Socket, _ Host) bool {
	a := s.Age
	bounded := a.AtMost != tcp.Unknown
	if !a.Known() {
		return false
	}
	switch t.is {
	case greater, greaterEqual:
		return holds(t.is, a.AtLeast, t.age)
	case less, lessEqual:
		return bounded && holds(t.is, a.AtMost, t.age)
	case notEqual:
		return a.AtLeast > t.age || bounded && a.AtMost < t.age
	}
	return a.AtLeast == t.age && a.AtMost == t.age
}

func (t ageTerm) appendTo(text []byte) []byte {
	return append(appendComparison(text, "age", t.is), t.age.String()...)
}

const day = 24 * time.Hour

// parseAge reads 500ms, 90s, 5m, 1h30m, 2d or 1d12h.
func parseAge(text string) (time.Duration, error) {
	rest, days := text, time.Duration(0)
	if digits, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil || n > uint64(math.MaxInt64/day) {
			return 0, errAge(text)
		}
		rest, days = after, time.Duration(n)*day
		if rest == "" {
			return days, nil
		}
	}
	// ParseDuration takes 0 and signs.
	d, err := time.ParseDuration(rest)
	if err != nil || !isNumeric(rest) || d < 0 || rest == "0" || days > math.MaxInt64-d {
		return 0, errAge(text)
	}
	return days + d, nil
}

func errAge(text string) error {
	return fmt.Errorf("%q is no duration: use a number and ms, s, m, h or d, as 90s, 1h30m or 2d", text)
}
