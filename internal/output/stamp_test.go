package output

import (
	"math"
	"testing"
	"time"
	_ "time/tzdata" // the machine that tests may have none

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestStampStyles(t *testing.T) {
	at := time.Date(2026, 11, 21, 23, 59, 59, 7, time.UTC).UnixNano()
	for _, test := range []struct {
		style                 TimeStyle
		e                     tcp.Event
		whole, fraction, zone string
	}{
		{Clock, tcp.Event{Time: at}, "01:59:59", "000000007", ""},
		{Full, tcp.Event{Time: at}, "2026-11-22T01:59:59", "000000007", "+02:00"},
		{Unix, tcp.Event{Time: at}, "1795305599", "000000007", ""},
		{Unix, tcp.Event{Time: -1_500_000_000}, "-1", "500000000", ""},
		{Full, tcp.Event{Time: -1}, "1970-01-01T01:59:59", "999999999", "+02:00"},
		{Relative, tcp.Event{Mono: 5}, "0", "000000000", ""},
	} {
		s := newStamp(test.style, zone)
		s.set(&test.e)
		if string(s.whole) != test.whole || string(s.fraction) != test.fraction || string(s.zone) != test.zone {
			t.Errorf("%v of %d: %s . %s %s, want %s . %s %s", test.style, test.e.Time, s.whole, s.fraction, s.zone,
				test.whole, test.fraction, test.zone)
		}
	}
}

// TestStampRelative counts from the first event, and backwards for one that was held back.
func TestStampRelative(t *testing.T) {
	s := newStamp(Relative, zone)
	for _, test := range []struct {
		mono int64
		want string
	}{
		{1e12, "0.000000000"},
		{1e12 + 12_345_678_901, "12.345678901"},
		{1e12 - 1_000_000, "-0.001000000"},
		{1e12 + 1, "0.000000001"},
	} {
		s.set(&tcp.Event{Mono: test.mono})
		if got := string(s.whole) + "." + string(s.fraction); got != test.want {
			t.Errorf("at %d: %s, want %s", test.mono, got, test.want)
		}
	}
}

// TestSecondFollowsTheZone crosses the end of summer time, and goes back again.
func TestSecondFollowsTheZone(t *testing.T) {
	location, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	s := newSecond(location, secondFull, zoneFull)
	change := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		after time.Duration
		want  string
	}{
		{-1, "2026-10-25T02:59:59+02:00"},
		{0, "2026-10-25T02:00:00+01:00"},
		{999_999_999, "2026-10-25T02:00:00+01:00"},
		{-time.Second, "2026-10-25T02:59:59+02:00"},
	} {
		s.at(change.Add(test.after).UnixNano())
		if got := string(s.text) + string(s.zoneText); got != test.want {
			t.Errorf("%v after: %s, want %s", test.after, got, test.want)
		}
	}
}

func FuzzSecond(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(-1))
	f.Add(int64(math.MinInt64))
	f.Add(int64(1_795_305_599_000_000_007))
	s := newSecond(time.UTC, secondUTC, "Z07:00")
	f.Fuzz(func(t *testing.T, ns int64) {
		rest := s.at(ns)
		got := string(appendNano(append([]byte(nil), s.text...), rest)) + string(s.zoneText)
		if want := time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z07:00"); got != want {
			t.Fatalf("%d is %s, want %s", ns, got, want)
		}
	})
}
