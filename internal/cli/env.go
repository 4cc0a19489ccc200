// Package cli is the command line: flags, help, exit codes, and the sessions that join the kernel's events to an output.
package cli

import (
	"io"
	"os"
	"time"

	"github.com/tcptrail/tcptrail/internal/family"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/proc"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	// drainLimit is how long an ended session waits for an output that takes nothing more, and for stderr: no longer
	// than a user who pressed ^C has patience, and a service manager that sent SIGTERM, too.
	drainLimit = 2 * time.Second
	// drainPauses is how many drainLimits more it waits while the output takes something: with the first,
	// ten seconds, after which docker stop kills. A second ^C ends it at once.
	drainPauses = 4
)

// Env is the whole world outside of a command, so that a test can run the complete command line in its own process.
type Env struct {
	Stdin  io.Reader // nil is that of the process
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	// TerminalWidth returns the columns of the terminal behind Stdout, or 0 when it is none.
	TerminalWidth func() int
	// TerminalHeight returns its lines, or 0; nil is always 0.
	TerminalHeight func() int
	// Signals delivers SIGINT, SIGTERM, SIGHUP and SIGUSR1.
	Signals <-chan os.Signal
	// Gone is closed when nobody reads Stdout any more; nil when that cannot be known.
	Gone <-chan struct{}
	// Proc answers what flags ask of the host.
	Proc proc.FS
	// Open starts a tracer.
	Open func(kernel.Options) (Source, error)
	// OpenSnapshots and OpenCounter make ready to look at what is there.
	OpenSnapshots func(kernel.SnapshotOptions) (Snapshots, error)
	OpenCounter   func(kernel.SnapshotOptions) (Counter, error)
	// CountStates counts without loading anything.
	CountStates func(kernel.SnapshotOptions) (tcp.Counts, error)
	// Start runs a command, and makes this process the parent of all that descends from it.
	Start func(*family.Command) (Family, error)
	// PinDir is where tracers keep their state for others; "" is nowhere.
	PinDir string
	// Keep drops all capabilities but those given, for the rest of the process's life.
	Keep    func(privilege.Set) error
	Version string

	args      []string  // of the command line
	said      *said     // help and the like
	hangup    func()    // what SIGHUP asks for; nil: to end
	recording *playback // stands for the host; nil: the host itself

	drain time.Duration    // instead of drainLimit, for tests
	now   func() time.Time // instead of time.Now, for tests
}

// drainLimit returns how long to wait for an output that is stuck.
func (e *Env) drainLimit() time.Duration {
	if e.drain != 0 {
		return e.drain
	}
	return drainLimit
}

// clock returns what tells the time.
func (e *Env) clock() func() time.Time {
	if e.now != nil {
		return e.now
	}
	return time.Now
}

func (e *Env) terminalHeight() int {
	if e.TerminalHeight == nil {
		return 0
	}
	return e.TerminalHeight()
}

// Source is what a session needs of a tracer; *kernel.Tracer is one, and says what the methods do.
type Source interface {
	Adopt() (unknown int, err error)
	Read(handle func(*tcp.Event)) error
	Stop() error
	Stats() (kernel.Stats, error)
	Notes() []string
	Close() error
}

// Snapshots is what list needs of the kernel; *kernel.Snapshots is one, and says what the methods do.
type Snapshots interface {
	Take() (*tcp.Snapshot, error)
	TakeUntil(tcp.Horizon) (*tcp.Snapshot, error)
	Close() error
}

// Counter is what count needs of the kernel; *kernel.Counter is one, and says what the methods do.
type Counter interface {
	Watch() error
	Count() (tcp.Tally, error)
	Close() error
}

var (
	_ Source    = (*kernel.Tracer)(nil)
	_ Snapshots = (*kernel.Snapshots)(nil)
	_ Counter   = (*kernel.Counter)(nil)
	_ Family    = (*family.Family)(nil)
)

// Exit codes, stable for scripts.
const (
	ExitDone        = 0 // did what it was asked to, interrupted or not
	ExitFailed      = 1 // something went wrong on the way
	ExitUsage       = 2 // wrong use: nothing was loaded
	ExitUnsupported = 3 // the kernel lacks a feature, or the process a privilege
	ExitFound       = 4 // leaks --once or run has found something
)
