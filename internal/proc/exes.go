package proc

import (
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// exeFor is how long an answer of Exes is taken for the present one. After an exec, or when a pid is given again,
	// the old one is shown for so long.
	exeFor = 5 * time.Second
	// maxExes bounds what Exes remembers; full of usual paths it is some 2 MB. Hosts with more processes that own
	// sockets pay a readlink(2) more often.
	maxExes = 1 << 14
)

// Exes remembers for some seconds which executables processes run. It may be used by several goroutines.
type Exes struct {
	fs  FS
	now func() time.Time

	mu    sync.Mutex
	known map[uint32]exe
}

type exe struct {
	path  string // "": none to be seen
	until time.Time
}

// NewExes returns an empty cache. now is the clock, time.Now but in tests.
func (f FS) NewExes(now func() time.Time) *Exes {
	return &Exes{fs: f, now: now, known: make(map[uint32]exe)}
}

// Exe returns the path of the file that a process executes. It is false for kernel threads and zombies, which have none;
// for a process that is gone; and for one that this process may not look at, which takes CAP_SYS_PTRACE.
//
// The path is the one that the process sees, maybe in a container, without the " (deleted)" that the kernel adds
// when the file was removed or replaced, as upgrades do, or is a memfd. It is raw bytes of the process's choice.
//
// An answer that is remembered allocates nothing.
func (e *Exes) Exe(pid uint32) (path string, ok bool) {
	now := e.now()
	e.mu.Lock()
	defer e.mu.Unlock()
	entry, known := e.known[pid]
	if !known || !now.Before(entry.until) {
		if !known && len(e.known) >= maxExes {
			clear(e.known) // which costs one readlink(2) for each that is asked for again
		}
		entry = exe{e.fs.exe(pid), now.Add(exeFor)}
		e.known[pid] = entry
	}
	return entry.path, entry.path != ""
}

// exe returns the path of a process's executable, "" if there is none to be seen.
func (f FS) exe(pid uint32) string {
	link, err := os.Readlink(f.path(decimal(pid), "exe"))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(link, " (deleted)")
}
