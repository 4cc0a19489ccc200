package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/nettest"
)

// withoutStorage makes the kernel refuse to keep anything about sockets of the stage that is new to it: an element of
// socket storage is charged to its socket up to net.core.optmem_max (net/core/bpf_sk_storage.c, sk_storage_charge). That is
// a namespace's own from Linux 6.8 on (f5769faeec36); before, it is the host's, where other tracers may be at work.
func (s *stage) withoutStorage() {
	s.Helper()
	if err := s.ns.Sysctl("net.core.optmem_max", "1"); errors.Is(err, fs.ErrNotExist) {
		s.Skip("net.core.optmem_max is the whole host's before Linux 6.8")
	} else if err != nil {
		s.Fatal(err)
	}
}

// runIn launches the binary in the stage's network namespace.
func (s *stage) runIn(cmd *exec.Cmd, args ...string) (r *tracer) {
	s.Helper()
	err := s.ns.Do(func() error {
		r = launch(s.T, cmd, args...)
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// Where nothing can be kept about sockets, every transition is told all the same, and what is not known is told as that:
// neither a time nor an owner is made up. What is pinned is kept in storage alone; else some may have a place elsewhere
// (bpf/cell.h).
func TestPrivilegedTraceWithoutStorage(t *testing.T) {
	s := newStage(t)
	s.withoutStorage()
	dir := filepath.Join(t.TempDir(), "log")
	l := startLog(t, dir, s.netns()...)
	live := trace(t, nil, append(s.netns(), "-o", "json")...)
	pinned := trace(t, nil, append(s.netns(), "-o", "json", "--pin")...)
	s.talk()
	live.stop()
	pinned.stop()
	l.stop()
	played, _ := replayed(t, dir, "-o", "json")
	owners := map[int]string{s.server.PID(): "server", s.client.PID(): "client"}
	for name, text := range map[string]string{
		"trace": live.stdout.String(), "pinned": pinned.stdout.String(), "recording": played,
	} {
		rows := parseRows(t, text)
		for _, row := range rows {
			known := row.MS != nil || row.PID != nil || row.Comm != nil || row.Evidence != nil
			if row.Missed || known && name == "pinned" || row.PID != nil && owners[*row.PID] != *row.Comm || row.MS != nil && *row.MS < 0 {
				t.Errorf("%s: made up: %+v", name, row)
			}
		}
		if len(rows) != 10*connections {
			t.Errorf("%s: %d lines, want %d", name, len(rows), 10*connections)
		}
	}
	if b := pinned.summary(); b.delivered != 10*connections || b.missed != 0 {
		t.Errorf("%+v", b)
	}
	if want := fmt.Sprintf(", untracked %d", 10*connections); !strings.Contains(pinned.stderr.String(), want) {
		t.Errorf("no %q: %s", want, pinned.stderr)
	}
}

// What could not be kept is told by every command that ends with an account.
func TestUntrackedIsTold(t *testing.T) {
	for line, want := range map[string]string{
		"trace --duration 10ms":         ", untracked 3 in ",
		"leaks --duration 10ms":         ", untracked 3, told ",
		"log --duration 10ms --dir DIR": ", untracked 3 in ",
	} {
		w := newWorld(t)
		w.source.count(kernel.Stats{Untracked: 3})
		w.run(strings.Fields(strings.ReplaceAll(line, "DIR", filepath.Join(t.TempDir(), "log")))...)
		if got := w.stderr.String(); !strings.Contains(got, want) {
			t.Errorf("%s: no %q: %s", line, want, got)
		}
	}
	w := newWorld(t)
	w.runs(0, nil)
	w.source.count(kernel.Stats{Untracked: 3})
	w.wants(w.run("run", "true"), ExitDone, "tcptrail: 3 transitions on this host could not be followed for want of memory for "+
		"their sockets (sysctl net.core.optmem_max): more may have leaked\n"+
		"tcptrail: no socket was left open in CLOSE_WAIT, FIN_WAIT2 or ZOMBIE\n")
}

// Commands that look at what is there need no storage: they say the same as with it.
func TestPrivilegedLooksWithoutStorage(t *testing.T) {
	s := newStage(t)
	s.withoutStorage()
	watching := launch(t, nil, append([]string{"leaks", "-o", "json", "--limit", "CLOSE_WAIT=10ms", "--repeat", "1h"}, s.netns()...)...)
	client := s.client.Dial(s.v4.Local())
	server := s.v4.Accept()
	client.Shutdown()
	server.WaitState(nettest.CloseWait)
	pid := s.server.PID()

	var row socketRow
	text := ran(t, append([]string{"list", "-o", "json", "state", "close-wait"}, s.netns()...)...)
	if err := json.Unmarshal([]byte(text), &row); err != nil || row.State != "CLOSE_WAIT" || !strings.Contains(text, fmt.Sprintf(`"pid":%d,"comm":"server"`, pid)) {
		t.Errorf("list: %v: %s", err, text)
	}
	if got := ran(t, append([]string{"count", "CLOSE_WAIT"}, s.netns()...)...); got != "1\n" {
		t.Errorf("count: %q", got)
	}
	samples := parseLive(t, ran(t, append([]string{"count", "-i", "100ms", "--duration", "250ms", "-o", "json"}, s.netns()...)...))
	for _, sample := range samples {
		if sample.Listen != 2 || sample.Total != 4 {
			t.Errorf("live: %+v, want two listeners and both ends", sample)
		}
	}
	watching.stdout.await(t, `"cause":"unread_fin"`, 1)
	watching.stop()
	for _, f := range parseTold(t, watching.stdout.String()) {
		if f.PID != pid || f.State != "CLOSE_WAIT" {
			t.Errorf("leaks: %+v", f)
		}
	}
}

// What a command leaves may not be known without: run does not say that all is well.
func TestPrivilegedRunWithoutStorage(t *testing.T) {
	s := newStage(t)
	s.withoutStorage()
	cmd := exec.Command(mustBinary(t))
	cmd.Env = append(os.Environ(), leaverEnv+"=close_wait")
	r := s.runIn(cmd, "run", "--min-age", "0", "--", ownPath(t), "-test.run=^$")
	code, got := r.wait(), r.stderr.String()
	if code != ExitFound && !(strings.Contains(got, "more may have leaked") && strings.Contains(got, "optmem_max")) {
		t.Errorf("exit %d: %s", code, got)
	}
}

// The smallest rings lose, and count it; what they deliver is in order, and whole.
func TestPrivilegedSmallestRing(t *testing.T) {
	const each = 3000
	s := newStage(t)
	smallest := strconv.Itoa(minBuffer)
	_, stuck := mustPipe(t) // a reader that never reads
	blocked := trace(t, stuck, append(s.netns(), "-o", "json", "--buffer", smallest)...)
	reading := trace(t, nil, append(s.netns(), "-o", "json", "--buffer", smallest)...)
	dir := filepath.Join(t.TempDir(), "log")
	l := startLog(t, dir, append(s.netns(), "--buffer", smallest)...)
	s.burst(2, each)
	reading.stop()
	l.stop()
	rows := parseRows(t, reading.stdout.String())
	b := reading.summary()
	if b.seen < 2*10*each || b.delivered != len(rows) || b.left != 0 {
		t.Errorf("%d lines: %+v", len(rows), b)
	}
	// Lines are in the order of CLOCK_MONOTONIC. How far the wall clock is from that is measured anew now and then, in a virtual
	// machine that has no CPU of its own with an error of some hundred microseconds.
	const errorOfWall = 5 * time.Millisecond
	for i := 1; i < len(rows); i++ {
		if rows[i].Time.Before(rows[i-1].Time.Add(-errorOfWall)) && !rows[i].Late {
			t.Fatalf("line %d, of %v, comes after %v", i+1, rows[i].Time, rows[i-1].Time)
		}
	}
	var seen, recorded, lost, missed, filtered int
	_, after, _ := strings.Cut(l.stderr.String(), "tcptrail: seen ")
	if n, _ := fmt.Sscanf(after, "%d, recorded %d, lost %d, missed %d, filtered %d", &seen, &recorded, &lost, &missed, &filtered); n != 5 || seen != recorded+lost+filtered {
		t.Errorf("log: %s", l.stderr)
	}
	blocked.signal(syscall.SIGINT)
	if code := blocked.wait(); code != ExitDone {
		t.Errorf("blocked: exit %d: %s", code, blocked.stderr)
	}
	if b := blocked.summary(); b.lost == 0 {
		t.Errorf("blocked: nothing is lost: %+v", b)
	}
	t.Logf("reading %+v", b)
}

// A limit of descriptors that is too low is told as that, with the remedy, by every command.
func TestPrivilegedTooFewDescriptors(t *testing.T) {
	for _, line := range ofTheKernel {
		if line == "count LISTEN" { // takes three
			continue
		}
		cmd, prefix := confined(t, "files 16")
		words := []string{"too many open files"}
		if !strings.HasPrefix(line, "log") { // which opens its directory first
			words = append(words, "raise the limit (ulimit -n)")
		}
		fault(t, cmd, prefix, line, ExitFailed, words...)
	}
}
