package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// PinDir is where a tracer keeps its state for others and for its successor, if it is asked to.
const PinDir = "/sys/fs/bpf/tcptrail"

// pinName names the map; the number changes whenever an older tracer's entries would be misread (bpf/entry.h).
const pinName = "entries_1"

// pin is a directory in bpffs with what tracers know of sockets. It outlives them: a socket's entry goes with its socket,
// all go when the directory is removed or the host restarts. Whoever writes holds a lock on the directory, which the
// kernel takes away when that process ends, however it ends; so one tracer at a time writes, and readers know
// whether there is one.
type pin struct {
	path string
	dir  *os.File
}

// openPin makes the directory if it is not there, and locks it.
func openPin(path string) (_ *pin, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &st); err != nil || st.Type != unix.BPF_FS_MAGIC {
		return nil, fmt.Errorf("%s is not in bpffs: mount -t bpf none %s", path, filepath.Dir(path))
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make place for what is known of sockets: %w", err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another tcptrail keeps its state in %s: end it, or go without", path), dir.Close())
	}
	return &pin{path: path, dir: dir}, nil
}

// take makes the map of a predecessor ours, if there is one that fits.
func (p *pin) take(spec *ebpf.CollectionSpec, options *ebpf.CollectionOptions) (release func() error, err error) {
	entries, err := ebpf.LoadPinnedMap(filepath.Join(p.path, pinName), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of a tracer before: %w", err)
	}
	if err := spec.Maps[bpfMapEntries].Compatible(entries); err != nil {
		return func() error { return nil }, errors.Join(entries.Unpin(), entries.Close())
	}
	options.MapReplacements = map[string]*ebpf.Map{bpfMapEntries: entries}
	return entries.Close, nil
}

// keep leaves the map for others, unless it is there already.
func (p *pin) keep(entries *ebpf.Map) error {
	path := filepath.Join(p.path, pinName)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := entries.Pin(path); err != nil {
		return fmt.Errorf("keep what is known of sockets: %w", err)
	}
	return nil
}

func (p *pin) close() error { return p.dir.Close() }

// newSession returns a number that a tracer before us hardly had: entries that bear another are taken over with care.
func newSession() uint16 { return 1 + uint16(rand.N(1<<16-1)) }

// pinnedState is what a tracer, past or present, has left.
type pinnedState struct {
	entries *ebpf.Map
	cells   *ebpf.Map // nil: it has none
	live    bool      // it is at work
}

// readPin returns nil when there is nothing, or nothing that this process may read.
func readPin(path string, spec *ebpf.CollectionSpec) (*pinnedState, error) {
	entries, err := ebpf.LoadPinnedMap(filepath.Join(path, pinName), nil)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of a tracer: %w", err)
	}
	if err := spec.Maps[snapshotMapEntries].Compatible(entries); err != nil {
		return nil, entries.Close()
	}
	return &pinnedState{entries: entries, live: isLocked(path)}, nil
}

// isLocked says whether a tracer holds the directory.
func isLocked(path string) bool {
	dir, err := os.Open(path)
	if err != nil {
		return false
	}
	defer dir.Close()
	return errors.Is(unix.Flock(int(dir.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
