package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/leaky"
	"github.com/tcptrail/tcptrail/internal/nettest"
)

// startLog launches log and waits until it records.
func startLog(t *testing.T, dir string, args ...string) *tracer {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	r := launch(t, nil, append([]string{"log", "--dir", dir, "--ready-file", ready}, args...)...)
	eventually(t, "log is ready", func() bool { _, err := os.Stat(ready); return err == nil })
	return r
}

// replayed runs replay to its end.
func replayed(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	r := launch(t, nil, append([]string{"replay"}, args...)...)
	if code := r.wait(); code != ExitDone {
		t.Fatalf("replay %q: exit %d: %s", args, code, r.stderr)
	}
	return r.stdout.String(), r.stderr.String()
}

// ofATracer is what two tracers say differently of the same transition.
var ofATracer = regexp.MustCompile(`"time":"[^"]*",|"ms":[0-9.]*,`)

// What log keeps is what trace prints, of many processes, short ones among them.
func TestPrivilegedLogKeepsWhatTracePrints(t *testing.T) {
	s := newStage(t)
	dir := filepath.Join(t.TempDir(), "log")
	live := trace(t, nil, append(s.netns(), "-o", "json")...)
	l := startLog(t, dir, s.netns()...)
	s.talk()
	s.burst(3, 200)
	l.stop()
	live.stop()
	got, _ := replayed(t, dir, "-o", "json")
	sorted := func(text string) []string { // each tracer has the time of its own program
		lines := slices.Collect(strings.Lines(ofATracer.ReplaceAllString(text, "")))
		slices.Sort(lines)
		return lines
	}
	a, b := sorted(got), sorted(live.stdout.String())
	if !slices.Equal(a, b) {
		t.Errorf("%d lines of %d", len(a), len(b))
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("got  %swant %s", a[i], b[i])
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl.zst"))
	if err != nil || len(files) < 3 {
		t.Errorf("files %q, %v", files, err)
	}
}

// A recording of a leak says what leaks said live: the same findings, in the same order, but for their numbers: looks are at other times.
func TestPrivilegedReplayOfLeaks(t *testing.T) {
	shop, ns := mustWorkshop(t), nettest.NewNS(t)
	nettest.StartActor(t, ns, "first")                             // for the namespace to be known
	const limits = "CLOSE_WAIT=1s:1h,FIN_WAIT2=1s:1h,ZOMBIE=1s:1h" // long for a program to read what has come
	dir := filepath.Join(t.TempDir(), "log")
	l := startLog(t, dir, inNS(ns, "--limit", limits)...)
	live := watch(t, ns, limits)
	scene := func(play func(*leaky.Scene)) *leaky.Scene {
		s := &leaky.Scene{TB: t, NS: ns, Shop: shop, Peer: nettest.StartActor(t, ns, "peer")}
		play(s)
		return s
	}
	a := scene(func(s *leaky.Scene) {
		s.Serve("go/session", 2, 10)
		s.Sockets = s.Program.Sockets(2)
	})
	b := scene(func(s *leaky.Scene) { s.Serve("c/queue", 3, 0, "8") })
	pids := []int{a.Program.PID(), b.Program.PID()}
	story := func(text string) map[int][]string {
		told := map[int][]string{}
		for _, f := range parseTold(t, text) {
			if slices.Contains(pids, f.PID) {
				told[f.PID] = append(told[f.PID], fmt.Sprint(f.ID, " ", f.Status, " ", f.State, " ", f.Cause, " ", f.Comm))
			}
		}
		return told
	}
	have := func(text, status string) bool {
		told := story(text[:strings.LastIndexByte(text, '\n')+1])
		return strings.Contains(fmt.Sprint(told[pids[0]]), status) && strings.Contains(fmt.Sprint(told[pids[1]]), status)
	}
	eventually(t, "both are told", func() bool { return have(live.stdout.String(), "firing") })
	eventually(t, "both are recorded", func() bool {
		out, _ := replayed(t, "leaks", dir, "-o", "json")
		return have(out, "firing")
	})
	a.Program.Close()
	b.Program.Close()
	eventually(t, "both are resolved", func() bool { return have(live.stdout.String(), "resolved") })
	eventually(t, "the recording has the end, too", func() bool {
		out, _ := replayed(t, "leaks", dir, "-o", "json")
		return have(out, "resolved")
	})
	live.stop()
	l.stop()
	out, stderr := replayed(t, "leaks", dir, "-o", "json")
	got, want := story(out), story(live.stdout.String())
	if fmt.Sprint(got) != fmt.Sprint(want) || strings.Contains(stderr, "missing") {
		t.Errorf("got  %v\nwant %v\n%s", got, want, stderr)
	}
}

// Whenever the recorder is killed, what it had recorded is there, and the next goes on.
func TestPrivilegedLogKilled(t *testing.T) {
	s := newStage(t)
	dir := filepath.Join(t.TempDir(), "log")
	lines := 0
	for range 3 {
		l := startLog(t, dir, append(s.netns(), "--rotate-size", "64k", "--max-bytes", "64M")...)
		s.burst(2, 300)
		eventually(t, "all is written", func() bool { return linesIn(t, dir) >= lines+2*300*10 })
		l.signal(syscall.SIGKILL)
		l.wait()
		out, _ := replayed(t, dir, "-o", "json")
		if n := strings.Count(out, "\n"); n < lines+2*300*10 {
			t.Fatalf("%d lines, want %d more than %d", n, 2*300*10, lines)
		} else {
			lines = n
		}
	}
	l := startLog(t, dir, s.netns()...)
	l.stop()
	plain, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if out, _ := replayed(t, dir, "-o", "json"); err != nil || len(plain) != 0 || strings.Count(out, "\n") != lines {
		t.Errorf("%d lines, want %d; %q are left", strings.Count(out, "\n"), lines, plain)
	}
}

// linesIn counts the transitions in a directory that is being written.
func linesIn(t *testing.T, dir string) (n int) {
	t.Helper()
	r := launch(t, nil, "replay", dir, "-o", "json")
	r.wait()
	return strings.Count(r.stdout.String(), "\n")
}

// zstdcat reads what was kept, for who has nothing else.
func TestPrivilegedLogForOtherTools(t *testing.T) {
	s := newStage(t)
	dir := filepath.Join(t.TempDir(), "log")
	l := startLog(t, dir, append(s.netns(), "--layout", "host")...)
	s.talk()
	l.stop()
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip("zstd is not there: install the Debian package zstd")
	}
	out, err := exec.Command(zstd, "-dc", filepath.Join(dir, "host.000001.jsonl.zst")).Output()
	if err != nil {
		t.Fatal(err)
	}
	n := strings.Count(string(out), `"event":"transition"`)
	if n != 10*connections {
		t.Errorf("%d transitions, want %d", n, 10*connections)
	}
}
