package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// A daemon that records has all transitions in its directory, for its readers, and in its metrics; and a replay finds what it
// has found.
func TestPrivilegedServeRecords(t *testing.T) {
	ns := nettest.NewNS(t)
	server, client := nettest.StartActor(t, ns, "server"), nettest.StartActor(t, ns, "client")
	dir := filepath.Join(t.TempDir(), "log")
	r, http := startServe(t, "--log-dir", dir, "--limit", "CLOSE_WAIT=1s:1h", "--netns", fmt.Sprint(ns.Inode()))
	attached := len(programsOf(t, r.cmd.Process.Pid))
	events, err := http.Get("http://localhost/api/v1/events?filter=state+close-wait")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	l := server.Listen(nettest.Loopback4(0), 8)
	const conns = 3
	for range conns {
		c, a := client.Dial(l.Local()), l.Accept()
		c.Close()
		a.WaitState(nettest.CloseWait)
	}
	var live string
	eventually(t, "a finding of all", func() bool {
		live = ask(t, http, "/api/v1/findings")
		return strings.Contains(live, fmt.Sprintf(`"count":%d`, conns))
	})
	seen := 0
	for lines := bufio.NewScanner(events.Body); seen < conns && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data: ") && strings.Contains(lines.Text(), `"new":"CLOSE_WAIT"`) {
			seen++
		}
	}
	if seen != conns {
		t.Errorf("a reader got %d", seen)
	}
	if n := len(programsOf(t, r.cmd.Process.Pid)); n != attached {
		t.Errorf("a reader costs %d programs", n-attached)
	}
	metrics := ask(t, http, "/metrics")
	if _, rest, ok := strings.Cut(metrics, "\ntcptrail_log_lines_total "); !ok || strings.HasPrefix(rest, "0\n") {
		t.Error("no lines in the metrics")
	}
	events.Body.Close()
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != ExitDone {
		t.Fatalf("exit %d: %s", code, r.stderr)
	}

	transitions := launch(t, nil, "replay", "-o", "json", dir)
	if code := transitions.wait(); code != ExitDone {
		t.Fatalf("exit %d: %s", code, transitions.stderr)
	}
	if n := strings.Count(transitions.stdout.String(), `"new":"CLOSE_WAIT"`); n != conns {
		t.Errorf("%d of %d transitions in the recording", n, conns)
	}
	replayed := launch(t, nil, "replay", "leaks", "-o", "json", dir)
	if code := replayed.wait(); code != ExitDone {
		t.Fatalf("exit %d: %s", code, replayed.stderr)
	}
	type finding struct {
		Cause string
		PID   int
	}
	var want, got finding
	if err := json.Unmarshal([]byte(live), &want); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(replayed.stdout.String(), "\n")
	if err := json.Unmarshal([]byte(first), &got); err != nil || got != want || got.PID != server.PID() {
		t.Errorf("replayed %+v, %v, live %+v", got, err, want)
	}
}
