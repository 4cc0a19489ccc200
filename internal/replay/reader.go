package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tcptrail/tcptrail/internal/record"
)

const (
	// maxLine is the longest line that is read: a look after which 300,000 sockets are gone has one of that length.
	maxLine = 16 << 20
	// maxHeld is how much of a file is read at once, for it to be closed again: a host has many processes with few lines.
	maxHeld = 256 << 10
	// chunk is how much is read of others at a time.
	chunk = 64 << 10
)

// reader reads the lines of one stream. Until its first line's turn has come it keeps no file open.
type reader struct {
	rest    Stream
	stats   *Stats
	decoder record.Decoder
	record  record.Record
	file    io.Closer
	lines   *bufio.Reader
	name    string
	long    []byte // a line that does not fit into the buffer
	asleep  bool   // the first line is known, and the file closed
}

// peek reads the first line, and closes the file if it can be opened again.
func (r *reader) peek() (ok bool, err error) {
	whole, before := r.rest, *r.stats
	if ok, err = r.next(); !ok || err != nil {
		return false, errors.Join(err, r.close())
	}
	if slices.ContainsFunc(whole, func(s Segment) bool { return s.Once }) {
		return true, nil
	}
	*r.stats = before // what was passed by will be so again
	r.rest, r.asleep = whole, true
	return true, r.close()
}

// wake reads the first line again.
func (r *reader) wake() error {
	if !r.asleep {
		return nil
	}
	r.asleep = false
	_, err := r.next()
	return err
}

// next reads the next line that is one; false at the end.
func (r *reader) next() (bool, error) {
	for {
		if r.lines == nil {
			if len(r.rest) == 0 {
				return false, nil
			}
			if err := r.open(); err != nil {
				return false, err
			}
		}
		line, err := r.line()
		switch {
		case errors.Is(err, io.EOF):
			if err := r.close(); err != nil {
				return false, err
			}
			continue
		case err != nil:
			return false, fmt.Errorf("read %s: %w", r.name, err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := r.decoder.Decode(line, &r.record); err != nil {
			r.stats.bad(r.name, err)
			continue
		}
		if r.record.Kind == record.Other {
			r.stats.Strange++
			continue
		}
		return true, nil
	}
}

// open opens the next file, and reads it whole if it is small.
func (r *reader) open() error {
	s := r.rest[0]
	r.rest, r.name = r.rest[1:], s.Name
	file, err := s.Open()
	if err != nil {
		return err
	}
	head, err := io.ReadAll(io.LimitReader(file, maxHeld))
	if err != nil {
		return errors.Join(fmt.Errorf("read %s: %w", s.Name, err), file.Close())
	}
	if len(head) < maxHeld {
		r.lines = bufio.NewReader(bytes.NewReader(head))
		return file.Close()
	}
	r.file, r.lines = file, bufio.NewReaderSize(io.MultiReader(bytes.NewReader(head), file), chunk)
	return nil
}

// line returns the next line. One without a line feed was not written to its end.
func (r *reader) line() ([]byte, error) {
	line, err := r.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		r.long = append(r.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) {
			if len(r.long) > maxLine {
				return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
			}
			line, err = r.lines.ReadSlice('\n')
			r.long = append(r.long, line...)
		}
		line = r.long
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		r.stats.Torn++
	}
	return line, err
}

func (r *reader) close() error {
	file := r.file
	r.file, r.lines = nil, nil
	if file == nil {
		return nil
	}
	return file.Close()
}
