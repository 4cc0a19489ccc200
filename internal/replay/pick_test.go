package replay

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/archive"
)

// Files are left out by their summaries alone; those without one, or that cannot be read, stay.
func TestPick(t *testing.T) {
	dir := t.TempDir()
	a, err := archive.Open(archive.Options{
		Dir: dir, SegmentBytes: 1, SegmentAge: time.Hour, MaxBytes: 1 << 30, MaxFiles: 100, Now: time.Now, Warn: func(text string) { t.Error(text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for pid := range uint32(3) {
		a.Append("a", []byte("{}\n"), archive.Keys{PID: pid + 1})
		a.Flush()
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "b.jsonl"), []byte("{}\n"))
	put(t, filepath.Join(dir, "c.000001.jsonl.zst"), pressed(t, []byte("{}\n"))) // its writer had died
	streams, err := Streams(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a.000003.jsonl.zst")); err != nil {
		t.Fatal(err)
	}
	asked := 0
	picked := Pick(streams, func(s *archive.Summary) bool {
		asked++
		return s.MayHave(archive.Keys{PID: 2})
	})
	names := map[string]bool{}
	for _, s := range picked {
		for i := range s {
			names[filepath.Base(s[i].Name)] = true
		}
	}
	want := []string{"a.000002.jsonl.zst", "a.000003.jsonl.zst", "b.jsonl", "c.000001.jsonl.zst"}
	if asked != 2 || len(names) != len(want) {
		t.Errorf("asked %d times: %v", asked, names)
	}
	for _, name := range want {
		if !names[name] {
			t.Errorf("%s is left out", name)
		}
	}
	if len(Pick(nil, nil)) != 0 {
		t.Error("something of nothing")
	}
}
