// Package leaky runs programs that leak sockets, in C, Go and Python, written as such bugs look in real code. It is for
// tests alone, and needs gcc, go and python3.
//
// A program speaks to the test on stdout, a line at a time: "ready PORT" when it listens (with port 0 when it is
// connected, or is about to be), other words when something has happened, and a JSON object about each socket that it
// will not close. A word on stdin makes it go on: the last one but one to close what it has kept. It ends with its stdin.
package leaky

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// patience bounds the wait for what a program says: Python needs a tenth of a second to start on an idle machine.
const patience = 30 * time.Second

// maxLines is how many lines of a program wait to be read. None says as many.
const maxLines = 256

// Socket is what a program says about a descriptor that it will not close.
type Socket struct {
	PID, FD      int // as the program sees them: in a PID namespace of its own the pid is another
	LPort, RPort uint16
}

// Program is a program that runs. Its methods belong to the goroutine that runs the test, and end it when they fail.
type Program struct {
	tb     testing.TB
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan string
	stderr bytes.Buffer
	socks  []Socket // told, and not asked for yet
	port   uint16
}

// Start builds a program, unless it has been, starts it in the namespace with the arguments, and waits until it is
// ready. It is killed when the test ends.
func (w *Workshop) Start(tb testing.TB, ns *nettest.NS, name string, args ...string) *Program {
	tb.Helper()
	return w.StartWith(tb, ns, nil, name, args...)
}

// StartWith is Start with attributes for the process, such as other namespaces.
func (w *Workshop) StartWith(tb testing.TB, ns *nettest.NS, attr *syscall.SysProcAttr, name string, args ...string) *Program {
	tb.Helper()
	argv := append(w.Build(tb, name), args...)
	p := &Program{tb: tb, name: name, cmd: exec.Command(argv[0], argv[1:]...), lines: make(chan string, maxLines)}
	p.cmd.Env = append(p.cmd.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = patience // its children hold stderr until they see that it is gone
	p.cmd.SysProcAttr = attr
	stdout, err := p.cmd.StdoutPipe()
	if err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = ns.Do(p.cmd.Start)
	}
	if err != nil {
		tb.Fatalf("start %s: %v", name, err)
	}
	tb.Cleanup(p.stop)
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	port, err := strconv.ParseUint(p.Await("ready"), 10, 16)
	if err != nil {
		tb.Fatalf("%s: ready: %v", name, err)
	}
	p.port = uint16(port)
	return p
}

// stop ends the program. Its children, which wait for it, end by themselves.
func (p *Program) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// PID returns the process ID, as the test's process sees it.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// Port returns the port that it listens on; 0 for none.
func (p *Program) Port() uint16 { return p.port }

// At returns the port at an address, for connecting to it.
func (p *Program) At(addr netip.Addr) netip.AddrPort { return netip.AddrPortFrom(addr, p.port) }

// Args returns an address as a program takes it: host and port.
func Args(addr netip.AddrPort) []string {
	host, port, _ := net.SplitHostPort(addr.String())
	return []string{host, port}
}

// Await waits for a line that begins with the word, and returns the rest of it.
func (p *Program) Await(word string) string {
	p.tb.Helper()
	for {
		line := p.next(fmt.Sprintf("%q", word))
		if first, rest, _ := strings.Cut(line, " "); first == word {
			return rest
		}
		p.keep(line)
	}
}

// Sockets waits until the program has told about so many sockets, since it was asked last, and returns them.
func (p *Program) Sockets(n int) []Socket {
	p.tb.Helper()
	for len(p.socks) < n {
		p.keep(p.next(fmt.Sprintf("%d sockets", n)))
	}
	told := p.socks
	p.socks = nil
	return told
}

// keep keeps a line for later if it is about a socket.
func (p *Program) keep(line string) {
	p.tb.Helper()
	if !strings.HasPrefix(line, "{") {
		return
	}
	var s Socket
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		p.tb.Fatalf("%s: %v: %s", p.name, err, line)
	}
	p.socks = append(p.socks, s)
}

func (p *Program) next(what string) string {
	p.tb.Helper()
	select {
	case line, ok := <-p.lines:
		if ok {
			return line
		}
		_ = p.cmd.Wait() // for stderr
		p.tb.Fatalf("%s: ended without %s: %s", p.name, what, &p.stderr)
	case <-time.After(patience):
		p.tb.Fatalf("%s: never said %s", p.name, what)
	}
	return ""
}

// Tell makes the program go on.
func (p *Program) Tell() {
	p.tb.Helper()
	if _, err := io.WriteString(p.stdin, "go on\n"); err != nil {
		p.tb.Fatalf("%s: %v", p.name, err)
	}
}

// Close makes the program close what it has kept, and waits until it has.
func (p *Program) Close() {
	p.tb.Helper()
	p.Tell()
	p.Await("closed")
}
