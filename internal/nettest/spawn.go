package nettest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// actorEnv tells a process that it is an actor; its value is how many sockets it inherits.
const actorEnv = "NETTEST_ACTOR"

// Descriptors of a new actor: its command channel, and after it the sockets that it inherits.
const (
	channelFD = 3
	firstFD   = 4
)

// spawn starts this program again, as an actor, in the thread's network namespace. It comes to the command channel in
// passed and to copies of the sockets in req.Inherit, which is what fork() would give it.
func (p *performer) spawn(req request, passed []int) (response, error) {
	if len(passed) != 1 {
		return response{}, fmt.Errorf("%d command channels for an actor, want 1", len(passed))
	}
	files := []uintptr{0, 1, 2, uintptr(passed[0])}
	for _, fd := range req.Inherit {
		if p.sockets[fd] == nil {
			return response{}, fmt.Errorf("descriptor %d: %w", fd, errNoDescriptor)
		}
		files = append(files, uintptr(fd))
	}
	// Descriptors as plain numbers: an os.File would close them when it is collected. Should TestMain not call Main,
	// the flag keeps the new process from running all tests again.
	pid, err := syscall.ForkExec("/proc/self/exe", []string{string(req.Name), "-test.run=^$"}, &syscall.ProcAttr{
		Env:   actorEnviron(len(req.Inherit)),
		Files: files,
	})
	if err != nil {
		return response{}, fmt.Errorf("start actor %q: %w", req.Name, err)
	}
	return response{PID: pid}, nil
}

// actorEnviron is this process's environment with the mark of an actor. Built with the race detector, an exit by itself
// would take a second, in which other goroutines may still race.
func actorEnviron(inherited int) []string {
	return append(os.Environ(), actorEnv+"="+strconv.Itoa(inherited), "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
}

// setName names the process and all its threads, of which any may run the next system call. Threads to come are named
// after the thread that starts them, which may happen while only some have their name: it looks again until no thread
// is new.
func setName(name []byte) error {
	for known := []string(nil); ; {
		paths, err := filepath.Glob("/proc/self/task/*/comm")
		if err != nil {
			return err
		}
		for _, path := range paths {
			err := os.WriteFile(path, name, 0)
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("set name: %w", err)
			}
		}
		if slices.Equal(paths, known) {
			return nil
		}
		known = paths
	}
}
