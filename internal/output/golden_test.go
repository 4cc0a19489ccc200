package output

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// render returns what a Writer makes of events.
func render(tb testing.TB, o Options, events ...tcp.Event) string {
	tb.Helper()
	if o.Location == nil {
		o.Location = zone
	}
	var buf bytes.Buffer
	w := New(&buf, o)
	for i := range events {
		if err := w.Event(&events[i]); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}

func TestGolden(t *testing.T) {
	for _, test := range []struct {
		name string
		o    Options
	}{
		{"table", Options{}}, // not a terminal
		{"table-80", Options{Width: 80}},
		{"table-100", Options{Width: 100}},
		{"table-120", Options{Width: 120}},
		{"table-200", Options{Width: 200}},
		{"table-color", Options{Width: 120, Color: true}},
		{"table-full", Options{Width: 200, Time: Full}},
		{"table-unix", Options{Width: 140, Time: Unix}},
		{"table-relative", Options{Time: Relative}},
		{"table-none", Options{Width: 120, Time: None}},
		{"wide", Options{Format: Wide}},
		{"wide-clock", Options{Format: Wide, Time: Clock}},
		{"json", Options{Format: JSON}},
		{"csv", Options{Format: CSV}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.o.Header = true
			golden(t, test.name, render(t, test.o, samples()...))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	gotLines, wantLines := bytes.Split([]byte(got), []byte("\n")), bytes.Split(want, []byte("\n"))
	if len(gotLines) != len(wantLines) {
		t.Errorf("%d lines, want %d", len(gotLines), len(wantLines))
	}
	for i := range min(len(gotLines), len(wantLines)) {
		if !bytes.Equal(gotLines[i], wantLines[i]) {
			t.Errorf("line %d\n got %q\nwant %q", i+1, gotLines[i], wantLines[i])
		}
	}
}
