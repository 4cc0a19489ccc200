package alert

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPlain(t *testing.T) {
	tests := []struct {
		text  string
		limit int
		want  string
	}{
		{"", 10, ""},
		{"as it is é", 100, "as it is é"},
		{"a\x1b[31m\n\x00", 100, `a\u001b[31m\u000a\u0000`},
		{"\u202e\u2028\U000e0001", 100, `\u202e\u2028\U000e0001`},
		{"a\xffb\ufffd", 100, "a\ufffdb\ufffd"},
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc…"},
		{"ééé", 5, "é…"},
		{"ab\x00cdef", 9, "ab…"},
		{"abcdef", 0, "a…"},
	}
	for _, test := range tests {
		if got := plain(test.text, test.limit); got != test.want {
			t.Errorf("%q in %d: %q, want %q", test.text, test.limit, got, test.want)
		}
	}
	if got := plainLines("a\nb\r", 100); got != "a\nb\\u000d" {
		t.Errorf("%q", got)
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("a\x00b\xff", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = limit & 0xff
		got := plain(text, limit)
		if !utf8.ValidString(got) || len(got) > max(limit, 4) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q in %d: %q", text, limit, got)
		}
	})
}

func TestWord(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "pid": "pid", "net.ns-é": "net_ns___", "9a9": "_9a9", strings.Repeat("9", 40): "_" + strings.Repeat("9", 31),
	} {
		if got := word(name, 32); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestStatus(t *testing.T) {
	for s, want := range map[Status]string{0: "", Firing: "firing", Escalated: "escalated", Resolved: "resolved", Muted: "muted", Merged: "merged", 9: ""} {
		if s.String() != want || s.IsOver() != (s > Escalated) {
			t.Errorf("%d: %q, %v", s, s, s.IsOver())
		}
	}
}
