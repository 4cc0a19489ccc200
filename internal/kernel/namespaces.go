package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/proc"
)

const (
	// maxWays is how many ways to a namespace are kept: processes end between being found and being asked.
	maxWays = 16
	// maxSearches is how often namespaces are looked for again when all ways to one have gone meanwhile: either it has
	// gone, too, or new processes are in it.
	maxSearches = 4
)

// way is a way into a network namespace.
type way struct {
	kind snapshotNamespaceWay
	pid  uint32 // of a thread for BY_TASK, of a process else
	fd   uint32
	path string // of a mount, instead of the others
}

// open returns a descriptor of the namespace. An error that is proc.ErrNetNSGone says that there is no such way any more.
func (w *way) open() (*os.File, uint32, error) {
	switch {
	case w.path != "":
		return proc.FS{}.OpenNetNSPath(w.path)
	case w.kind == snapshotNamespaceWayBY_TASK:
		return proc.FS{}.OpenNetNS(w.pid)
	case w.kind == snapshotNamespaceWayBY_FILE:
		return openNetNSFile(w.pid, w.fd)
	}
	return openNetNSOfSocket(int(w.pid), int(w.fd))
}

// openNetNSFile opens a namespace that a process has a descriptor on. Whoever has the capabilities without being root may
// not look into another's /proc/PID/fd (fs/proc/fd.c, proc_fd_permission: that takes CAP_DAC_READ_SEARCH), but may copy a
// descriptor; where Yama forbids the one, the other goes.
func openNetNSFile(pid, fd uint32) (*os.File, uint32, error) {
	file, inode, err := proc.FS{}.OpenNetNSFile(pid, fd)
	if !errors.Is(err, os.ErrPermission) {
		return file, inode, err
	}
	theirs, refused := copyDescriptor(int(pid), int(fd))
	if errors.Is(refused, proc.ErrNetNSGone) {
		return nil, 0, refused
	}
	if refused != nil {
		return nil, 0, err
	}
	defer unix.Close(theirs)
	return proc.FS{}.OpenNetNSPath(fmt.Sprintf("/proc/self/fd/%d", theirs))
}

// copyDescriptor returns a descriptor of our own of another process's open file.
func copyDescriptor(pid, fd int) (int, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, gone(err)
	}
	defer unix.Close(process)
	theirs, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return -1, gone(err)
	}
	return theirs, nil
}

// openNetNSOfSocket asks a socket of another process for its namespace (net/socket.c, SIOCGSKNS).
func openNetNSOfSocket(pid, fd int) (*os.File, uint32, error) {
	socket, err := copyDescriptor(pid, fd)
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(socket)
	const siocgskns = 0x894c
	netns, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), siocgskns, 0)
	switch {
	case errno == unix.ENOTTY:
		return nil, 0, proc.ErrNetNSGone // by now the descriptor is no socket's
	case errno != 0:
		return nil, 0, fmt.Errorf("ask a socket for its network namespace: %w", errno)
	}
	unix.CloseOnExec(int(netns))
	file := os.NewFile(netns, "network namespace")
	var st unix.Stat_t
	if err := unix.Fstat(int(netns), &st); err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, uint32(st.Ino), nil
}

// gone says of a process or descriptor that is not there any more that it is no way.
func gone(err error) error {
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EBADF) {
		return proc.ErrNetNSGone
	}
	return err
}

// namespaces are those that were found, each with ways to it.
type namespaces struct {
	ways    map[uint32][]way
	visited map[uint32]bool
	only    []uint32 // nil: all
}

func newNamespaces(only []uint32) *namespaces {
	return &namespaces{ways: map[uint32][]way{}, visited: map[uint32]bool{}, only: only}
}

func (n *namespaces) add(inode uint32, w way) {
	if n.only != nil && !slices.Contains(n.only, inode) {
		return
	}
	if known := n.ways[inode]; len(known) < maxWays {
		n.ways[inode] = append(known, w)
	}
}

// pending returns the namespaces that were not visited yet, in ascending order.
func (n *namespaces) pending() []uint32 {
	var inodes []uint32
	for inode := range n.ways {
		if !n.visited[inode] {
			inodes = append(inodes, inode)
		}
	}
	slices.Sort(inodes)
	return inodes
}

// seen returns those that were visited, in ascending order.
func (n *namespaces) seen() []uint32 {
	var inodes []uint32
	for inode := range n.visited {
		inodes = append(inodes, inode)
	}
	slices.Sort(inodes)
	return inodes
}

// visit runs look in each namespace that is pending, on a thread that nobody else uses. It returns to how many all ways
// had gone.
func (n *namespaces) visit(look func() error) (lost int, err error) {
	inodes := n.pending()
	if len(inodes) == 0 {
		return 0, nil
	}
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and with it its namespace
		lost, err = n.visitAll(inodes, look)
		close(done)
	}()
	<-done
	return lost, err
}

func (n *namespaces) visitAll(inodes []uint32, look func() error) (lost int, err error) {
	here, err := netnsOfThread()
	if err != nil {
		return 0, err
	}
	for _, inode := range inodes {
		if inode != here {
			entered, err := n.enter(inode)
			if err != nil {
				return lost, err
			}
			if !entered {
				lost++
				continue
			}
			here = inode
		}
		if err := look(); err != nil {
			return lost, fmt.Errorf("network namespace %d: %w", inode, err)
		}
		n.visited[inode] = true
	}
	return lost, nil
}

func netnsOfThread() (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return 0, fmt.Errorf("find our network namespace: %w", err)
	}
	return uint32(st.Ino), nil
}

// enter moves the calling thread. It returns false if no way leads there any more.
func (n *namespaces) enter(inode uint32) (bool, error) {
	var refused error
	for i := range n.ways[inode] {
		entered, err := n.ways[inode][i].enter(inode)
		if entered {
			return true, nil
		}
		if err != nil {
			refused = err
		}
	}
	delete(n.ways, inode)
	if refused != nil {
		return false, explainEntry(inode, refused)
	}
	return false, nil
}

// enter moves the calling thread into the namespace, if this still is a way to it. An error is a refusal.
func (w *way) enter(inode uint32) (bool, error) {
	file, found, err := w.open()
	if errors.Is(err, proc.ErrNetNSGone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	if found != inode {
		return false, nil // the task has moved, or its pid is another's now
	}
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return false, err
	}
	return true, nil
}

// explainEntry says what a refusal at the door of a namespace takes to be mended.
func explainEntry(inode uint32, err error) error {
	return explainBlind(fmt.Errorf("enter network namespace %d: %w", inode, err))
}

// explainBlind turns a refusal to look at other network namespaces into an UnsupportedError.
func explainBlind(err error) error {
	missing := privilege.Missing(privilege.Namespaces)
	if !errors.Is(err, os.ErrPermission) || missing == 0 {
		return err
	}
	return &UnsupportedError{
		What: "other network namespaces cannot be looked at: " + privilege.Describe(privilege.Trace|privilege.Namespaces, missing) +
			"; or look at your own alone with --netns self",
		Err: err,
	}
}
