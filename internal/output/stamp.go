package output

import (
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	secondUTC   = "2006-01-02T15:04:05."
	secondClock = "15:04:05"
	secondFull  = "2006-01-02T15:04:05"
	zoneFull    = "-07:00"
)

// second remembers the text of one second: events come by the thousand within it.
type second struct {
	number   int64 // since 1970
	location *time.Location
	layout   string // time.Format's
	zone     string // time.Format's layout for what follows the fraction
	text     []byte
	zoneText []byte
}

func newSecond(location *time.Location, layout, zone string) second {
	s := second{location: location, layout: layout, zone: zone}
	s.set(0)
	return s
}

func (s *second) set(number int64) {
	t := time.Unix(number, 0).In(s.location)
	s.number = number
	s.text = t.AppendFormat(s.text[:0], s.layout)
	s.zoneText = t.AppendFormat(s.zoneText[:0], s.zone)
}

// at makes text and zoneText those of the second that ns since 1970 falls in, and returns the nanoseconds past it.
func (s *second) at(ns int64) uint64 {
	number, rest := splitSecond(ns)
	if number != s.number {
		s.set(number)
	}
	return rest
}

// splitSecond rounds towards the past, so that times before 1970 keep a positive rest.
func splitSecond(ns int64) (number int64, rest uint64) {
	number, signed := ns/1e9, ns%1e9
	if signed < 0 {
		return number - 1, uint64(signed + 1e9)
	}
	return number, uint64(signed)
}

// stamp is the time of a row, in the parts that a narrow column leaves out.
type stamp struct {
	style  TimeStyle
	second second
	began  bool
	origin int64 // Mono of the first event, for Relative

	whole    []byte // whole seconds
	fraction []byte // nine digits
	zone     []byte // empty but for Full
}

func newStamp(style TimeStyle, location *time.Location) stamp {
	s := stamp{style: style}
	switch style {
	case Clock:
		s.second = newSecond(location, secondClock, "")
	case Full:
		s.second = newSecond(location, secondFull, zoneFull)
	}
	return s
}

// set makes the parts those of e.
func (s *stamp) set(e *tcp.Event) {
	switch s.style {
	case Clock, Full:
		s.fraction = appendNano(s.fraction[:0], s.second.at(e.Time))
		s.whole, s.zone = s.second.text, s.second.zoneText
	case Unix:
		s.setSeconds(e.Time)
	case Relative:
		if !s.began {
			s.began, s.origin = true, e.Mono
		}
		s.setSeconds(e.Mono - s.origin) // below zero for one that was held back and is older than the first
	}
}

// setSeconds makes the parts those of a number of seconds, given in ns.
func (s *stamp) setSeconds(ns int64) {
	s.whole = s.whole[:0]
	if ns < 0 {
		s.whole = append(s.whole, '-')
	}
	size := uint64(max(ns, -ns))
	s.whole = appendUint(s.whole, size/1e9)
	s.fraction = appendNano(s.fraction[:0], size%1e9)
}

// appendRFC3339 appends ns since 1970 as JSON and CSV write every time: in UTC, with nine decimals.
func appendRFC3339(b []byte, ns int64) []byte {
	number, rest := splitSecond(ns)
	b = time.Unix(number, 0).UTC().AppendFormat(b, secondUTC)
	return append(appendNano(b, rest), 'Z')
}
