package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// leakStepsC is what programs that leak while they are watched have in common: they listen, dial themselves, and go on when
// a byte comes, or the end, on stdin.
const leakStepsC = `#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
static struct sockaddr_in to = {.sin_family = AF_INET};
static int serve(void) {
	socklen_t n = sizeof to;
	int l = socket(AF_INET, SOCK_STREAM, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(l, (struct sockaddr *)&to, n);
	listen(l, 8);
	getsockname(l, (struct sockaddr *)&to, &n);
	return l;
}
static int go_on(void) { char b; return (int)read(0, &b, 1); }
static void leak(int l, int c) { char end; close(accept(l, 0, 0)); if (read(c, &end, 1) != 0) abort(); }
#ifndef DIAL
#define DIAL dial_upstream
#endif
__attribute__((noinline)) int DIAL(void) {
	int c = socket(AF_INET, SOCK_STREAM, 0);
	connect(c, (struct sockaddr *)&to, sizeof to);
	__asm__ volatile("" ::: "memory");
	return c;
}
`

// sited is a finding with what is said of where its sockets were opened.
type sited struct {
	frames
	PID    int
	Status string
}

// watchSites watches a namespace for leaks and where they come from. It has begun when it returns.
func watchSites(t *testing.T, ns *nettest.NS) *tracer {
	t.Helper()
	const limit = "300ms"
	r := launch(t, nil, inNS(ns, "leaks", "--stacks", "--limit", "CLOSE_WAIT="+limit+",FIN_WAIT2="+limit, "-o", "json")...)
	sign := nettest.StartActor(t, ns, "sign")
	c := sign.Dial(sign.Listen(nettest.Loopback4(0), 1).Local())
	c.Shutdown()
	c.WaitState(nettest.FinWait2)
	r.awaitTold("the first finding", func(f *told) bool { return f.PID == sign.PID() })
	sign.Kill()
	return r
}

// sitesOf waits until so many findings of a process are told, and returns them.
func (r *tracer) sitesOf(pid, count int) (all []sited) {
	r.Helper()
	eventually(r.T, fmt.Sprintf("%d findings of %d", count, pid), func() bool {
		text := r.stdout.String()
		all = nil
		for line := range strings.Lines(text[:strings.LastIndexByte(text, '\n')+1]) {
			var f sited
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				r.Fatalf("%v: %s", err, line)
			}
			if f.PID == pid && f.Status == "firing" {
				all = append(all, f)
			}
		}
		return len(all) >= count
	})
	return all
}

// awaitLooks waits until all processes have been looked at that have opened sockets: one that opens the next is, which is
// seen by its file being open.
func (r *tracer) awaitLooks(ns *nettest.NS) {
	r.Helper()
	program := compileSteps(r.T, filepath.Join(r.TempDir(), "next"), "int main(void) { serve(); DIAL(); return go_on(); }")
	startLeaker(r.T, ns, program)
	eventually(r.T, "a look at "+program, func() bool {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", r.cmd.Process.Pid))
		if err != nil {
			r.Fatal(err)
		}
		return slices.ContainsFunc(links, func(link string) bool {
			to, err := os.Readlink(link)
			return err == nil && to == program
		})
	})
}

// has says whether a function is named on the stack.
func (f *frames) has(function string) bool { return slices.Contains(f.functions(), function) }

// leaker is a program that runs and leaks.
type leaker struct {
	*testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// startLeaker starts a program in a namespace, which ends with the test.
func startLeaker(t *testing.T, ns *nettest.NS, argv ...string) *leaker {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	stdin, in, err := os.Pipe() // not of cmd, which closes its own with the program's end
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	cmd.Stdin = stdin
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = ns.Do(cmd.Start)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // its children end by that
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &leaker{t, cmd, in, bufio.NewScanner(out)}
}

func (l *leaker) pid() int { return l.cmd.Process.Pid }

// tell lets it go on, once.
func (l *leaker) tell() {
	l.Helper()
	if _, err := l.in.Write([]byte{'\n'}); err != nil {
		l.Fatal(err)
	}
}

// await waits for a line that begins with a word, and returns the rest of it.
func (l *leaker) await(word string) (rest string) {
	l.Helper()
	l.out.Scan()
	first, rest, _ := strings.Cut(l.out.Text(), " ")
	if first != word {
		l.Fatalf("%v says %q, want %q", l.cmd.Args, l.out.Text(), word)
	}
	return rest
}

// compileSteps compiles the common steps and a main program.
func compileSteps(t *testing.T, program, text string, flags ...string) string {
	t.Helper()
	source := program + ".c"
	if err := os.WriteFile(source, []byte(leakStepsC+text), 0o644); err != nil {
		t.Fatal(err)
	}
	build(t, filepath.Dir(program), nil, mustTool(t, "gcc", "gcc libc6-dev"), append(flags, "-O1", "-fno-omit-frame-pointer", "-o", program, source)...)
	return program
}

func mustMkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}
