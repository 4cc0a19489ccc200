package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a real connection looks like in each format, all at once.
func TestPrivilegedFormats(t *testing.T) {
	s := newStage(t)
	start := time.Now()
	run := func(args ...string) *tracer { return trace(t, nil, append(s.netns(), args...)...) }
	inJSON, inCSV, table, wide := run("-o", "json"), run("-o", "csv"), run(), run("-o", "wide", "-T", "unix")
	s.talk()
	for _, r := range []*tracer{inJSON, inCSV, table, wide} {
		r.stop()
		if b := r.summary(); b.delivered != 10*connections || b.lost+b.left != 0 {
			t.Errorf("%v: %+v, want %d delivered", r.cmd.Args, b, 10*connections)
		}
	}
	rows := parseRows(t, inJSON.stdout.String())
	checkConnection(t, s, rows, start)
	checkCSV(t, inCSV.stdout.String(), inJSON.stdout.String())
	for _, r := range []*tracer{table, wide} {
		text := r.stdout.String()
		if strings.Contains(text, "\x1b") || strings.Count(text, "\n") != 1+10*connections {
			t.Errorf("colored for a pipe, or not a line for each transition:\n%s", text)
		}
		for _, words := range []string{"TIME ", "FIN by us", " TIME_WAIT", "client", "127.0.0.1:", "[::1]:", " CLOSE_WAIT "} {
			if !strings.Contains(text, words) {
				t.Errorf("no %q:\n%s", words, text)
			}
		}
	}
}

// checkConnection checks the first connection in JSON, field by field where the kernel leaves no choice.
func checkConnection(t *testing.T, s *stage, rows []row, start time.Time) {
	t.Helper()
	if len(rows) != 10*connections {
		t.Fatalf("%d transitions, want %d", len(rows), 10*connections)
	}
	first := rows[0].Cookie
	var life []string
	for i := range rows {
		r := &rows[i]
		if r.Event != "transition" || r.NetNS != s.ns.Inode() || *r.UID != 0 || r.Time.Before(start) || r.Time.After(time.Now()) {
			t.Errorf("row %d: %+v", i, r)
		}
		if _, err := strconv.ParseUint(r.Cookie, 16, 64); err != nil || netip.MustParseAddr(r.LAddr).IsUnspecified() {
			t.Errorf("row %d: cookie %q, local address %s", i, r.Cookie, r.LAddr)
		}
		if r.Cookie != first {
			continue
		}
		life = append(life, r.Old+">"+r.New)
		if *r.PID != s.client.PID() || *r.Comm != "client" || *r.RPort != s.v4.Local().Port() || r.RAddr != "127.0.0.1" {
			t.Errorf("row %d: pid %d, comm %s, remote %s:%d", i, *r.PID, *r.Comm, r.RAddr, *r.RPort)
		}
		if (r.MS == nil) != (len(life) == 1) {
			t.Errorf("row %d: ms %v", i, r.MS)
		}
	}
	want := []string{
		"CLOSE>SYN_SENT", "SYN_SENT>ESTABLISHED", "ESTABLISHED>FIN_WAIT1", "FIN_WAIT1>FIN_WAIT2", "FIN_WAIT2>CLOSE",
	}
	if !slices.Equal(life, want) {
		t.Errorf("life of the client: %q, want %q", life, want)
	}
}

