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
	program  program

	mu      sync.Mutex
	maps    []mapping
	modules map[moduleID]*module // of maps; nil: could not be opened
	jit     map[uint64]string    // of the stack that is being resolved, by address
}

// moduleID tells files apart as /proc/PID/maps does.
type moduleID struct {
	dev   string
	inode uint64
}

// captureTries is how often a process is looked at that begins another program meanwhile.
const captureTries = 3

var (
	errEnded        = errors.New("it has no code: it has ended, or is a kernel thread")
	errOtherProgram = errors.New("it runs another program by now")
)

// Capture looks at a process while it lives: its mappings, and the files behind them, which are opened. It takes the
// rights of ptrace(2) for another user's process. The error matches os.ErrNotExist if there is none.
func (r *Resolver) Capture(pid int) (i *Image, err error) {
	for range captureTries {
		i = &Image{resolver: r, pid: pid, modules: map[moduleID]*module{}}
		i.program = i.readProgram()
		i.mu.Lock()
		err = i.refresh()
		i.mu.Unlock()
		if err == nil {
			return i, nil
		}
		if !errors.Is(err, errOtherProgram) {
			break
		}
	}
	return nil, fmt.Errorf("look at pid %d: %w", pid, err)
}

// refresh reads the mappings anew, as after dlopen(). What is known stays where that is not possible.
func (i *Image) refresh() error {
	file, err := os.Open(i.proc("maps"))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	maps, err := parseMaps(file)
	if err != nil {
		return err
	}
	if len(maps) == 0 {
		return errEnded
	}
	modules := map[moduleID]*module{}
	for n := range maps {
		m := &maps[n]
		id := moduleID{m.dev, m.inode}
		if !m.isFile() {
			continue
		}
		if _, known := modules[id]; known {
			continue
		}
		if known, ok := i.modules[id]; ok {
			modules[id] = known
			continue
		}
		modules[id] = i.resolver.module(id, m.path, func() (*os.File, error) { return i.open(m) })
	}
	switch i.readProgram() {
	case i.program:
	case program{}:
		return errEnded
	default:
		return errOtherProgram
	}
	i.maps, i.modules = maps, modules
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
	if own, err := idOf(file); err != nil || own != (moduleID{m.dev, m.inode}) {
		_ = file.Close()
		return nil, errOtherFile
	}
	return file, nil
}

// openFile opens a regular file and nothing else.
func openFile(path string) (*os.File, error) {
	return openRegular(func(flags int) (*os.File, error) { return os.OpenFile(path, flags, 0) })
}

const openPath = 0x200000 // O_PATH of Linux, on all architectures that we run on

// openRegular opens what open does, with O_PATH, if that is a regular file. It touches nothing else: neither a FIFO, which
// blocks, nor a device, of which some act when they are opened.
func openRegular(open func(flags int) (*os.File, error)) (*os.File, error) {
	handle, err := open(openPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = handle.Close() }()
	info, err := handle.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", handle.Name())
	}
	// Without blocking: the file may be leased (fcntl(2), F_SETLEASE).
	return os.OpenFile(fmt.Sprintf("%s/self/fd/%d", procRoot, handle.Fd()), os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// idOf returns what a file is called in /proc/PID/maps where it is mapped.
func idOf(file *os.File) (moduleID, error) {
	info, err := file.Stat()
	if err != nil {
		return moduleID{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return moduleID{}, errors.ErrUnsupported
	}
	major := stat.Dev>>8&0xfff | stat.Dev>>32&^0xfff // as glibc's major() and minor()
	minor := stat.Dev&0xff | stat.Dev>>12&^0xff&0xffffffff
	return moduleID{fmt.Sprintf("%02x:%02x", major, minor), stat.Ino}, nil
}
