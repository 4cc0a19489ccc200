// Package output turns transitions, sockets and counts into text: tables for eyes, JSON and CSV for programs. It imports
// the standard library and the domain alone. Text that comes from a process never reaches an output as anything but printable
// characters.
package output

import "fmt"

// Format is a way to write.
type Format uint8

// The formats.
const (
	Table Format = iota // for eyes, fitted to the terminal
	Wide                // for eyes, all that is known
	JSON                // one object a line, see appendJSON
	CSV                 // the fields of JSON, RFC 4180 with lines that end in LF
)

var formatNames = [...]string{"table", "wide", "json", "csv"}

// String returns the name that ParseFormat reads; for a number that is no format, unknown.
func (f Format) String() string {
	if int(f) >= len(formatNames) {
		return "unknown"
	}
	return formatNames[f]
}

// ParseFormat returns the format of that name: table, wide, json or csv.
func ParseFormat(name string) (Format, error) {
	for i, n := range formatNames {
		if n == name {
			return Format(i), nil
		}
	}
	return 0, fmt.Errorf("unknown output format %q: use table, wide, json or csv", name)
}

// TimeStyle is how Table and Wide write the time of a transition. JSON and CSV always write RFC 3339 in UTC, so that
// what reads them need not know how they were asked for.
type TimeStyle uint8

// The styles.
const (
	Auto     TimeStyle = iota // Clock in a table, Full in a wide one
	Clock                     // 15:04:05.000000, local; a narrow terminal gets fewer digits
	Full                      // RFC 3339 with nanoseconds and the offset of the local zone
	Unix                      // seconds.nanoseconds since 1970
	Relative                  // seconds since the first transition written, by the monotonic clock
	None                      // no time
)

var timeStyleNames = [...]string{"auto", "clock", "full", "unix", "relative", "none"}

// String returns the name that ParseTimeStyle reads; for a number that is no style, unknown.
func (s TimeStyle) String() string {
	if int(s) >= len(timeStyleNames) {
		return "unknown"
	}
	return timeStyleNames[s]
}

// ParseTimeStyle returns the style of that name: auto, clock, full, unix, relative or none.
func ParseTimeStyle(name string) (TimeStyle, error) {
	for i, n := range timeStyleNames {
		if n == name {
			return TimeStyle(i), nil
		}
	}
	return 0, fmt.Errorf("unknown time style %q: use auto, clock, full, unix, relative or none", name)
}
