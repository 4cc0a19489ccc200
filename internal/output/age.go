package output

import (
	"bytes"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// The marks of an age that is a bound. They are ASCII, and ss's users know them from its filters.
const (
	atLeastMark = ">="
	atMostMark  = "<="
	// ageWidth is the widest age.
	ageWidth = len(atLeastMark) + durationWidth
)

// bounds returns what is known of an age, and Unknown for what is not. That it is at least nothing tells nothing.
func bounds(a tcp.Age) (atLeast, atMost time.Duration) {
	if !a.Known() {
		return tcp.Unknown, tcp.Unknown
	}
	atLeast, atMost = max(a.AtLeast, tcp.Unknown), max(a.AtMost, tcp.Unknown)
	if atLeast == 0 && !a.Exact() {
		atLeast = tcp.Unknown
	}
	return atLeast, atMost
}

// appendAge appends an age in at most ageWidth columns: 4m12s when it is exact or its bounds print alike, >=37m02s when
// it is a lower bound, whatever the upper one, <=5.20s when nothing else is known, and - for nothing.
func appendAge(b []byte, a tcp.Age) []byte {
	atLeast, atMost := bounds(a)
	switch {
	case atLeast < 0 && atMost < 0:
		return append(b, '-')
	case atLeast < 0:
		return appendDuration(append(b, atMostMark...), atMost)
	case printAlike(b, atLeast, atMost):
		return appendDuration(b, atLeast)
	}
	return appendDuration(append(b, atLeastMark...), atLeast)
}

// appendAgeRange appends an age with both bounds, as 1m10s..4m12s, where appendAge has room for one.
func appendAgeRange(b []byte, a tcp.Age) []byte {
	atLeast, atMost := bounds(a)
	if atLeast < 0 || atMost < 0 || printAlike(b, atLeast, atMost) {
		return appendAge(b, a)
	}
	return appendDuration(append(appendDuration(b, atLeast), ".."...), atMost)
}

// printAlike says whether two durations are the same text. It uses what room there is behind b.
func printAlike(b []byte, x, y time.Duration) bool {
	start := len(b)
	b = appendDuration(b, x)
	middle := len(b)
	b = appendDuration(b, y)
	return bytes.Equal(b[start:middle], b[middle:])
}

// appendJSONAge appends four fields, their names beginning with prefix: _ms, _at_least_ms, _at_most_ms and _source.
func appendJSONAge(b []byte, prefix string, a tcp.Age) []byte {
	field := func(name string, d time.Duration) {
		b = append(append(append(b, `,"`...), prefix...), name...)
		b = appendJSONMillis(append(b, `":`...), d)
	}
	atLeast, atMost := bounds(a)
	exact := tcp.Unknown
	if a.Exact() {
		exact = atLeast
	}
	field("_ms", exact)
	field("_at_least_ms", atLeast)
	field("_at_most_ms", atMost)
	b = append(append(append(b, `,"`...), prefix...), `_source":`...)
	return appendJSONName(b, a.Source.String())
}

// appendCSVAge appends the four fields of appendJSONAge, with commas between them.
func appendCSVAge(b []byte, a tcp.Age) []byte {
	atLeast, atMost := bounds(a)
	if a.Exact() {
		b = appendCSVMillis(b, atLeast)
	}
	b = appendCSVMillis(append(b, ','), atLeast)
	b = appendCSVMillis(append(b, ','), atMost)
	return append(append(b, ','), a.Source.String()...)
}

// appendJSONMillis appends a duration in milliseconds, null when it is unknown.
func appendJSONMillis(b []byte, d time.Duration) []byte {
	if d < 0 {
		return append(b, "null"...)
	}
	return appendMillis(b, uint64(d))
}

// appendCSVMillis appends a duration in milliseconds, nothing when it is unknown.
func appendCSVMillis(b []byte, d time.Duration) []byte {
	if d < 0 {
		return b
	}
	return appendMillis(b, uint64(d))
}
