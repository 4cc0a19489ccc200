package output

import (
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// columns is how wide text is on a terminal: its characters, for what a row may hold.
func columns(text string) int { return utf8.RuneCountInString(text) }

func TestAppendDuration(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		in   time.Duration
		want string
	}{
		{tcp.Unknown, "-"},
		{math.MinInt64, "-"},
		{0, "0ns"},
		{1, "1ns"},
		{999, "999ns"},
		{1_000, "1.00us"},
		{1_239, "1.23us"},
		{12_399, "12.3us"},
		{123_999, "123us"},
		{999_999, "999us"},
		{1_000_000, "1.00ms"},
		{1_234_567, "1.23ms"},
		{99_999_999, "99.9ms"},
		{999_999_999, "999ms"},
		{time.Second, "1.00s"},
		{1_050 * time.Millisecond, "1.05s"},
		{59_999 * time.Millisecond, "59.9s"},
		{time.Minute, "1m00s"},
		{4*time.Minute + 12*time.Second, "4m12s"},
		{time.Hour - 1, "59m59s"},
		{time.Hour, "1h00m"},
		{187 * time.Minute, "3h07m"},
		{day - 1, "23h59m"},
		{day, "1d00h"},
		{12*day + 3*time.Hour, "12d03h"},
		{100*day - 1, "99d23h"},
		{100 * day, "100d"},
	} {
		if got := string(appendDuration(nil, test.in)); got != test.want {
			t.Errorf("%d ns is %q, want %q", test.in, got, test.want)
		}
	}
}

func FuzzDurationFitsItsColumn(f *testing.F) {
	f.Add(int64(999_999_999))
	f.Add(int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, ns int64) {
		if got := appendDuration(nil, time.Duration(ns)); len(got) > durationWidth {
			t.Fatalf("%d ns is %q", ns, got)
		}
	})
}

func TestPad(t *testing.T) {
	for _, test := range []struct {
		text        string
		width       int
		right, left string
	}{
		{"ab", 4, "xab   ", "x  ab "},
		{"ab", 2, "xab ", "xab "},
		{"abc", 2, "xabc ", "xabc "},
		{"abc", 4, "xabc  ", "x abc "},
		{"", 2, "x   ", "x   "},
	} {
		if got := string(padRight([]byte("x"+test.text), 1, test.width)); got != test.right {
			t.Errorf("padRight(%q, %d) = %q, want %q", test.text, test.width, got, test.right)
		}
		if got := string(padLeft([]byte("x"+test.text), 1, test.width)); got != test.left {
			t.Errorf("padLeft(%q, %d) = %q, want %q", test.text, test.width, got, test.left)
		}
	}
}

func TestAppendComm(t *testing.T) {
	for _, test := range []struct {
		comm  string
		width int
		want  string
	}{
		{"curl", 8, "curl"},
		{"systemd-resolve", 8, "systemd+"},
		{"systemd-resolve", 15, "systemd-resolve"},
		{"\x1b[2J\nx\x7f", 8, "?[2J?x?"},
		{"é\xff", 8, "???"},
		{"", 8, ""},
	} {
		e := tcp.Event{PID: 1, Comm: comm(test.comm)}
		if got := string(appendComm(nil, &e, test.width)); got != test.want {
			t.Errorf("%q in %d columns is %q, want %q", test.comm, test.width, got, test.want)
		}
	}
	if got := string(appendComm(nil, &tcp.Event{Comm: comm("curl")}, 8)); got != "-" {
		t.Errorf("without owner: %q", got)
	}
}
