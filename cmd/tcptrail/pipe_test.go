package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what ought to happen at once.
const patience = 30 * time.Second

func TestReaderGone(t *testing.T) {
	for name, open := range map[string]func(*testing.T) (reader, writer *os.File){
		"pipe": func(t *testing.T) (*os.File, *os.File) {
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			return reader, writer
		},
		"socket": func(t *testing.T) (*os.File, *os.File) {
			ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return os.NewFile(uintptr(ends[0]), "reader"), os.NewFile(uintptr(ends[1]), "writer")
		},
	} {
		reader, writer := open(t)
		defer writer.Close()
		gone := readerGone(writer)
		if gone == nil {
			t.Errorf("%s: not watched", name)
			continue
		}
		if _, err := writer.WriteString("not read"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-gone:
			t.Errorf("%s: gone, though open", name)
		default:
		}
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-gone:
		case <-time.After(patience):
			t.Errorf("%s: not noticed", name)
		}
	}
}

// What has no other end is not watched.
func TestReaderOfAFile(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, f := range []*os.File{file, null} {
		if readerGone(f) != nil {
			t.Errorf("%s is watched", f.Name())
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if readerGone(file) != nil { // stdout may be closed
		t.Errorf("a closed file is watched")
	}
}
