package filter

import (
	"errors"
	"strings"
	"testing"
)

func TestParseErrors(t *testing.T) {
	tests := []struct {
		text   string
		column int
		what   string // part of it
	}{
		{"sprt = 22", 1, `unknown word "sprt"`},
		{"SPORT = 22", 1, "write sport"},
		{"'sport' 22", 1, "unknown word"},
		{"sport", 6, "value of sport is missing"},
		{"sport =", 8, "value of sport is missing"},
		{"sport = and", 9, `before "and"`},
		{"sport = = 22", 9, `before "="`},
		{"sport ! = 22", 7, `before "!"`},
		{"sport ''", 7, "empty"},
		{"sport 22 and", 13, "predicate is missing"},
		{"or sport 22", 1, `before "or"`},
		{"sport 22 or || dport 1", 13, `before "||"`},
		{"( sport 22", 1, "not closed"},
		{"sport 22 )", 10, "not opened"},
		{"state listen )", 14, "not opened"},
		{"( )", 3, "before the closing"},
		{"()", 2, "before the closing"},
		{"not", 4, "predicate is missing"},
		{"sport 70000", 7, `"70000" is no port`},
		{"sport -1", 7, "is no port"},
		{"sport 028", 7, "is no port"},
		{"sport 80,70000", 10, "is no port"},
		{"sport 80,", 10, "beside a comma"},
		{"sport 90-80", 7, "range is reversed"},
		{"sport 80-", 7, "is no port"},
		{"sport > 80,443", 9, "use = or !="},
		{"sport < 80-90", 9, "use = or !="},
		{"dst :80,443", 5, "is no port"},
		{"dport eq 10.0.0.1:22", 10, "src or dst with an address"},
		{"dport >= *", 10, "cannot be compared"},
		{"dport = gopher", 9, `service "gopher": unknown`},
		{"dst > 10.0.0.1", 5, "use = or !="},
		{"dst 10", 5, "address lacks octets"},
		{"dst 10.8.0.0/255.0.255.0", 5, "has holes"},
		{"dst ::1/255.0.0.0", 5, "prefix length must be 0 to 128"},
		{"pid 010", 5, "is no number"},
		{"dst 10.0.0.0/33", 5, "prefix length must be 0 to 32"},
		{"dst [::1", 5, "bracket is not closed"},
		{"dst fe80::1%eth0", 5, "zone"},
		{"dst unix:/tmp/x", 5, "family unix has no TCP"},
		{"dst inet:::1", 5, "family inet"},
		{"dst inet6:10/8", 5, "family inet6"},
		{"dst nobody.example", 5, `host "nobody.example": unknown`},
		{"dst nowhere", 5, "no address"},
		{"dst inet:v6only", 5, "no address"},
		{"dst 10.0.0.1:", 0, ""},
		{"state", 6, "value of state is missing"},
		{"state established,clos", 19, `unknown state "clos"`},
		{"state established, close", 19, "beside a comma"},
		{"dport 22 state = listen", 16, `before "="`},
		{"dev > 3", 5, "use = or !="},
		{"dev wlan7", 5, "unknown"},
		{"fwmark 0x1/", 8, "is no mark"},
		{"autobound = 1", 11, "takes no value"},
		{"pid > 1,2", 7, "list"},
		{"pid 1,x", 7, "unknown"},
		{"pid 99999999999", 5, "no number"},
		{"comm my proc", 9, "quote values with blanks"},
		{"comm 'my proc", 6, "not closed"},
		{"comm dev", 6, "quote it"},
		{"comm [", 6, "malformed pattern"},
		{"comm sixteen-bytes-xx", 6, "15 bytes"},
		{"exe [", 5, "malformed pattern"},
		{"uid nobody", 5, "unknown"},
		{"netns > self", 7, "use = or !="},
		{"cgroup /x", 8, "unknown"},
		{"age > 5", 7, "no duration"},
		{"age > -5m", 7, "no duration"},
		{"age > 5 m", 7, "no duration"},
		{"age > 1000000d", 7, "no duration"},
		{"age > 106751d24h", 7, "no duration"},
		{"recvq > 1X", 9, "no size"},
		{"recvq > 99999999999G", 9, "no size"},
		{"recvq > K", 9, "no size"},
		{"cause = x", 1, "comes with leaks"},
		{"comm é and sprt", 12, "unknown word"},
		{"comm \x1b[31m", 6, "U+001B"},
		{"comm 'a\tb'", 8, "U+0009"},
		{"comm a\xff", 7, "0xff is not UTF-8"},
		{"comm \u202e", 6, "U+202E"},
		{strings.Repeat("(", 65) + "autobound" + strings.Repeat(")", 65), 65, "nested too deep"},
		{strings.Repeat("!", 65) + "autobound", 65, "nested too deep"},
		{strings.Repeat("pid 1 ", 513), 512*6 + 1, "more than 512 terms"},
		{strings.Repeat("x", 4097), 1, "too long"},
		{"pid " + strings.Repeat("1,", 256) + "1", 5, "list of 257 values"},
		{strings.Repeat("comm * ", 512), 1, "written out"},
		{strings.Repeat("( pid 1 or ( pid 2 and ", 32) + "src != 10.0.0.1:22" + strings.Repeat(")", 64), 1, "written out"},
	}
	for _, test := range tests {
		_, err := Parse(test.text, testNames{})
		if test.column == 0 {
			if err != nil {
				t.Errorf("%q: %v", test.text, err)
			}
			continue
		}
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%.60q: %v, want a SyntaxError", test.text, err)
			continue
		}
		if syntax.Column != test.column || !strings.Contains(syntax.What, test.what) || syntax.Text != test.text {
			t.Errorf("%.60q: %v, want column %d and %q", test.text, err, test.column, test.what)
		}
		if printable(err.Error()) != err.Error() || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60q: %q is not printable", test.text, err)
		}
	}
}

func TestSyntaxErrorCaret(t *testing.T) {
	tests := []struct{ text, want string }{
		{"comm é\tand\x1b[2J", "comm é and\ufffd[2J\n          ^"},
		{"sport", "sport\n     ^"},
		{
			strings.Repeat("pid 1 or ", 20) + "sprt 22" + strings.Repeat(" or pid 1", 20),
			"...d 1 or pid 1 or pid 1 or pid 1 or pid 1 or pid 1 or sprt 22 or pid 1 ...\n" + strings.Repeat(" ", 55) + "^",
		},
		{strings.Repeat("x", 1<<20), strings.Repeat("x", 17) + "...\n^"},
	}
	for _, test := range tests {
		_, err := Parse(test.text, testNames{})
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Fatal(err)
		}
		if got := syntax.Caret(); got != test.want {
			t.Errorf("%.60q:\n%s\nwant\n%s", test.text, got, test.want)
		}
	}
}
