package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// file is what is known of a file in the directory.
type file struct {
	stream string
	number uint64 // 0: current
	bytes  int64
	last   time.Time // it was written
}

// inherit takes over what is in the directory: it cuts off what was not written to its end, ends what was current, and
// removes what was begun and not finished.
func (a *Archive) inherit() error {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/self/fd/%d", a.dir.Fd()))
	if err != nil {
		return fmt.Errorf("list %s: %w", a.options.Dir, err)
	}
	there := map[string]bool{}
	for _, entry := range entries {
		there[entry.Name()] = true
	}
	var current, over []string
	for _, entry := range entries {
		name := entry.Name()
		if !entry.Type().IsRegular() {
			continue
		}
		if strings.HasPrefix(name, ".") && strings.HasSuffix(name, tempSuffix) {
			_ = unix.Unlinkat(int(a.dir.Fd()), name, 0)
			continue
		}
		n, ok := ParseName(name)
		if !ok || n.Number == 0 && !n.IsCurrent() {
			continue
		}
		if !n.IsCurrent() && !n.Pressed && there[name+zstdSuffix] { // compressed, and not removed any more
			_ = unix.Unlinkat(int(a.dir.Fd()), name, 0)
			continue
		}
		info, err := entry.Info()
		if err != nil {
			continue // gone
		}
		a.mu.Lock()
		a.files[name] = &file{stream: n.Stream, number: n.Number, bytes: info.Size(), last: info.ModTime()}
		a.mu.Unlock()
		switch {
		case n.Pressed:
		case n.IsCurrent():
			current = append(current, n.Stream)
		default:
			over = append(over, name)
		}
	}
	for _, stream := range current { // now that all numbers are known that are taken
		a.mend(stream)
	}
	for _, name := range over {
		a.press.add(name, nil)
	}
	return nil
}

// mend cuts off a line that was not written to its end, and ends the file.
func (a *Archive) mend(stream string) {
	name := stream + lineSuffix
	size, err := a.cutTorn(name)
	if err != nil {
		a.options.Warn(fmt.Sprintf("mend %v", err))
		return
	}
	a.mu.Lock()
	a.files[name].bytes = size
	if size == 0 {
		delete(a.files, name)
	}
	a.mu.Unlock()
	if size == 0 {
		_ = unix.Unlinkat(int(a.dir.Fd()), name, 0)
		return
	}
	a.finish(stream, nil)
}

// cutTorn cuts a file back to its last whole line, and returns how long that is.
func (a *Archive) cutTorn(name string) (size int64, err error) {
	fd, err := unix.Openat(int(a.dir.Fd()), name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	defer func() { err = errors.Join(err, f.Close()) }()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	tail := make([]byte, maxBuffer)
	for at := end; at > 0; {
		from := max(0, at-int64(len(tail)))
		part := tail[:at-from]
		if _, err := f.ReadAt(part, from); err != nil {
			return 0, err
		}
		if n := wholeLines(part); n > 0 {
			size = from + int64(n)
			break
		}
		at = from
	}
	if size < end {
		a.mu.Lock()
		a.stats.Torn++
		a.mu.Unlock()
		a.options.Warn(fmt.Sprintf("%s: its last line was not written to its end, and is cut off", name))
		return size, f.Truncate(size)
	}
	return size, nil
}
