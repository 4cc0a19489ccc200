package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/leaky"
	"github.com/tcptrail/tcptrail/internal/nettest"
)

// startServe launches serve on a unix socket, and returns how to ask it.
func startServe(t *testing.T, args ...string) (*tracer, *http.Client) {
	t.Helper()
	return startServeBy(t, nil, args...)
}

// startServeBy launches a command that runs serve; nil: the binary.
func startServeBy(t *testing.T, cmd *exec.Cmd, args ...string) (*tracer, *http.Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	r := launch(t, cmd, append([]string{"serve", "--listen", "unix:" + path}, args...)...)
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
	}}
	t.Cleanup(client.CloseIdleConnections)
	eventually(t, "serve is ready", func() bool {
		a, err := client.Get("http://localhost/readyz")
		if err != nil {
			return false
		}
		defer a.Body.Close()
		return a.StatusCode == http.StatusOK
	})
	return r, client
}

func ask(t *testing.T, client *http.Client, path string) string {
	t.Helper()
	a, err := client.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v: %s", path, a.StatusCode, err, text)
	}
	return string(text)
}

// Counts, lists, findings and events are those of the kernel, and of the other commands.
func TestPrivilegedServe(t *testing.T) {
	shop, ns := mustWorkshop(t), nettest.NewNS(t)
	peer := nettest.StartActor(t, ns, "peer")
	r, client := startServe(t, "--limit", "CLOSE_WAIT=300ms:1h,FIN_WAIT2=300ms:1h", "--stacks", "--program-time")
	attached := len(programsOf(t, r.cmd.Process.Pid))
	events, err := client.Get("http://localhost/api/v1/events?filter=netns+" + fmt.Sprint(ns.Inode()))
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	s := &leaky.Scene{TB: t, NS: ns, Shop: shop, Peer: peer}
	s.Serve("go/session", 2, 10)
	s.Sockets = s.Program.Sockets(2)
	s.Await(nettest.CloseWait, 2)
	in := fmt.Sprint("?filter=netns+", ns.Inode())
	eventually(t, "the counts are the kernel's", func() bool { // the last ACKs may be on their way
		var counts map[string]any
		if err := json.Unmarshal([]byte(ask(t, client, "/api/v1/count"+in)), &counts); err != nil {
			t.Fatal(err)
		}
		truth, err := ns.CountStates()
		if err != nil {
			t.Fatal(err)
		}
		for state, want := range truth {
			if counts[state.String()] != float64(want) {
				return false
			}
		}
		return truth[nettest.FinWait2] == 2
	})
	if got := strings.Count(ask(t, client, "/api/v1/list"+in+"+and+state+close-wait"), "\n"); got != 2 {
		t.Errorf("%d sockets in CLOSE_WAIT", got)
	}
	var found string
	eventually(t, "a finding", func() bool {
		found = ask(t, client, "/api/v1/findings?filter=pid+"+fmt.Sprint(s.Program.PID()))
		return strings.Contains(found, `"cause":"not_closed"`)
	})
	eventually(t, "a metric", func() bool {
		return strings.Contains(ask(t, client, "/metrics"), `tcptrail_stuck_sockets{cause="not_closed",state="CLOSE_WAIT"}`)
	})
	if !strings.Contains(found, `"frames":[`) {
		t.Errorf("no call site: %s", found)
	}
	metrics := ask(t, client, "/metrics")
	for _, name := range []string{
		`tcptrail_state_duration_seconds_count{state="SYN_SENT"}`, `tcptrail_bpf_program_seconds_total{program="inet_sock_set_state"}`,
	} {
		if _, rest, ok := strings.Cut(metrics, "\n"+name+" "); !ok || strings.HasPrefix(rest, "0\n") {
			t.Errorf("no %s", name)
		}
	}
	seen := 0
	for lines := bufio.NewScanner(events.Body); seen < 2 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "data: ") && strings.Contains(lines.Text(), `"new":"CLOSE_WAIT"`) {
			seen++
		}
	}
	if seen != 2 {
		t.Errorf("%d events of two sockets that came to CLOSE_WAIT", seen)
	}
	events.Body.Close()
	eventually(t, "nobody reads, and nothing is traced for that", func() bool {
		return len(programsOf(t, r.cmd.Process.Pid)) == attached
	})
	s.Program.Close()
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != ExitDone {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
}

// While nobody reads events, transitions of states that are not watched do not leave the kernel.
func TestPrivilegedServeCostsNothingAnEvent(t *testing.T) {
	s := newStage(t)
	r, client := startServe(t, "--limit", "CLOSE_WAIT=off,FIN_WAIT2=1h,ZOMBIE=off")
	before := residentKiB(t, r)
	s.burst(2, 500)
	eventually(t, "all are counted", func() bool {
		for line := range strings.Lines(ask(t, client, "/metrics")) {
			var seen float64
			if n, _ := fmt.Sscanf(line, "tcptrail_events_seen_total %g", &seen); n == 1 {
				return seen >= 10_000
			}
		}
		return false
	})
	for line := range strings.Lines(ask(t, client, "/metrics")) {
		var delivered float64
		if n, _ := fmt.Sscanf(line, "tcptrail_events_delivered_total %g", &delivered); n == 1 && delivered > 6000 {
			t.Errorf("%g of 10,000 transitions were delivered, of which 2,000 are into or out of FIN_WAIT2", delivered)
		}
	}
	if after := residentKiB(t, r); after-before > 10<<10 {
		t.Errorf("%d KiB more", after-before)
	}
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != ExitDone {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
}
