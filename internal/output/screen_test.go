package output

import (
	"bytes"
	"strings"
	"testing"
)

// What does not fit on the terminal is left out, and said to be.
func TestScreen(t *testing.T) {
	block := "one\ntwo\nthree\nfour\n"
	for height, want := range map[int]string{
		0: "one|two|three|four|", 5: "one|two|three|four|", 4: "one|two|(2 more lines)|", 3: "one|(3 more lines)|",
		2: "(4 more lines)|", 1: "",
	} {
		var out bytes.Buffer
		s := NewScreen(&out, 99)
		s.Resize(height)
		if _, err := s.Write([]byte(block)); err != nil {
			t.Fatal(err)
		}
		if err := s.Show(); err != nil {
			t.Fatal(err)
		}
		got := strings.NewReplacer(clearToEnd+"\n", "|", cursorHome, "", clearBelow, "").Replace(out.String())
		if got != want {
			t.Errorf("%d lines: %q, want %q", height, got, want)
		}
	}
}
