package archive

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// The file that is locked also has the highest mark: a number on a line, the last of which counts.
const (
	// maxMarks is how large it grows before it begins anew. A writer adds a line or two.
	maxMarks = 4 << 10
)

// Mark returns what the last writer has set by SetMark; 0: nothing, or it cannot be known.
func (a *Archive) Mark() uint64 {
	fd, err := unix.Openat(int(a.dir.Fd()), lockName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	f := os.NewFile(uintptr(fd), lockName)
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 2*maxMarks))
	if err != nil {
		return 0
	}
	return lastMark(text)
}

// lastMark reads the last line that was written to its end.
func lastMark(text []byte) (mark uint64) {
	for line := range bytes.Lines(text) {
		digits, isWhole := bytes.CutSuffix(line, []byte{'\n'})
		if n, err := strconv.ParseUint(string(digits), 10, 64); isWhole && err == nil {
			mark = n
		}
	}
	return mark
}

// SetMark keeps a number for the next writer: it survives the death of this one.
func (a *Archive) SetMark(mark uint64) error {
	if info, err := a.lock.Stat(); err == nil && info.Size() > maxMarks {
		if err := a.lock.Truncate(0); err != nil {
			return fmt.Errorf("keep a mark in %s: %w", a.options.Dir, err)
		}
	}
	// The line feed before it ends what a writer has left unfinished.
	if _, err := fmt.Fprintf(a.lock, "\n%d\n", mark); err != nil {
		return fmt.Errorf("keep a mark in %s: %w", a.options.Dir, err)
	}
	return nil
}
