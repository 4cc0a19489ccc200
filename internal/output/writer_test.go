package output

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

var everyFormat = []Options{
	{Format: Table, Header: true, Width: 100, Color: true},
	{Format: Table, Header: true},
	{Format: Table, Time: Relative},
	{Format: Wide, Header: true, Time: Unix},
	{Format: JSON, Header: true},
	{Format: CSV, Header: true},
}

// TestAllocs is after a first round, in which columns widen.
func TestAllocs(t *testing.T) {
	for _, o := range everyFormat {
		o.Location = zone
		w, events := New(io.Discard, o), samples()
		all := func() {
			for i := range events {
				events[i].Time += int64(time.Second)
				if err := w.Event(&events[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		all()
		if allocs := testing.AllocsPerRun(100, all); allocs != 0 {
			t.Errorf("%v: %v allocations in %d events", o.Format, allocs, len(events))
		}
	}
}

// writes counts calls, and fails from the given one on.
type writes struct {
	bytes.Buffer
	calls  int
	failAt int
	short  bool
}

var errFull = errors.New("no space left on device")

func (w *writes) Write(p []byte) (int, error) {
	w.calls++
	if w.failAt > 0 && w.calls >= w.failAt {
		if w.short {
			return len(p) - 1, nil
		}
		return 0, errFull
	}
	return w.Buffer.Write(p)
}

func TestWriterWaitsForFlush(t *testing.T) {
	var to writes
	w := New(&to, Options{Format: CSV, Header: true})
	e := client()
	if err := w.Event(&e); err != nil || to.calls != 0 {
		t.Fatalf("an event: %d writes, %v", to.calls, err)
	}
	if err := w.Flush(); err != nil || to.calls != 1 {
		t.Fatalf("Flush: %d writes, %v", to.calls, err)
	}
	if lines := strings.Count(to.String(), "\n"); lines != 2 {
		t.Errorf("%d lines, want header and event", lines)
	}
	if err := w.Flush(); err != nil || to.calls != 1 {
		t.Errorf("Flush of nothing: %d writes, %v", to.calls, err)
	}
}

func TestWriterWritesAFullBuffer(t *testing.T) {
	var to writes
	w := New(&to, Options{Format: JSON})
	e := client()
	added := 0
	for ; to.calls == 0; added++ {
		if err := w.Event(&e); err != nil {
			t.Fatal(err)
		}
	}
	if to.Len() < flushBytes || to.Len() >= flushBytes+maxRow {
		t.Errorf("wrote %d bytes at once", to.Len())
	}
	if lines := strings.Count(to.String(), "\n"); lines != added {
		t.Errorf("%d lines of %d events", lines, added)
	}
}

func TestWriterErrorStays(t *testing.T) {
	for _, test := range []struct {
		to   *writes
		want error
	}{
		{&writes{failAt: 2}, errFull},
		{&writes{failAt: 2, short: true}, io.ErrShortWrite},
	} {
		w, e := New(test.to, Options{Format: JSON}), client()
		if err := errors.Join(w.Event(&e), w.Flush(), w.Event(&e)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); !errors.Is(err, test.want) {
			t.Errorf("Flush: %v, want %v", err, test.want)
		}
		if err := w.Event(&e); !errors.Is(err, test.want) {
			t.Errorf("Event after it: %v, want %v", err, test.want)
		}
		if err := w.Flush(); !errors.Is(err, test.want) {
			t.Errorf("Flush after it: %v, want %v", err, test.want)
		}
		if test.to.calls != 2 {
			t.Errorf("%d writes, want none after the failed one", test.to.calls)
		}
	}
}

func TestWriterErrorOfEvent(t *testing.T) {
	w, e := New(&writes{failAt: 1}, Options{Format: JSON}), client()
	for range flushBytes {
		if err := w.Event(&e); err != nil {
			if !errors.Is(err, errFull) {
				t.Errorf("got %v", err)
			}
			return
		}
	}
	t.Error("a full buffer was not written")
}

func TestHeader(t *testing.T) {
	for _, o := range everyFormat {
		o.Header = false
		without := render(t, o, connection()...)
		o.Header = true
		with := render(t, o, connection()...)
		header := strings.TrimSuffix(with, without)
		if o.Format == JSON {
			if header != "" {
				t.Errorf("JSON has a header: %q", header)
			}
			continue
		}
		if strings.Count(header, "\n") != 1 || !strings.HasSuffix(with, without) {
			t.Errorf("%v: the header is %q", o.Format, header)
		}
	}
}

func TestDefaultLocationIsLocal(t *testing.T) {
	var buf bytes.Buffer
	w, e := New(&buf, Options{Time: Full}), client()
	e.Time = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).UnixNano()
	if err := errors.Join(w.Event(&e), w.Flush()); err != nil {
		t.Fatal(err)
	}
	want := time.Unix(0, e.Time).Format("2006-01-02T15:04:05.000000000-07:00")
	if !strings.HasPrefix(buf.String(), want+" ") {
		t.Errorf("%q does not begin with %s", buf.String(), want)
	}
}