// checkCSV compares CSV with the JSON of another tracer. Clocks are read by each, and who was interrupted is chance, so
// that time, ms and running_pid may differ.
func checkCSV(t *testing.T, text, inJSON string) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(inJSON), "\n")
	header := records[0]
	if want := slices.Concat(always, closing, []string{"missed", "late"}); !slices.Equal(header, want) {
		t.Fatalf("header %q, want %q", header, want)
	}
	if len(records)-1 != len(lines) {
		t.Fatalf("%d records, want %d", len(records)-1, len(lines))
	}
	for i, line := range lines {
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.UseNumber()
		var fields map[string]any
		if err := decoder.Decode(&fields); err != nil {
			t.Fatal(err)
		}
		for column, name := range header {
			got, value := records[i+1][column], fields[name]
			want := fmt.Sprint(value)
			switch {
			case slices.Contains([]string{"time", "ms", "running_pid", "srtt_us"}, name):
				continue
			case value == nil && (name == "missed" || name == "late"):
				want = "false"
			case value == nil:
				want = ""
			}
			if got != want {
				t.Errorf("record %d: %s is %q in CSV and %q in JSON", i, name, got, want)
			}
		}
	}
}

func TestPrivilegedLimit(t *testing.T) {
	s := newStage(t)
	r := trace(t, nil, append(s.netns(), "-n", "7", "-o", "json")...)
	s.talk()
	if code := r.wait(); code != ExitDone {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
	if rows := parseRows(t, r.stdout.String()); len(rows) != 7 || !strings.Contains(r.stderr.String(), ", delivered 7, ") {
		t.Errorf("%d rows, want 7: %s", len(rows), r.stderr)
	}
}

func TestPrivilegedDuration(t *testing.T) {
	r := launch(t, nil, "--duration", "10ms", "--netns", "self")
	if code := r.wait(); code != ExitDone {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
	r.summary()
}

func TestPrivilegedSignals(t *testing.T) {
	s := newStage(t)
	r := trace(t, nil, append(s.netns(), "-o", "csv", "--no-header")...)
	s.talk()
	r.stdout.await(t, "\n", 10*connections)
	r.signal(syscall.SIGUSR1)
	r.stderr.await(t, "tcptrail: seen ", 1)
	s.talk()
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != ExitDone {
		t.Errorf("exit %d", code)
	}
	if b := r.summary(); b.delivered != 2*10*connections || strings.Count(r.stderr.String(), "tcptrail: seen ") != 2 {
		t.Errorf("%+v\n%s", b, r.stderr)
	}
}

// A tracer that is killed leaves nothing in the kernel, and others see what they would have seen anyway.
func TestPrivilegedKilled(t *testing.T) {
	s := newStage(t)
	victim, other := trace(t, nil, s.netns()...), trace(t, nil, append(s.netns(), "-o", "json")...)
	programs := programsOf(t, victim.cmd.Process.Pid)
	if len(programs) < 4 {
		t.Fatalf("programs %v, want at least 4", programs)
	}
	s.talk()
	victim.signal(syscall.SIGKILL)
	if code := victim.wait(); code != -1 {
		t.Errorf("exit %d", code)
	}
	for _, id := range programs {
		eventually(t, fmt.Sprintf("program %d is gone", id), func() bool { return !programExists(t, id) })
	}
	s.talk()
	other.stop()
	if rows := parseRows(t, other.stdout.String()); len(rows) != 2*10*connections {
		t.Errorf("%d transitions, want %d", len(rows), 2*10*connections)
	}
}

// startPace is how often a connection is made to be the first that is seen: often enough not to count much.
const startPace = 2 * time.Millisecond

// How long a user waits, for the record: machines differ.
func TestPrivilegedStart(t *testing.T) {
	s := newStage(t)
	cmd := exec.Command(mustBinary(t))
	path, ready := mustFIFO(t)
	pace := time.NewTicker(startPace)
	defer pace.Stop()
	start := time.Now()
	r := launch(t, cmd, append(s.netns(), "-o", "csv", "--no-header", "--ready-file", path)...)
	for r.stdout.String() == "" && time.Since(start) < patience {
		<-pace.C
		s.burst(1, 1)
	}
	first := time.Since(start)
	r.awaitReady(ready)
	t.Logf("first line after %v, older sockets adopted after at most %v", first, time.Since(start))
	r.stop()
	if b := r.summary(); b.delivered == 0 {
		t.Errorf("nothing in %v: %s", patience, r.stderr)
	}
}
