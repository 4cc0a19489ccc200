package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// stream is what is known of a current file.
type stream struct {
	name    string
	current string // its file
	buffer  []byte
	waiting uint64   // lines in it
	file    *os.File // nil: closed
	size    int64    // of what is whole in the file
	began   time.Time
	unsync  bool // written since it was synced
	summary summary
	partial bool // there are lines in the file that the summary does not know
}

func newStream(name string) *stream { return &stream{name: name, current: name + lineSuffix} }

// write writes what waits in a stream's buffer, or counts it as lost.
func (a *Archive) write(s *stream) {
	lines, text := s.waiting, s.buffer
	s.buffer, s.waiting = s.buffer[:0], 0
	err := a.hold(s)
	if err == nil {
		err = s.put(text)
	}
	a.note(s, err, lines, len(text))
	if err != nil {
		return
	}
	if s.size >= a.options.SegmentBytes {
		a.over(s)
	}
}

// note accounts for lines that were written, or not.
func (a *Archive) note(s *stream, err error, lines uint64, size int) {
	a.mu.Lock()
	wasIll, lost := a.ill, a.stats.Lost-a.lostI
	if a.ill = err != nil; a.ill {
		if !wasIll {
			a.lostI = a.stats.Lost
		}
		a.stats.Lost += lines
	} else {
		a.stats.Lines += lines
		a.stats.Bytes += uint64(size)
		f := a.files[s.current]
		if f == nil {
			f = &file{stream: s.name}
			a.files[s.current] = f
		}
		f.bytes, f.last = s.size, a.options.Now()
	}
	a.mu.Unlock()
	switch {
	case err != nil && !wasIll:
		a.options.Warn(fmt.Sprintf("%v: lines are lost until that is mended", err))
	case err == nil && wasIll:
		a.options.Warn(fmt.Sprintf("lines can be written again: %d were lost", lost))
	}
}

// hold makes sure that the stream's file is open, and closes the one that was not used for the longest time instead.
func (a *Archive) hold(s *stream) error {
	if at := slices.Index(a.open, s); at >= 0 {
		a.open = append(slices.Delete(a.open, at, at+1), s)
		return nil
	}
	if len(a.open) >= maxOpen {
		a.release(a.open[0])
	}
	f, err := a.openFile(s.current)
	if err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil && size > s.size { // a write was torn that could not be cut back, or there was a file that could not be ended
		size, err = a.cutTorn(s.current)
		s.partial = size > s.size
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if s.began.IsZero() {
		s.began = a.options.Now()
	}
	s.size = size
	s.file = f
	a.open = append(a.open, s)
	return nil
}

func (a *Archive) release(s *stream) {
	if at := slices.Index(a.open, s); at >= 0 {
		a.open = slices.Delete(a.open, at, at+1)
	}
	if s.file == nil {
		return
	}
	if s.unsync && a.options.Sync.Every > 0 {
		_ = s.file.Sync()
	}
	_ = s.file.Close() // what was written is the kernel's already
	s.file, s.unsync = nil, false
}

// put writes whole lines, or nothing: what went only in part is cut off again.
func (s *stream) put(text []byte) error {
	n, err := s.file.Write(text)
	if err == nil {
		s.size += int64(n)
		s.unsync = true
		return nil
	}
	if cut := s.file.Truncate(s.size); cut != nil {
		err = errors.Join(err, cut) // hold or inherit cuts it, when the file is opened next
	}
	return err
}

// over ends the stream's file, which gets a number and is compressed.
func (a *Archive) over(s *stream) {
	a.release(s)
	delete(a.streams, s.name)
	if s.size == 0 {
		return
	}
	if s.partial {
		a.finish(s.name, nil)
		return
	}
	a.finish(s.name, &s.summary)
}

// finish gives a current file its number, and hands it to the press.
func (a *Archive) finish(stream string, sum *summary) {
	from := stream + lineSuffix
	a.mu.Lock()
	number := a.lastOf(stream)
	a.mu.Unlock()
	for range maxNumbers {
		number++
		to := Name{Stream: stream, Number: number}.String()
		err := unix.Renameat2(int(a.dir.Fd()), from, int(a.dir.Fd()), to, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			a.options.Warn(fmt.Sprintf("end %s: %v", from, err))
			return
		}
		a.mu.Lock()
		if f := a.files[from]; f != nil {
			delete(a.files, from)
			f.number = number
			a.files[to] = f
		}
		a.mu.Unlock()
		a.press.add(to, sum)
		return
	}
	a.options.Warn(fmt.Sprintf("end %s: no number is free", from))
}

const (
	// digits of a number, so that names sort; there may be more.
	digits = 6
	// maxNumbers is how many names are tried that somebody else has taken.
	maxNumbers = 1000
)

// closeOld ends the files that are old.
func (a *Archive) closeOld(now time.Time) {
	for _, s := range a.streams {
		if s.size > 0 && len(s.buffer) == 0 && now.Sub(s.began) >= a.options.SegmentAge {
			a.over(s)
		}
	}
}

func (a *Archive) syncAll() {
	for _, s := range a.open {
		if !s.unsync {
			continue
		}
		if err := s.file.Sync(); err != nil {
			a.options.Warn(fmt.Sprintf("sync %s: %v", s.name, err))
		}
		s.unsync = false
	}
}

// wholeLines returns how much of a file's text is whole lines.
func wholeLines(tail []byte) int { return bytes.LastIndexByte(tail, '\n') + 1 }
