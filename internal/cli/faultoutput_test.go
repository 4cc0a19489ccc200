package cli

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// toStdout are command lines of everything that writes to stdout and ends by itself; DIR is a recording.
var toStdout = []string{
	"trace --duration 10ms", "trace -o csv --duration 10ms", "list", "list -o wide", "list -o json", "list -o csv",
	"count", "count -o json", "count LISTEN", "count --by state", "count --by state -o csv", "count -i 1s --duration 10ms",
	"count -i 1s --duration 10ms -o json", "leaks --once", "leaks --once -o json", "replay DIR", "replay DIR -o json",
	"replay count DIR", "replay list DIR", "replay leaks --once DIR", "history DIR", "history -o json DIR",
	"help", "help list", "--help", "serve --help", "--version", "completion bash", "__complete list s",
	"serve --check --listen 127.0.0.1:0",
}

// fullStage is a stage with sockets in every state that commands tell of, so that none has nothing to say.
func fullStage(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	client := s.client.Dial(s.v4.Local())
	server := s.v4.Accept()
	client.Shutdown()
	server.WaitState(nettest.CloseWait)
	return s
}

// about returns the arguments of a line, about the stage alone where that can be said, with the limit of leaks that finds
// what is there.
func (s *stage) about(line, recording string) []string {
	args := strings.Fields(strings.ReplaceAll(line, "DIR", recording))
	switch {
	case strings.Contains(line, "help") || strings.HasPrefix(line, "__") || strings.Contains(line, "--check"):
	case args[0] == "leaks":
		return append(append(args, "--limit", "CLOSE_WAIT=1ms"), s.netns()...)
	case args[0] == "list" || args[0] == "count" || args[0] == "trace":
		return append(args, s.netns()...)
	}
	return args
}

// What cannot be written is an error with a sentence, for every command and format; its cause is named.
func TestPrivilegedFullOutput(t *testing.T) {
	recording := mustRecording(t)
	s := fullStage(t)
	for _, line := range toStdout {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(mustBinary(t))
		cmd.Stdout = full
		r := launch(t, cmd, s.about(line, recording)...)
		if code := r.wait(); code != ExitFailed || strings.Count(r.stderr.String(), "no space left on device") != 1 {
			t.Errorf("%s: exit %d, want %d: %s", line, code, ExitFailed, r.stderr)
		}
		full.Close()
	}
}

// A reader that went away before anything was written is no error, and nothing is said of it.
func TestPrivilegedClosedOutput(t *testing.T) {
	recording := mustRecording(t)
	s := fullStage(t)
	for _, line := range append([]string{"leaks --duration 10ms"}, toStdout...) {
		reader, cmd := mustPipe(t)
		reader.Close()
		r := launch(t, cmd, s.about(line, recording)...)
		closeOurs(t, cmd)
		code, got := r.wait(), r.stderr.String()
		if code != ExitDone && !(code == ExitFound && strings.Contains(line, "leaks --once")) || strings.Contains(got, "pipe") {
			t.Errorf("%s: exit %d: %s", line, code, got)
		}
	}
}

// Messages that go nowhere change nothing: not the output, nor the exit code.
func TestPrivilegedFullStderr(t *testing.T) {
	recording := mustRecording(t)
	s := fullStage(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer writer.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for name, stderr := range map[string]*os.File{"full": full, "closed": writer} {
		for line, want := range map[string]int{
			"trace --duration 10ms": ExitDone, "list": ExitDone, "count LISTEN": ExitDone, "leaks --once": ExitFound,
			"leaks --duration 10ms": ExitDone, "run -- true": ExitDone, "history DIR": ExitDone, "replay DIR": ExitDone,
			"log --duration 10ms --dir " + filepath.Join(t.TempDir(), "log"): ExitDone,
			"serve --listen 127.0.0.1:0 --duration 10ms":                     ExitDone, "list --nonsense": ExitUsage,
		} {
			cmd := exec.Command(mustBinary(t))
			cmd.Stderr = stderr
			r := launch(t, cmd, s.about(line, recording)...)
			if code := r.wait(); code != want {
				t.Errorf("%s: %s: exit %d, want %d: %s", name, line, code, want, r.stdout)
			}
		}
	}
}

// Files that take nothing: what they are for says so, and the rest goes on.
func TestPrivilegedFullFiles(t *testing.T) {
	s := fullStage(t)
	r := launch(t, nil, append([]string{"leaks", "--once", "--limit", "CLOSE_WAIT=1ms", "--alert-file", "/dev/full"}, s.netns()...)...)
	if code := r.wait(); code == ExitDone || !strings.Contains(r.stderr.String(), "/dev/full") {
		t.Errorf("alert file: exit %d: %s", code, r.stderr)
	}
	cmd := exec.Command(mustBinary(t))
	cmd.Env = append(os.Environ(), leaverEnv+"=close_wait")
	r = launch(t, cmd, "run", "--report", "/dev/full", "--min-age", "0", "--", ownPath(t), "-test.run=^$")
	if code := r.wait(); code != ExitFailed || !strings.Contains(r.stderr.String(), "no space left on device") {
		t.Errorf("report: exit %d: %s", code, r.stderr)
	}
}

// ownPath is the test binary.
func ownPath(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A disk that fills while trace writes to it ends it with an error, and what is there are whole lines but for the last.
func TestPrivilegedDiskFills(t *testing.T) {
	s := newStage(t)
	path := filepath.Join(mountSmall(t, 0, "64k"), "out.json")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(mustBinary(t))
	cmd.Stdout = out
	r := trace(t, cmd, append(s.netns(), "-o", "json")...)
	s.burst(1, 200)
	if code := r.wait(); code != ExitFailed || !strings.Contains(r.stderr.String(), "no space left on device") {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(text[:strings.LastIndexByte(string(text), '\n')+1])
	if rows := parseRows(t, whole); len(rows) < 10 {
		t.Errorf("%d lines in %d bytes", len(rows), len(text))
	}
	seen, delivered := 0, 0
	_, after, _ := strings.Cut(r.stderr.String(), "tcptrail: seen ")
	if _, err := fmt.Sscanf(after, "%d, delivered %d", &seen, &delivered); err != nil || delivered >= seen {
		t.Errorf("seen %d, delivered %d (%v): %s", seen, delivered, err, r.stderr)
	}
}

// head takes what it wants of every live output, which is no error.
func TestPrivilegedHead(t *testing.T) {
	s := fullStage(t)
	for _, line := range []string{"count -i 100ms -o json", "leaks -o json"} {
		reader, cmd := mustPipe(t)
		r := launch(t, cmd, s.about(line, "")...)
		closeOurs(t, cmd)
		if text, err := bufio.NewReader(reader).ReadString('\n'); err != nil || !strings.HasSuffix(text, "}\n") {
			t.Errorf("%s: %q, %v: %s", line, text, err, r.stderr)
		}
		reader.Close()
		if code := r.wait(); code != ExitDone || strings.Contains(r.stderr.String(), "pipe") {
			t.Errorf("%s: exit %d: %s", line, code, r.stderr)
		}
	}
}

// A script's variable that is not set does not turn a number into a table.
func TestCountOfNothing(t *testing.T) {
	for _, args := range [][]string{{"count", ""}, {"count", "--", ""}, {"count", " ", "age", "gt", "1s"}} {
		w := newWorld(t)
		if code := w.run(args...); code != ExitUsage || !strings.Contains(w.stderr.String(), "neither a filter nor a STATE") || w.stdout.String() != "" {
			t.Errorf("%q: exit %d: %s%s", args, code, w.stderr, w.stdout)
		}
	}
}
