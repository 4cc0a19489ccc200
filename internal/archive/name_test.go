package archive

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestParseName(t *testing.T) {
	for name, want := range map[string]Name{
		"web-1-2.jsonl":             {Stream: "web-1-2"},
		"web-1-2.000009.jsonl":      {Stream: "web-1-2", Number: 9},
		"web-1-2.1000009.jsonl.zst": {Stream: "web-1-2", Number: 1_000_009, Pressed: true},
		"host.jsonl.zst":            {Stream: "host", Pressed: true},
		"a.b.jsonl":                 {Stream: "a.b"},
		"a.000000.jsonl":            {Stream: "a.000000"},
	} {
		n, ok := ParseName(name)
		if n != want || !ok || n.String() != name || n.IsCurrent() != (n.Number == 0 && !n.Pressed) {
			t.Errorf("%s: %+v (%s), %v", name, n, n, ok)
		}
	}
	for _, name := range []string{"", ".jsonl", ".a.jsonl", ".a.000001.jsonl.tmp", "a.txt", "a.jsonl.gz", ".lock", "a.zst", ".jsonl.zst"} {
		if n, ok := ParseName(name); ok {
			t.Errorf("%q: %+v", name, n)
		}
	}
}

// summaryIn returns the summary of a file.
func summaryIn(t *testing.T, path string) (*Summary, error) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return ReadSummary(bytes.NewReader(text), int64(len(text)))
}

// A summary says whether there are lines that are about everything; one that does not know all lines is none.
func TestSummariesOfLooseLines(t *testing.T) {
	dir := t.TempDir()
	d := newDesk(t, dir, nil)
	d.Append("loose", line(1), Keys{Time: 7})
	d.Append("loose", line(2), Keys{Time: 9})
	d.Append("mixed", line(3), Keys{Time: 5, PID: 4})
	d.Append("mixed", line(4), Keys{Time: 3})
	if err := os.WriteFile(filepath.Join(dir, "foreign.jsonl"), line(5), 0o640); err != nil {
		t.Fatal(err)
	}
	d.Append("foreign", line(6), Keys{PID: 1})
	d.close()
	s, err := summaryIn(t, filepath.Join(dir, "loose.000001.jsonl.zst"))
	if err != nil || s.Loose != 2 || s.Lines != 2 || s.First != 7 || s.Last != 9 || s.MayHave(Keys{PID: 4}) {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = summaryIn(t, filepath.Join(dir, "mixed.000001.jsonl.zst"))
	if err != nil || s.Loose != 1 || s.First != 3 || !s.MayHave(Keys{PID: 4}) || s.MayHave(Keys{PID: 5}) {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := summaryIn(t, filepath.Join(dir, "foreign.000001.jsonl.zst")); !errors.Is(err, ErrNoSummary) {
		t.Errorf("of a file with a line that it does not know: %+v, %v", s, err)
	}
}
