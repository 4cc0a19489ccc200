package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tracer is a running binary.
type tracer struct {
	*testing.T
	cmd    *exec.Cmd
	stdout *screen // empty when the command was given another
	stderr *screen
	exited chan struct{} // closed when it has
	err    error         // of Wait, then
}

// launch starts the command with the arguments added, as args without a command's words. Where it is nil, it is the
// binary as it stands.
func launch(t *testing.T, cmd *exec.Cmd, args ...string) *tracer {
	t.Helper()
	if cmd == nil {
		cmd = exec.Command(mustBinary(t))
	}
	r := &tracer{T: t, cmd: cmd, stdout: newScreen(), stderr: newScreen(), exited: make(chan struct{})}
	cmd.Args = append(cmd.Args, args...)
	if cmd.Stdout == nil {
		cmd.Stdout = r.stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = r.stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.exited)
		r.err = cmd.Wait()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return r
}

// trace launches a trace and waits until it has begun, older sockets' owners and all.
func trace(t *testing.T, cmd *exec.Cmd, args ...string) *tracer {
	t.Helper()
	path, ready := mustFIFO(t)
	r := launch(t, cmd, append([]string{"--ready-file", path}, args...)...)
	r.awaitReady(ready)
	return r
}

// awaitReady waits for the line of the ready file. A tracer that hangs is made to say where.
func (r *tracer) awaitReady(line <-chan string) {
	r.Helper()
	either := make(chan string, 1)
	go func() {
		select {
		case pid := <-line:
			either <- pid
		case <-r.exited:
			either <- "none: it has ended"
		}
	}()
	pid, ok := receive(either)
	if !ok {
		r.signal(syscall.SIGQUIT)
		r.Fatalf("%v: exit %d, never ready: %s", r.cmd.Args, r.wait(), r.stderr)
	}
	if want := fmt.Sprintln(r.cmd.Process.Pid); pid != want {
		r.Fatalf("%v: pid in the ready file: %s, want %s%s", r.cmd.Args, pid, want, r.stderr)
	}
}

// mustFIFO makes a FIFO that every user may write to, and returns what the first line in it is.
func mustFIFO(t *testing.T) (path string, line <-chan string) {
	t.Helper()
	mustBinary(t) // makes the directory
	dir, err := publicDir(builtIn.dir)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "ready")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	// For writing, too, so that opening does not wait, and reading knows no end.
	fifo, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fifo.Close() })
	lines := make(chan string, 1)
	go func() {
		if line, err := bufio.NewReader(fifo).ReadString('\n'); err == nil {
			lines <- line
		}
	}()
	return path, lines
}

func (r *tracer) signal(signal os.Signal) {
	r.Helper()
	if err := r.cmd.Process.Signal(signal); err != nil {
		r.Fatal(err)
	}
}

// wait returns the exit code, -1 for the end by a signal.
func (r *tracer) wait() int {
	r.Helper()
	if _, ok := receive(r.exited); !ok {
		r.Fatalf("%v: still running: %s", r.cmd.Args, r.stderr)
	}
	var exit *exec.ExitError
	if r.err != nil && !errors.As(r.err, &exit) {
		r.Fatal(r.err)
	}
	return r.cmd.ProcessState.ExitCode()
}

// stop ends it by SIGINT, which has to go well.
func (r *tracer) stop() {
	r.Helper()
	r.signal(syscall.SIGINT)
	if code := r.wait(); code != ExitDone {
		r.Errorf("exit %d: %s", code, r.stderr)
	}
}

// books are the numbers of a summary line.
type books struct{ seen, delivered, lost, missed, filtered, left int }

// summary returns the numbers of the last summary line, which have to balance.
func (r *tracer) summary() books {
	r.Helper()
	var b books
	lines := strings.Split(strings.TrimSpace(r.stderr.String()), "\n")
	last := lines[len(lines)-1]
	n, _ := fmt.Sscanf(last, "tcptrail: seen %d, delivered %d, lost %d, missed %d, filtered %d, not delivered %d",
		&b.seen, &b.delivered, &b.lost, &b.missed, &b.filtered, &b.left)
	if n < 5 || b.seen != b.delivered+b.lost+b.filtered+b.left {
		r.Errorf("no summary, or one that does not balance: %q", last)
	}
	return b
}

// status returns the lines of a file of the form "Key: value" in /proc.
func status(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		fields[key] = strings.TrimSpace(value)
	}
	return fields
}
