package replay

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

const (
	lineSuffix = ".jsonl"
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
		p, ok := partOf(entry.Name())
		if ok && entry.Type().IsRegular() {
			parts[p.stream] = append(parts[p.stream], p)
		}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoRecording)
	}
	var streams []Stream
	for _, files := range parts {
		slices.SortFunc(files, func(a, b part) int {
			return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(len(a.name), len(b.name)))
		})
		files = slices.CompactFunc(files, func(a, b part) bool { return a.number == b.number })
		var s Stream
		last := uint64(0)
		for _, p := range files {
			s = append(s, after(dir, p, last))
			last = p.number
		}
		streams = append(streams, s)
	}
	return streams, nil
}

// part is a file of a stream.
type part struct {
	stream string
	name   string
	number uint64
}

// current is over the number of any file that is over.
const current = 1<<64 - 1

// partOf understands STREAM.jsonl, STREAM.NUMBER.jsonl and STREAM.NUMBER.jsonl.zst.
func partOf(name string) (p part, ok bool) {
	rest, isOver := strings.CutSuffix(name, zstdSuffix)
	rest, ok = strings.CutSuffix(rest, lineSuffix)
	p = part{stream: rest, name: name, number: current}
	if at := strings.LastIndexByte(rest, '.'); at > 0 {
		if n, err := strconv.ParseUint(rest[at+1:], 10, 63); err == nil {
			p.stream, p.number, isOver = rest[:at], n, true
		}
	}
	return p, ok && rest != "" && (isOver || !strings.HasPrefix(name, "."))
}

func segment(path string) Segment {
	return Segment{Name: path, Open: func() (io.ReadCloser, error) { return open(path) }}
}

// after returns a file of a directory that is being written: it may have got a number since it was seen, which follows
// that of the one before, and been compressed.
func after(dir string, p part, before uint64) Segment {
	s := segment(filepath.Join(dir, p.name))
	number := p.number
	if number == current {
		number = before + 1
	}
	plain := filepath.Join(dir, fmt.Sprintf("%s.%06d%s", p.stream, number, lineSuffix))
	s.Open = func() (file io.ReadCloser, err error) {
		for _, path := range []string{s.Name, plain, plain + zstdSuffix} {
			if file, err = open(path); !errors.Is(err, os.ErrNotExist) {
				return file, err
			}
		}
		return io.NopCloser(strings.NewReader("")), nil // removed, as the oldest are
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
