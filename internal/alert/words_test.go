package alert

import (
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestSplitWords(t *testing.T) {
	tests := []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t\n", nil},
		{"a b", []string{"a", "b"}},
		{"  /bin/mail -s 'socket leak' root@host ", []string{"/bin/mail", "-s", "socket leak", "root@host"}},
		{`a'b c'"d e"f`, []string{"ab cd ef"}},
		{`'' ""`, []string{"", ""}},
		{`a\ b \\ \' \$x`, []string{"a b", `\`, "'", "$x"}},
		{`"\a \" \\ \$x \` + "`" + `"`, []string{`\a " \ $x ` + "`"}},
		{`'\a "'`, []string{`\a "`}},
		{"a\\\nb \"c\\\nd\"", []string{"ab", "cd"}},
		{"a~b c#d e=f {g,h} !i", []string{"a~b", "c#d", "e=f", "{g,h}", "!i"}},
		{"é\u00a0ü", []string{"é\u00a0ü"}},
	}
	for _, test := range tests {
		if got, err := SplitWords(test.line); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, %v; want %q", test.line, got, err, test.want)
		}
	}
}

func TestSplitWordsRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"a | b": "sh -c", "a;b": "sh -c", "a > b": "sh -c", "$HOME": "sh -c", "`a`": "sh -c", "*.c": "sh -c", "~/a": "sh -c",
		"a #b": "sh -c", `"$HOME"`: `\$`, `"` + "`a`": "expand", "'a": "add one", `"a`: "add one", `a\`: "backslash",
		"a\x00": "NUL", "'\x00'": "NUL", "\"\x00\"": "NUL", "\\\x00": "NUL",
	} {
		if got, err := SplitWords(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
}

// TestSplitWordsIsAShell has sh split lines of quotes, backslashes and letters.
func TestSplitWordsIsAShell(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const alphabet = `ab  ''""\\n=` + "\t\n"
	taken := 0
	for range 400 {
		line := make([]byte, random.IntN(16))
		for i := range line {
			line[i] = alphabet[random.IntN(len(alphabet))]
		}
		words, err := SplitWords(string(line))
		if err != nil {
			continue
		}
		taken++
		// A line feed outside of quotes ends a command; for us it is a space like any other.
		script := `printf '%s\0' x ` + shellSpaces(string(line))
		out, err := exec.Command("sh", "-c", script).Output()
		if err != nil {
			t.Fatalf("%q: %v", script, err)
		}
		want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")[1:]
		if !slices.Equal(words, want) {
			t.Errorf("%q: %q, sh makes it %q", line, words, want)
		}
	}
	if taken < 50 {
		t.Errorf("only %d lines were taken", taken)
	}
}

// shellSpaces makes unquoted line feeds spaces.
func shellSpaces(line string) string {
	b, quote, escaped := []byte(line), byte(0), false
	for i, c := range b {
		switch {
		case escaped:
			escaped = false
		case c == '\\' && quote != '\'':
			escaped = true
		case c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote == 0 && c == '\n':
			b[i] = ' '
		}
	}
	return string(b)
}

// FuzzSplitWords holds that what is quoted comes back.
func FuzzSplitWords(f *testing.F) {
	f.Add(`a 'b c' "d\"e" f\ g`)
	f.Add("'\\\n")
	f.Fuzz(func(t *testing.T, line string) {
		words, err := SplitWords(line)
		if err != nil {
			if words != nil {
				t.Errorf("an error and %q", words)
			}
			return
		}
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
		}
		if again, err := SplitWords(strings.Join(quoted, " ")); err != nil || !slices.Equal(words, again) {
			t.Errorf("%q comes back as %q, %v", words, again, err)
		}
	})
}
