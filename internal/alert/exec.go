package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Exec runs a command for each alert, with the finding's JSON and a line feed as its standard input, and
// TCPTRAIL_ID, TCPTRAIL_STATUS and TCPTRAIL_SEVERITY in its environment. It succeeds with exit status 0; after any other
// it is run again, later. It has our privileges and restrictions: under no_new_privs, as we run, setuid programs stay
// unprivileged.
//
// It runs in a process group of its own, so that the terminal's signals to us are not to it. When its time is up the
// group is killed; what it leaves running in the background before that is its own affair. If we die, so does it.
type Exec struct {
	path string
	args []string
	env  []string
	time time.Duration
}

// ExecOptions say how to run commands. The zero value has good defaults.
type ExecOptions struct {
	Timeout time.Duration // 0: DefaultExecTimeout
	Env     []string      // as os.Environ() returns it, which is the default: to keep secrets from commands
}

// The bounds of commands.
const (
	// DefaultExecTimeout is how long a command may take.
	DefaultExecTimeout = 10 * time.Second
	// execLanes is how many run at a time: a burst of findings must not become a burst of processes.
	execLanes = 4
	// execOutput is how much of the end of its output is kept for an error.
	execOutput = 2 << 10
	// execPipes is how long to wait for output when the command itself is over: what it has left behind may hold the pipe.
	execPipes = time.Second
)

// Exit statuses by which shells and env(1) say that there is nothing to run (XCU 2.8.2).
const (
	exitCannotRun = 126
	exitNotFound  = 127
)

// NewExec takes a command line as SplitWords does, and looks for the program.
func NewExec(line string, o ExecOptions) (*Exec, error) {
	args, err := SplitWords(line)
	if err != nil {
		return nil, fmt.Errorf("read command: %w", err)
	}
	if len(args) == 0 || args[0] == "" {
		return nil, errors.New("read command: it is empty; give a program and its arguments")
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return nil, fmt.Errorf("find command %s: %w; give the path of a program that may be run", plain(args[0], maxName), reason(err))
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultExecTimeout
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	return &Exec{path: path, args: args, env: o.Env, time: o.Timeout}, nil
}

// Name returns the name of the program; its arguments may be secret.
func (x *Exec) Name() string { return "command " + plain(x.args[0], maxName) }

// Traits says how many may run.
func (x *Exec) Traits() Traits {
	return Traits{Lanes: execLanes, Timeout: x.time + 2*execPipes}
}

// Close does nothing.
func (x *Exec) Close() error { return nil }

// Deliver runs the command, once for each alert.
func (x *Exec) Deliver(ctx context.Context, deliveries []Delivery) error {
	for i := range deliveries {
		if err := x.run(ctx, &deliveries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (x *Exec) run(ctx context.Context, d *Delivery) error {
	limited, cancel := context.WithTimeout(ctx, x.time)
	defer cancel()
	output := &tail{}
	cmd := exec.CommandContext(limited, x.path)
	cmd.Args = x.args
	cmd.Env = append(x.env[:len(x.env):len(x.env)],
		"TCPTRAIL_ID="+d.ID, "TCPTRAIL_STATUS="+d.Status.String(), "TCPTRAIL_SEVERITY="+d.Severity)
	cmd.Stdin = bytes.NewReader(append(bytes.Clone(d.JSON), '\n'))
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	cmd.WaitDelay = execPipes
	// The kernel sends Pdeathsig when the thread ends that made the process, and goroutines that are locked to their
	// threads take them along when they end. So no other may get this one meanwhile.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return &DeliveryError{Err: fmt.Errorf("start command: %w", reason(err)), Final: isNoProgram(err), Unheard: true}
	}
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well, and left something behind that holds its output
	}
	switch code := cmd.ProcessState.ExitCode(); {
	case err == nil:
		return nil
	case ctx.Err() == nil && limited.Err() != nil:
		return fmt.Errorf("run command: killed after %v%s", x.time, output)
	case code == exitCannotRun || code == exitNotFound:
		return final(fmt.Errorf("run command: %w%s", err, output))
	default:
		return fmt.Errorf("run command: %w%s", err, output)
	}
}

// killGroup kills a process that has not been waited for, and all that it started and that stayed in its group.
func killGroup(p *os.Process) error {
	if err := p.Signal(syscall.Signal(0)); err != nil {
		return err // it is over, and its number may be another's by now
	}
	if err := syscall.Kill(-p.Pid, syscall.SIGKILL); err != nil {
		return p.Kill()
	}
	return nil
}

// isNoProgram says whether there is nothing that could be run, which waiting does not change.
func isNoProgram(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOEXEC)
}

// reason returns the error without the program's name.
func reason(err error) error {
	if x, ok := errors.AsType[*exec.Error](err); ok {
		return x.Err
	}
	return cause(err)
}

// tail keeps the end of what is written to it.
type tail struct {
	text []byte
	cut  bool
}

// Write never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.text = append(t.text, b[max(0, len(b)-execOutput):]...)
	if over := len(t.text) - execOutput; over > 0 || len(b) > execOutput {
		t.text = append(t.text[:0], t.text[max(over, 0):]...)
		t.cut = true
	}
	return len(b), nil
}

// String returns it as the end of a message.
func (t *tail) String() string {
	text := bytes.TrimSpace(t.text)
	switch {
	case len(text) == 0:
		return ""
	case t.cut:
		return "; the end of its output: " + ellipsis + plain(string(text), execOutput)
	}
	return "; its output: " + plain(string(text), execOutput)
}
