package archive

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// bound removes the oldest files until there are no more, and no larger ones, than there may be. When all that are left
// are current, the oldest of them ends for it.
func (a *Archive) bound() {
	for {
		name, current, over := a.oldest()
		switch {
		case !over:
			return
		case name != "":
			a.remove(name)
		case current != "":
			if s := a.streams[current]; s != nil {
				a.over(s)
			}
			a.press.drain() // for it to have a name that can be removed
		default:
			return
		}
	}
}

// oldest returns, if there is too much, the file that is over and was written to the longest time ago, and the stream
// whose current file was, if that is all there is.
func (a *Archive) oldest() (name, current string, over bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var total int64
	var oldest, oldestCurrent *file
	for n, f := range a.files {
		total += f.bytes
		if f.number > 0 {
			if oldest == nil || f.last.Before(oldest.last) {
				oldest, name = f, n
			}
		} else if oldestCurrent == nil || f.last.Before(oldestCurrent.last) {
			oldestCurrent, current = f, f.stream
		}
	}
	return name, current, total > a.options.MaxBytes || len(a.files) > a.options.MaxFiles
}

func (a *Archive) remove(name string) {
	a.press.forget(name)
	if err := unix.Unlinkat(int(a.dir.Fd()), name, 0); err != nil {
		a.options.Warn(fmt.Sprintf("remove %s: %v", name, err))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.files, name)
	a.stats.Removed++
}

// lastOf returns the highest number of a stream's files. The caller holds the lock.
func (a *Archive) lastOf(stream string) (last uint64) {
	for _, f := range a.files {
		if f.stream == stream {
			last = max(last, f.number)
		}
	}
	return last
}
