// Command tcptrail traces TCP state transitions; see internal/README.md for its parts.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/tcptrail/tcptrail/internal/cli"
	"github.com/tcptrail/tcptrail/internal/family"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/proc"
)

// version is set by the linker.
var version = "unknown"

// pendingSignals is how many signals may wait while one is handled.
const pendingSignals = 8

func main() {
	// Ignored, a closed pipe is an error of write() that ends the session in order instead of killing the process.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, pendingSignals)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signal.Notify(signals, syscall.SIGHUP)
	}
	os.Exit(cli.Main(&cli.Env{
		Stdout:         os.Stdout,
		Stderr:         os.Stderr,
		Getenv:         os.Getenv,
		TerminalWidth:  terminalWidth,
		TerminalHeight: terminalHeight,
		Signals:        signals,
		Gone:           readerGone(os.Stdout),
		Proc:           proc.FS{Root: "/proc"},
		Open:           open,
		OpenSnapshots:  openSnapshots,
		OpenCounter:    openCounter,
		CountStates:    kernel.CountStates,
		Start:          start,
		PinDir:         kernel.PinDir,
		Keep:           privilege.Keep,
		Version:        version,
	}, os.Args[1:]))
}

func open(o kernel.Options) (cli.Source, error) {
	tracer, err := kernel.Open(o)
	if err != nil {
		return nil, err // not tracer: a nil *Tracer would be a Source that is not nil
	}
	return tracer, nil
}

func openSnapshots(o kernel.SnapshotOptions) (cli.Snapshots, error) {
	snapshots, err := kernel.OpenSnapshots(o)
	if err != nil {
		return nil, err
	}
	return snapshots, nil
}

func openCounter(o kernel.SnapshotOptions) (cli.Counter, error) {
	counter, err := kernel.OpenCounter(o)
	if err != nil {
		return nil, err
	}
	return counter, nil
}

func start(c *family.Command) (cli.Family, error) {
	if err := family.Adopt(); err != nil {
		return nil, err
	}
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	running, err := family.Start(c)
	if err != nil {
		return nil, err
	}
	return running, nil
}

func terminalWidth() int  { width, _ := terminalSize(); return width }
func terminalHeight() int { _, height := terminalSize(); return height }

// terminalSize returns zeros when stdout is no terminal.
func terminalSize() (width, height int) {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0, 0
	}
	return width, height
}
