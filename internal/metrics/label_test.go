package metrics

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLabel(t *testing.T) {
	long := strings.Repeat("a", 200) + strings.Repeat("b", 200)
	for text, want := range map[string]string{
		"":                       "",
		"nginx: worker":          "nginx: worker",
		"é \"quoted\" \\n":       "é \"quoted\" \\n",
		"a\x00b\n\x1b[31m\x7f":   `a\u0000b\u000a\u001b[31m\u007f`,
		"\xff\u202e\u2028":       "\ufffd" + `\u202e\u2028`,
		"\U000e0001":             `\U000e0001`,
		long[72:328]:             long[72:328],
		long:                     strings.Repeat("a", 126) + "…" + strings.Repeat("b", 126),
		strings.Repeat("€", 100): strings.Repeat("€", 42) + "…" + strings.Repeat("€", 42),
	} {
		if got := label(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func FuzzLabel(f *testing.F) {
	f.Add("nginx")
	f.Add("\x00\xff\u202e")
	f.Add(strings.Repeat("\x01", 1000))
	f.Add(strings.Repeat("a\xe2\x82", 400))
	f.Fuzz(func(t *testing.T, text string) {
		got := label(text)
		if len(got) > maxLabel || !utf8.ValidString(got) || (got == "") != (text == "") {
			t.Errorf("%q becomes %q", text, got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("%q has %U", got, r)
			}
		}
		if again := label(got); again != got {
			t.Errorf("%q becomes %q the second time", got, again)
		}
	})
}
