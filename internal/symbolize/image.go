package symbolize

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Image is a process's code as it was when it was captured. It may be used by several goroutines.
type Image struct {
	resolver *Resolver
	pid      int

	mu      sync.Mutex
	maps    []mapping
	modules map[moduleID]*module // of maps; nil: could not be opened
	jit     *perfMap             // nil until it is needed
}

// moduleID tells files apart as /proc/PID/maps does.
type moduleID struct {
	dev   string
	inode uint64
}

// Capture looks at a process while it lives: its mappings, and the files behind them, which are opened. It takes the
// rights of ptrace(2) for another user's process. The error matches os.ErrNotExist if there is none.
func (r *Resolver) Capture(pid int) (*Image, error) {
	i := &Image{resolver: r, pid: pid, modules: map[moduleID]*module{}}
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.refresh(); err != nil {
		return nil, err
	}
	return i, nil
}

// refresh reads the mappings anew, as after dlopen().
func (i *Image) refresh() error {
	file, err := os.Open(i.proc("maps"))
	if err != nil {
		return fmt.Errorf("look at pid %d: %w", i.pid, err)
	}
	defer func() { _ = file.Close() }() // only read
	maps, err := parseMaps(file)
	if err != nil {
		return fmt.Errorf("look at pid %d: %w", i.pid, err)
	}
	if len(maps) == 0 { // what is known of a process that has ended stays
		return fmt.Errorf("pid %d has no code: it has ended, or is a kernel thread", i.pid)
	}
	i.maps = maps
	for n := range maps {
		m := &maps[n]
		id := moduleID{m.dev, m.inode}
		if _, known := i.modules[id]; m.isFile() && !known {
			i.modules[id] = i.resolver.module(id, m.path, func() (*os.File, error) { return i.open(m) })
		}
	}
	return nil
}

func (i *Image) proc(name string) string {
	return i.resolver.root + "/" + strconv.Itoa(i.pid) + "/" + name
}

var errOtherFile = errors.New("another file has its path by now")

// open opens the file of a mapping: itself, whatever its path has come to mean, where that is permitted
// (CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN, fs/proc/base.c), else by its path, if the file there is the same: in the
// process's root, and in ours, for the process may have ended a moment ago.
func (i *Image) open(m *mapping) (*os.File, error) {
	file, err := openFile(i.proc(fmt.Sprintf("map_files/%x-%x", m.start, m.end)))
	if err == nil {
		return file, nil
	}
	path := strings.TrimSuffix(m.path, deletedMark)
	if file, err = openSame(i.proc("root"+path), m); err == nil {
		return file, nil
	}
	return openSame(path, m)
}

// openSame opens a file if it is that of a mapping.
func openSame(path string, m *mapping) (*os.File, error) {
	file, err := openFile(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !isSame(info, m) {
		err = errOtherFile
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// openFile opens a regular file and nothing else: neither a FIFO that blocks nor a device.
func openFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// isSame compares a file with what the kernel says of the mapping.
func isSame(info os.FileInfo, m *mapping) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Ino != m.inode {
		return false
	}
	major := stat.Dev>>8&0xfff | stat.Dev>>32&^0xfff // as glibc's major() and minor()
	minor := stat.Dev&0xff | stat.Dev>>12&^0xff&0xffffffff
	return m.dev == fmt.Sprintf("%02x:%02x", major, minor)
}
