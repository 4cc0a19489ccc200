package replay

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/tcptrail/tcptrail/internal/archive"
)

const (
	zstdSuffix = ".zst"
	// maxWindow is how much memory a compressed file may ask for: what zstd itself takes without being told to.
	maxWindow = 128 << 20
)

// ErrNoRecording says that a directory has no recordings in it.
var ErrNoRecording = errors.New("no recording: a directory of tcptrail log has files named *.jsonl or *.jsonl.zst")

// Streams returns what is to be played of a directory of tcptrail log, or of files: recordings, or lines of tcptrail trace
// -o json; "-" is stdin.
func Streams(stdin io.Reader, paths ...string) (streams []Stream, err error) {
	for _, path := range paths {
		if path == "-" {
			streams = append(streams, Stream{{Name: "stdin", Open: func() (io.ReadCloser, error) { return io.NopCloser(stdin), nil }, Once: true}})
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, err
		case info.IsDir():
			found, err := directory(path)
			if err != nil {
				return nil, err
			}
			streams = append(streams, found...)
		default:
			streams = append(streams, Stream{segment(path)})
		}
	}
	return streams, nil
}

// directory puts the files of each stream in their order: those that are over by their numbers, and then the one that may
// still be written. A file that was being compressed when its writer died may be there twice: the plain one is whole.
func directory(dir string) ([]Stream, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	parts := map[string][]part{}
	for _, entry := range entries {
		if n, ok := archive.ParseName(entry.Name()); ok && entry.Type().IsRegular() {
			parts[n.Stream] = append(parts[n.Stream], part{n, entry.Name()})
		}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoRecording)
	}
	var streams []Stream
	for _, files := range parts {
		slices.SortFunc(files, func(a, b part) int {
			return cmp.Or(cmp.Compare(a.place(), b.place()), cmp.Compare(len(a.file), len(b.file)))
		})
		files = slices.CompactFunc(files, func(a, b part) bool { return a.Number == b.Number })
		var s Stream
		last := uint64(0)
		for _, p := range files {
			s = append(s, p.after(dir, last))
			last = p.Number
		}
		streams = append(streams, s)
	}
	return streams, nil
}

// part is a file of a stream.
type part struct {
	archive.Name
	file string // its name as it stands
}

// place orders the files of a stream: the one without a number comes last.
func (p *part) place() uint64 { return p.Number - 1 }

func segment(path string) Segment {
	return Segment{
		Name: path, Open: func() (io.ReadCloser, error) { return open(path) }, Summary: func() *archive.Summary { return summaryOf(path) },
	}
}

// after returns a file of a directory that is being written: it may have got a number since it was seen, which follows
// that of the one before, and been compressed.
func (p *part) after(dir string, before uint64) Segment {
	s, n := segment(filepath.Join(dir, p.file)), p.Name
	paths := []string{s.Name}
	if n.Number == 0 {
		n.Number = before + 1
	}
	for _, n.Pressed = range []bool{false, true} {
		paths = append(paths, filepath.Join(dir, n.String()))
	}
	s.Open = func() (file io.ReadCloser, err error) {
		for _, path := range paths {
			if file, err = open(path); !errors.Is(err, os.ErrNotExist) {
				return file, err
			}
		}
		return io.NopCloser(strings.NewReader("")), nil // removed, as the oldest are
	}
	return s
}

// summaryOf returns what is known of a file without reading it; nil for one that has no summary, or is gone.
func summaryOf(path string) *archive.Summary {
	if !strings.HasSuffix(path, zstdSuffix) {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	s, err := archive.ReadSummary(file, info.Size())
	if err != nil {
		return nil
	}
	return s
}

// open opens a file, compressed or not.
func open(path string) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil || !strings.HasSuffix(path, zstdSuffix) {
		return file, err
	}
	decoder, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), file.Close())
	}
	return &compressed{decoder, file}, nil
}

type compressed struct {
	*zstd.Decoder
	file *os.File
}

// Close frees the decoder and closes the file.
func (c *compressed) Close() error {
	c.Decoder.Close()
	return c.file.Close()
}
