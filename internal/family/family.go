// Package family runs a command and stands in for the parent of everything that descends from it, so that the kernel's
// own tree of processes says who belongs to it, whatever forks, ends or calls setsid().
package family

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The exit codes that shells give to a command that could not be started.
const (
	ExitNotExecutable = 126
	ExitNotFound      = 127
)

// Command is what to run.
type Command struct {
	Args []string // program and arguments; the program is looked for in PATH
	Env  []string
	User *User // whom it is to run as; nil: as we do
	// Its standard streams, handed down as they are.
	Stdin, Stdout, Stderr *os.File
}

// StartError says that the command could not be started.
type StartError struct {
	Exit  int // what a shell's exit code would be
	Cause error
}

// Error names the cause.
func (e *StartError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Cause }

// Family is a command that was started, and its descendants. Wait is for one goroutine, all else for any.
type Family struct {
	pid     int
	signals map[syscall.Signal]chan os.Signal // each of its own: where one waits, another of its kind adds nothing

	held bool // by ptrace(2), before its first instruction

	mu    sync.Mutex // guards ended: a signal must not go to whoever has the pid next
	ended bool
}

// Adopt makes this process the parent of all of its descendants whose own parents end (PR_SET_CHILD_SUBREAPER, prctl(2)):
// for the rest of its life, and before a Start.
func Adopt() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the parent of orphans: %w", err)
	}
	return nil
}

// Start starts the command and holds it before its first instruction, where ptrace(2) is permitted, until Release, which
// has to be called by the same goroutine. From then on SIGTERM and SIGHUP are passed on to it, and SIGINT and SIGQUIT, which a terminal
// sends to both, are left to it, as system(3) does. An error is a *StartError.
func Start(c *Command) (*Family, error) {
	path, err := exec.LookPath(c.Args[0])
	if err != nil {
		return nil, startError(err)
	}
	f := &Family{signals: catch()}
	attributes := &os.ProcAttr{
		Env: c.Env, Files: []*os.File{c.Stdin, c.Stdout, c.Stderr}, Sys: &syscall.SysProcAttr{Ptrace: true},
	}
	if c.User != nil {
		attributes.Sys.Credential = c.User.credential()
		attributes.Env = c.User.environ(c.Env)
	}
	runtime.LockOSThread() // only the thread that has started it can let it go
	process, err := os.StartProcess(path, c.Args, attributes)
	f.held = err == nil
	if errors.Is(err, os.ErrPermission) { // as in a container
		attributes.Sys.Ptrace = false
		process, err = os.StartProcess(path, c.Args, attributes)
	}
	if err != nil {
		runtime.UnlockOSThread()
		release(f.signals)
		return nil, startError(err)
	}
	f.pid = process.Pid
	_ = process.Release() // Wait reaps it with all others
	if f.held {
		f.held = f.awaitStop()
	}
	for _, s := range []syscall.Signal{unix.SIGTERM, unix.SIGHUP} {
		go f.passOn(s)
	}
	return f, nil
}

// awaitStop waits until the kernel has stopped the command at the end of its exec; false if it was killed before, which
// is left for Wait to see.
func (f *Family) awaitStop() bool {
	const cldTrapped = 4 // include/uapi/asm-generic/siginfo.h
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, f.pid, &info, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || info.Code != cldTrapped {
			return false
		}
		var status unix.WaitStatus
		pid, err := unix.Wait4(f.pid, &status, unix.WNOHANG, nil)
		return err == nil && pid == f.pid && status.Stopped()
	}
}

// Release lets the command run.
func (f *Family) Release() error {
	defer runtime.UnlockOSThread()
	if !f.held {
		return nil
	}
	f.held = false
	if err := unix.PtraceDetach(f.pid); err != nil && !errors.Is(err, unix.ESRCH) { // killed meanwhile
		return fmt.Errorf("let the command run: %w", err)
	}
	return nil
}

// catch keeps the signals from ending this process.
func catch() map[syscall.Signal]chan os.Signal {
	signals := map[syscall.Signal]chan os.Signal{}
	for _, s := range []syscall.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT} {
		signals[s] = make(chan os.Signal, 1)
		signal.Notify(signals[s], s)
	}
	return signals
}

func release(signals map[syscall.Signal]chan os.Signal) {
	for _, c := range signals {
		signal.Stop(c)
		close(c)
	}
}

func startError(err error) error {
	exit := ExitNotExecutable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		exit = ExitNotFound
	}
	return &StartError{Exit: exit, Cause: err}
}

// PID returns the command's process.
func (f *Family) PID() int { return f.pid }

// passOn sends the command a signal whenever we get it.
func (f *Family) passOn(s syscall.Signal) {
	for range f.signals[s] {
		f.mu.Lock()
		if !f.ended {
			_ = unix.Kill(f.pid, s)
		}
		f.mu.Unlock()
	}
}

// Wait waits for the end of the command, taking leave of every orphan that ends meanwhile, and returns its exit code as a
// shell does: 128 and the number of the signal that killed it. This process must have no other children.
func (f *Family) Wait() (exit int, err error) {
	defer release(f.signals)
	for {
		var status unix.WaitStatus
		if err := f.nextEnd(); err != nil {
			return 0, err
		}
		f.mu.Lock()
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		f.ended = f.ended || err == nil && pid == f.pid
		f.mu.Unlock()
		switch {
		case err != nil && !errors.Is(err, unix.EINTR):
			return 0, fmt.Errorf("wait for the command: %w", err)
		case !f.ended:
		case status.Signaled():
			return 128 + int(status.Signal()), nil
		default:
			return status.ExitStatus(), nil
		}
	}
}

// nextEnd waits until a child has ended, and leaves it to be waited for: until then nobody else has its number.
func (f *Family) nextEnd() error {
	for {
		err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			if err != nil {
				return fmt.Errorf("wait for the command: %w", err)
			}
			return nil
		}
	}
}
