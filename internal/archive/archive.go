// Package archive keeps lines in many files of one directory: a current file for each stream, and those that are over,
// compressed. It is bounded in bytes, files, descriptors and memory, writes through no link, and counts what it cannot keep.
package archive

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what to keep.
type Options struct {
	Dir          string
	SegmentBytes int64         // a file that is so large is over
	SegmentAge   time.Duration // or so old
	MaxBytes     int64         // of all files; the oldest go first
	MaxFiles     int           // likewise
	Sync         Sync
	Now          func() time.Time
	Warn         func(text string) // from any goroutine
}

// Sync says when what was written is made to survive a loss of power. The death of this process it survives anyway.
type Sync struct {
	Close bool          // when a file is over
	Every time.Duration // 0: never
}

// Keys are what a line can be found by. The zero value of each is none.
type Keys struct {
	Time   int64 // ns since 1970
	Cookie uint64
	Local  netip.Addr
	Remote netip.Addr
	PID    uint32
}

// Stats is what became of the lines.
type Stats struct {
	Lines   uint64 // written
	Bytes   uint64 // of them
	Lost    uint64 // lines that could not be
	Torn    uint64 // lines that an earlier writer had not finished, and were cut off
	Removed uint64 // files, to keep within the bounds
	Files   int    // now
	Disk    int64  // bytes of them
}

const (
	// maxOpen is how many files are open at once: a process has 1,024 descriptors unless it asks for more.
	maxOpen = 128
	// maxBuffer is how much of a stream waits for Flush, which comes many times a second.
	maxBuffer = 64 << 10
	// fileMode and dirMode: addresses and names of processes are not everybody's business.
	fileMode = 0o640
	dirMode  = 0o750
	// upkeep is how often files are looked through for what is over because of its age.
	upkeep = time.Second
)

// Archive is for one goroutine, but for Stats.
type Archive struct {
	options Options
	dir     *os.File
	lock    *os.File
	streams map[string]*stream
	dirty   []*stream // with something in their buffers
	open    []*stream // with a descriptor, the least recently used first
	kept    time.Time // last upkeep
	synced  time.Time
	press   *press

	mu    sync.Mutex // guards the rest, which the press uses, too
	stats Stats
	files map[string]*file // by name
	ill   bool             // the last write failed
	lostI uint64           // Lost when that began
}

// Open takes possession of a directory, which it makes if it is not there, mends what an earlier writer left, and
// compresses what is over.
func Open(o Options) (_ *Archive, err error) {
	a := &Archive{options: o, streams: map[string]*stream{}, files: map[string]*file{}}
	if a.dir, err = openDir(o.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.dir.Close())
		}
	}()
	if a.lock, err = a.takeLock(); err != nil {
		return nil, err
	}
	a.press = newPress(a)
	if err = a.inherit(); err != nil {
		return nil, errors.Join(err, a.press.stop(), a.lock.Close())
	}
	a.bound()
	return a, nil
}

// openDir opens the directory itself: one that others may write to could have its files exchanged for links.
func openDir(path string) (*os.File, error) {
	if err := os.MkdirAll(path, dirMode); err != nil {
		return nil, err
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR):
		return nil, fmt.Errorf("%s is no directory, or a link to one: give the directory itself", path)
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	dir := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, errors.Join(&os.PathError{Op: "stat", Path: path, Err: err}, dir.Close())
	}
	if st.Mode&0o022 != 0 || st.Uid != uint32(os.Geteuid()) && st.Uid != 0 {
		_ = dir.Close()
		return nil, fmt.Errorf("%s may be written to by others, who could put links there: chmod go-w, or take another one", path)
	}
	return dir, nil
}

// lockName is the file that is locked while somebody writes.
const lockName = ".lock"

func (a *Archive) takeLock() (*os.File, error) {
	f, err := a.openFile(lockName)
	if err != nil {
		return nil, fmt.Errorf("begin to write in %s: %w", a.options.Dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: another process writes there: give each a directory of its own", a.options.Dir)
		}
		return nil, fmt.Errorf("lock %s: %w", a.options.Dir, err)
	}
	return f, nil
}

// openFile opens a file for appending, made if need be, that is nobody else's and no link.
func (a *Archive) openFile(name string) (*os.File, error) {
	const flags = unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := unix.Openat(int(a.dir.Fd()), name, flags, fileMode)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), name)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 || st.Uid != uint32(os.Geteuid())) {
		err = errors.New("is not a file of ours alone")
	}
	if err == nil {
		err = unix.Fchmod(fd, fileMode) // whatever the umask
	}
	if err != nil {
		_ = f.Close()
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
}

// Append keeps a line, which ends with a line feed and is not used after the call, in a stream, whose name is made by
// StreamName or of letters and digits. It is kept for good after the next Flush.
func (a *Archive) Append(to string, line []byte, k Keys) {
	s := a.stream(to)
	if len(s.buffer)+len(line) > maxBuffer && len(s.buffer) > 0 {
		a.write(s)
		s = a.stream(to) // the file may be over, and then so is its stream
	}
	if len(s.buffer) == 0 {
		a.dirty = append(a.dirty, s)
	}
	s.buffer = append(s.buffer, line...)
	s.waiting++
	s.summary.add(&k)
}

func (a *Archive) stream(name string) *stream {
	s := a.streams[name]
	if s == nil {
		s = newStream(name)
		a.streams[name] = s
	}
	return s
}

// Flush writes what was appended. What cannot be written is counted as lost, and told of by Warn.
func (a *Archive) Flush() {
	for _, s := range a.dirty {
		if len(s.buffer) > 0 {
			a.write(s)
		}
	}
	a.dirty = a.dirty[:0]
	now := a.options.Now()
	if now.Sub(a.kept) >= upkeep || now.Before(a.kept) {
		a.kept = now
		a.closeOld(now)
		a.bound()
	}
	if e := a.options.Sync.Every; e > 0 && now.Sub(a.synced) >= e {
		a.synced = now
		a.syncAll()
	}
}

// Stats returns what became of the lines so far. It may be called from any goroutine.
func (a *Archive) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.stats
	s.Files = len(a.files)
	for _, f := range a.files {
		s.Disk += f.bytes
	}
	return s
}

// Close writes what was appended, ends and compresses all files, and gives the directory free.
func (a *Archive) Close() error {
	a.Flush()
	for _, s := range a.streams {
		a.over(s)
	}
	err := a.press.stop()
	a.bound()
	return errors.Join(err, a.lock.Close(), a.dir.Close())
}
