// Package cli is the command line: flags, help, exit codes, and the sessions that join the kernel's events to an output.
package cli

import (
	"io"
	"os"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/proc"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Env is the whole world outside of a command, so that a test can run the complete command line in its own process.
type Env struct {
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	// TerminalWidth returns the columns of the terminal behind Stdout, or 0 when it is none.
	TerminalWidth func() int
	// Signals delivers SIGINT, SIGTERM and SIGUSR1.
	Signals <-chan os.Signal
	// Gone is closed when nobody reads Stdout any more; nil when that cannot be known.
	Gone <-chan struct{}
	// Proc answers what flags ask of the host.
	Proc proc.FS
	// Open starts a tracer.
	Open func(kernel.Options) (Source, error)
	// Keep drops all capabilities but those given, for the rest of the process's life.
	Keep    func(privilege.Set) error
	Version string
}

// Source is what a session needs of a tracer; *kernel.Tracer is one.
type Source interface {
	Adopt() (unknown int, err error)
	Read(handle func(*tcp.Event)) error
	Stop() error
	Stats() (kernel.Stats, error)
	Notes() []string
	Close() error
}

var _ Source = (*kernel.Tracer)(nil)

// Exit codes, stable for scripts.
const (
	ExitDone        = 0 // did what it was asked to, interrupted or not
	ExitFailed      = 1 // something went wrong on the way
	ExitUsage       = 2 // wrong use: nothing was loaded
	ExitUnsupported = 3 // the kernel lacks a feature, or the process a privilege
)
