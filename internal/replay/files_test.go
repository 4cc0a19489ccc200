package replay

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

func pressed(t *testing.T, text []byte) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return encoder.EncodeAll(text, nil)
}

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The files of a directory are read in their order, and one that gets another name meanwhile is found.
func TestDirectory(t *testing.T) {
	dir, e := t.TempDir(), record.NewEncoder(begun)
	n := uint64(0)
	some := func() (text []byte) {
		for range 3 {
			n++
			event := transition(n, int64(n), tcp.Established, tcp.CloseWait)
			text = e.Transition(text, &event)
		}
		return text
	}
	first := some()
	put(t, filepath.Join(dir, "web-1-2.000009.jsonl.zst"), pressed(t, first))
	put(t, filepath.Join(dir, "web-1-2.000009.jsonl"), first) // it was being compressed
	put(t, filepath.Join(dir, "web-1-2.000010.jsonl"), some())
	put(t, filepath.Join(dir, "web-1-2.jsonl"), some())
	put(t, filepath.Join(dir, "host.jsonl"), some())
	put(t, filepath.Join(dir, ".host.000001.jsonl.tmp"), []byte("half"))
	put(t, filepath.Join(dir, "notes.txt"), []byte("not ours"))
	streams, err := Streams(nil, dir)
	if err != nil || len(streams) != 2 {
		t.Fatalf("%d streams, %v", len(streams), err)
	}
	for from, to := range map[string]string{"web-1-2.jsonl": "web-1-2.000011.jsonl", "host.jsonl": "host.000001.jsonl"} {
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "host.000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "host.000001.jsonl.zst"), pressed(t, text))
	if err := os.Remove(filepath.Join(dir, "host.000001.jsonl")); err != nil {
		t.Fatal(err)
	}
	got, stats := play(t, streams)
	var cookies []uint64
	for i := range got {
		cookies = append(cookies, got[i].Event.Cookie)
	}
	if !slices.IsSorted(cookies) || uint64(len(cookies)) != n || stats.Bad+stats.Torn != 0 {
		t.Errorf("%v, %+v", cookies, stats)
	}
	for _, name := range []string{"web-1-2.000009.jsonl.zst", "web-1-2.000009.jsonl"} { // the oldest are removed
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := play(t, streams); uint64(len(got)) != n-3 {
		t.Errorf("%d lines, want %d", len(got), n-3)
	}
}

func TestStreamsRefused(t *testing.T) {
	if _, err := Streams(nil, t.TempDir()); !errors.Is(err, ErrNoRecording) {
		t.Errorf("empty: %v", err)
	}
	if _, err := Streams(nil, "/no/such"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	path := filepath.Join(t.TempDir(), "bad.jsonl.zst")
	put(t, path, []byte("no zstd at all"))
	streams, err := Streams(nil, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(streams); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("bad: %v", err)
	}
	bomb := pressed(t, bytes.Repeat([]byte("0"), 2*maxLine)) // two kilobytes
	put(t, path, bomb)
	if _, err := Open(streams); err == nil || !strings.Contains(err.Error(), fmt.Sprint(maxLine)) {
		t.Errorf("bomb: %v", err)
	}
}
