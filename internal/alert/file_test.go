package alert

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func delivery(id string, s Status) []Delivery {
	return []Delivery{{Alert: about(id, s), Key: strings.Repeat("0", 32), Now: origin}}
}

func openFile(t *testing.T, path string) *File {
	t.Helper()
	f, err := NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func deliver(t *testing.T, s Sink, id string) {
	t.Helper()
	if err := s.Deliver(t.Context(), delivery(id, Firing)); err != nil {
		t.Fatal(err)
	}
}

// linesOf returns the IDs of a file's lines, and whole those that are none of ours.
func linesOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		line = strings.TrimPrefix(line, `{"event":"finding","id":"`)
		ids = append(ids, strings.TrimSuffix(line, `","status":"firing"}`))
	}
	return strings.Join(ids, " ")
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := openFile(t, path)
	deliver(t, f, "a")
	deliver(t, f, "b")
	if got := linesOf(t, path); got != "a b" {
		t.Errorf("lines of %s", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fileMode {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	f.Close()
	deliver(t, openFile(t, path), "c")
	if got := linesOf(t, path); got != "a b c" {
		t.Errorf("appended: lines of %s", got)
	}
}

func TestFileIsRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := openFile(t, path)
	deliver(t, f, "a")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, "b")
	if linesOf(t, path+".1") != "a" || linesOf(t, path) != "b" {
		t.Errorf("renamed: lines of %s and %s", linesOf(t, path+".1"), linesOf(t, path))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, "c")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, "d")
	if got := linesOf(t, path); got != "d" {
		t.Errorf("removed, then truncated: lines of %s", got)
	}
}

func TestFileWithATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(`{"event":`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := openFile(t, path)
	deliver(t, f, "a")
	deliver(t, f, "b")
	if got := linesOf(t, path); got != `{"event": a b` {
		t.Errorf("lines of %s", got)
	}
}

// TestFileOnAFullDisk has a limit of the file's size stand for a full disk: it, too, lets a part of a line through.
func TestFileOnAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := openFile(t, path)
	deliver(t, f, "a")
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	full := before
	full.Cur = uint64(info.Size()) + 8
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil { // Go ignores its signal
		t.Fatal(err)
	}
	err = f.Deliver(t.Context(), delivery("b", Firing))
	again := f.Deliver(t.Context(), delivery("b", Firing))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EFBIG) || !errors.Is(again, syscall.EFBIG) {
		t.Errorf("errors: %v, %v", err, again)
	}
	deliver(t, f, "b")
	if got := linesOf(t, path); got != `a {"event" b` {
		t.Errorf("lines of %s", got)
	}
}

func TestFileIsAFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f := openFile(t, path)
	err := f.Deliver(t.Context(), delivery("a", Firing))
	if !errors.Is(err, syscall.ENXIO) || !strings.Contains(err.Error(), "start its reader") {
		t.Errorf("without a reader: %v", err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	written := 0
	for err = nil; err == nil; written++ { // until the pipe is full
		err = f.Deliver(ctx, delivery("a", Firing))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with a reader that does not read: %v", err)
	}
	go func() { _ = f.Deliver(context.WithoutCancel(ctx), delivery("b", Firing)) }()
	lines := bufio.NewScanner(reader)
	for n := 0; lines.Scan() && !strings.Contains(lines.Text(), `"id":"b"`); n++ {
		if !strings.HasSuffix(lines.Text(), "}") && n != written-1 {
			t.Fatalf("line %d of %d: %s", n, written, lines.Text())
		}
	}
	if lines.Err() != nil || lines.Text() == "" {
		t.Errorf("%q, %v", lines.Text(), lines.Err())
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"": "give the name", "-": "give the name", dir: "give the name", link: "symbolic link", dir + "/no/log": "directory first",
	} {
		if _, err := NewFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "target")); err == nil {
		t.Error("the link was followed")
	}
	if _, err := NewFile(dir + "/a\x1b/b"); err == nil || strings.Contains(fmt.Sprint(err), "\x1b") {
		t.Errorf("%q", err)
	}
}
