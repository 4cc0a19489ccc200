package privilege

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childEnv names, to a test binary that runs itself, what to do instead of the tests.
const childEnv = "TCPTRAIL_PRIVILEGE_CHILD"

// childLimit is far more than a child takes on a busy machine.
const childLimit = time.Minute

// report is what a child prints as JSON.
type report struct {
	Threads    []status // after what the child did
	Missing    Set      // of Trace
	Again      bool     // Keep was called twice, and the second call went well, too
	ErrCgo     bool     // Keep returned ErrCgo
	AllThreads bool     // syscall.AllThreadsSyscall works in this binary: what Keep's answer is judged by
}

func TestMain(m *testing.M) {
	if action := os.Getenv(childEnv); action != "" {
		if err := child(action); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child does what its parent wants and prints a report.
func child(action string) error {
	defer manyThreads(4)()
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETEGID, 0, 0, 0) // any call that answers all threads the same
	r := report{AllThreads: errno == 0}
	if action != "look" {
		switch err := Keep(Trace); {
		case errors.Is(err, ErrCgo):
			r.ErrCgo = true
		case err != nil:
			return err
		default:
			if err := Keep(Trace); err != nil {
				return fmt.Errorf("second time: %w", err)
			}
			r.Again = true
		}
	}
	if strings.HasPrefix(action, "exec") && !r.ErrCgo {
		if err := os.Setenv(childEnv, "look"); err != nil {
			return err
		}
		return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
	defer manyThreads(2)() // born after Keep
	var err error
	if r.Threads, err = allStatus(); err != nil {
		return err
	}
	r.Missing = Missing(Trace)
	return json.NewEncoder(os.Stdout).Encode(r)
}

// manyThreads holds n more threads until the returned function is called.
func manyThreads(n int) (release func()) {
	quit, ready := make(chan struct{}), make(chan struct{})
	for range n {
		go func() {
			runtime.LockOSThread()
			ready <- struct{}{}
			<-quit
		}()
	}
	for range n {
		<-ready
	}
	return func() { close(quit) }
}

// runChild starts the test binary as a child with attributes and returns its report.
func runChild(t *testing.T, action string, attributes *syscall.SysProcAttr) report {
	t.Helper()
	// Not by its path: the directory of a test binary is closed to other users.
	ctx, cancel := context.WithTimeout(t.Context(), childLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"="+action)
	cmd.SysProcAttr = attributes
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("child %s: %v", action, err)
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("child %s: %v: %s", action, err, out)
	}
	return r
}
