package archive

import (
	"fmt"
	"testing"
	"time"
)

func TestMark(t *testing.T) {
	dir := t.TempDir()
	open := func() *Archive {
		t.Helper()
		a, err := Open(Options{Now: time.Now, Dir: dir, SegmentAge: time.Hour, SegmentBytes: 1 << 20, MaxBytes: 1 << 30, MaxFiles: 10, Warn: func(s string) { t.Error(s) }})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := open()
	if got := a.Mark(); got != 0 {
		t.Errorf("a new directory has the mark %d", got)
	}
	for mark := range uint64(2000) { // more than it grows to
		if err := a.SetMark(1e18 + mark); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := a.lock.Stat(); err != nil || info.Size() > maxMarks+100 {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	if _, err := fmt.Fprint(a.lock, "\n99"); err != nil { // killed amid a line
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := open()
	if got := b.Mark(); got != 1e18+1999 {
		t.Errorf("the next writer finds %d", got)
	}
	if err := b.SetMark(2e18); err != nil || b.Mark() != 2e18 {
		t.Errorf("%d, %v", b.Mark(), err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func FuzzMark(f *testing.F) {
	f.Add([]byte("\n12\n\n13\n\n1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got := lastMark(append(text, "\n42\n"...)); got != 42 {
			t.Errorf("%q: %d", text, got)
		}
	})
}
