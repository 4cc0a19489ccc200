package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// contender is a command that shows sockets.
type contender struct {
	argv    []string
	version []string // prints the version, among other things
	debian  string   // its package
	inside  bool     // it sees the sockets of its own network namespace alone
	least   lines
}

// lines is the least that a contender prints of a crowd.
type lines func(sockets, closeWait int) int

func linePerSocket(sockets, _ int) int      { return sockets }
func linePerCloseWait(_, closeWait int) int { return closeWait }
func oneLine(_, _ int) int                  { return 1 }

// base is the index of the contender that the others are compared with.
const base = 1

// contenders returns all that might be measured, ours first.
func contenders(binary string) []contender {
	ours := func(least lines, args ...string) contender {
		return contender{argv: append([]string{binary}, args...), version: []string{binary, "--version"}, least: least}
	}
	ss := func(least lines, args ...string) contender {
		return contender{
			argv: append([]string{"ss"}, args...), version: []string{"ss", "-V"}, debian: "iproute2", inside: true, least: least,
		}
	}
	return []contender{
		ours(linePerSocket, "list", "-o", "json"),
		ours(linePerSocket, "list"),
		ours(oneLine, "count"),
		ours(oneLine, "count", "CLOSE_WAIT"),
		ss(linePerSocket, "-tan"),
		ss(linePerSocket, "-tanp"),
		ss(linePerCloseWait, "-tan", "state", "close-wait"),
		{
			argv: []string{"netstat", "-tanp"}, version: []string{"netstat", "--version"}, debian: "net-tools",
			inside: true, least: linePerSocket,
		},
		{
			argv: []string{"lsof", "-nPiTCP"}, version: []string{"lsof", "-v"}, debian: "lsof",
			inside: true, least: linePerSocket,
		},
	}
}

// ours says whether it is the tracer itself.
func (c *contender) ours() bool { return c.debian == "" }

// String is the command as the table shows it.
func (c *contender) String() string {
	name := c.argv[0]
	if c.ours() {
		name = "tcptrail"
	}
	return strings.Join(append([]string{name}, c.argv[1:]...), " ")
}

// installed splits contenders into those that are there and the packages of the others.
func installed(all []contender) (there []contender, missing []string, err error) {
	for _, c := range all {
		_, err := exec.LookPath(c.argv[0])
		switch {
		case err == nil:
			there = append(there, c)
		case c.ours():
			return nil, nil, fmt.Errorf("%w: make build makes it", err)
		default:
			missing = append(missing, fmt.Sprintf("%s (Debian package %s)", c.argv[0], c.debian))
		}
	}
	return there, missing, nil
}

// versionLine returns the first line with a digit in it of what the program says of its version.
func (c *contender) versionLine(ctx context.Context) string {
	text, _ := exec.CommandContext(ctx, c.version[0], c.version[1:]...).CombinedOutput() // some exit with an error
	return firstWithDigit(string(text))
}

func firstWithDigit(text string) string {
	for line := range strings.Lines(text) {
		if strings.ContainsAny(line, "0123456789") {
			return strings.TrimSpace(line)
		}
	}
	return "of unknown version"
}

// figures is what one run took.
type figures struct {
	wall, cpu time.Duration
	rss       int64 // bytes, highest
	rssBound  bool  // rss is more than it was
	cut       bool  // it was ended at the limit: all would have been more
}

// run runs the command with its output to out, nil for /dev/null, until it ends. At the limit it is cut; that ours takes
// so long is an error.
func (c *contender) run(ctx context.Context, ns netns, limit time.Duration, out io.Writer) (f figures, err error) {
	floor, err := ownPeak()
	if err != nil {
		return f, err
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(limited, c.argv[0], c.argv[1:]...)
	errs := &head{}
	cmd.Stdout, cmd.Stderr = out, errs
	var begin time.Time
	start := func() error {
		begin = time.Now()
		return cmd.Start()
	}
	if c.inside {
		err = ns.within(start)
	} else {
		err = start()
	}
	if err != nil {
		return f, fmt.Errorf("start %v: %w", c, err)
	}
	err = cmd.Wait()
	f.wall = time.Since(begin)
	f.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	f.rss = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	f.rssBound = f.rss <= floor
	switch {
	case err == nil:
		return f, nil
	case ctx.Err() != nil:
		return f, fmt.Errorf("%v: %w", c, context.Cause(ctx))
	case limited.Err() == nil:
		return f, fmt.Errorf("%v: %w: %s", c, err, errs.text)
	case c.ours():
		return f, fmt.Errorf("%v: took longer than %v: raise -limit", c, limit)
	}
	f.cut = true
	return f, nil
}

// check runs the command and makes sure that it shows as many sockets as there are. It returns the number of lines, too.
func (c *contender) check(ctx context.Context, crowd *crowd, limit time.Duration) (f figures, n int, err error) {
	var counter lineCounter
	f, err = c.run(ctx, crowd.ns, limit, &counter)
	if err != nil || f.cut {
		return f, 0, err
	}
	if least := c.least(crowd.sockets(), crowd.halfClosed); int(counter) < least {
		return f, int(counter), fmt.Errorf("%v: printed %d lines, want at least %d", c, counter, least)
	}
	return f, int(counter), nil
}

// ownPeak returns this process's highest resident memory, in bytes. A child counts it as its own: it starts on our
// memory, and the highest is kept through execve (fs/exec.c, exec_mmap).
func ownPeak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "\nVmHWM:")
	var kB int64
	if _, err := fmt.Sscan(after, &kB); err != nil {
		return 0, fmt.Errorf("read own peak memory: %w", err)
	}
	return kB << 10, nil
}

// lineCounter counts lines and keeps none.
type lineCounter int

// Write implements [io.Writer].
func (n *lineCounter) Write(p []byte) (int, error) {
	*n += lineCounter(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// maxErrorText is enough for a message; lsof has one for each file system that it may not ask.
const maxErrorText = 2048

// head keeps the beginning of a text.
type head struct{ text []byte }

// Write implements [io.Writer].
func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), maxErrorText-len(h.text))]...)
	return len(p), nil
}
