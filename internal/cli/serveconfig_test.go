package cli

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// settings is a configuration file of a test.
type settings struct {
	*testing.T
	path string
}

func newSettings(t *testing.T, lines ...string) settings {
	s := settings{t, filepath.Join(t.TempDir(), "tcptrail.yml")}
	s.write(lines...)
	return s
}

func (s settings) write(lines ...string) {
	s.Helper()
	if err := os.WriteFile(s.path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		s.Fatal(err)
	}
}

func TestServeConfigRefusals(t *testing.T) {
	for text, want := range map[string]string{
		"lisen: ':1'":                 `line 1: "lisen" is no setting`,
		"top: 7\nlog: json":           `line 2: "log" is no setting: did you mean --log-dir or `,
		"check: true":                 `"check" is no setting`,
		"top: [1, 2]":                 `"top" takes one value`,
		"top: many":                   `line 1: --top: "many": use a whole number`,
		"top: 900":                    "--top 900: give up to 200",
		"log-fsync: 1s":               "there is no --log-dir",
		"{log-dir: d, log-bytes: 1M}": "--log-bytes: give at least 32M",
		"{log-dir: d, log-layout: x}": "--log-layout",
		"{log-dir: d, log-fsync: x}":  "--log-fsync",
		"stacks: yes":                 `stacks "yes": use true or false`,
		"limit: LISTEN=1s":            "leave it out",
		"log-format: xml":             "use text or json",
		"log-level: loud":             "use debug, info, warn or error",
		"listen":                      "settings are names and values",
		"web-config: /no/such":        "/no/such",
		"listen: nowhere":             "nowhere",
		"alert-file: /no/such/f":      "make its directory first",
	} {
		for _, args := range [][]string{{"--check"}, nil} {
			if args == nil && (strings.HasPrefix(text, "web") || strings.HasPrefix(text, "listen:")) {
				continue // found when it listens
			}
			w, config := newWorld(t), newSettings(t, text)
			code := w.run(append([]string{"serve", "--config", config.path}, args...)...)
			if got := w.stderr.String(); code != ExitUsage || !strings.Contains(got, want) || len(w.opened) != 0 {
				t.Errorf("%q %q: exit %d: %s, want %q", text, args, code, got, want)
			}
		}
	}
	w := newWorld(t)
	if code := w.run("serve", "--config", "/no/such", "--check"); code != ExitUsage || !strings.Contains(w.stderr.String(), "/no/such") {
		t.Errorf("exit %d: %s", code, w.stderr)
	}
}

func TestServeCheck(t *testing.T) {
	w, config := newWorld(t), newSettings(t, "listen: ['127.0.0.1:9797', 'unix:/run/tcptrail.sock']", "top: 900", "journal: false")
	code := w.run("serve", "--config", config.path, "--check", "--top", "7") // which goes before the file
	if code != ExitDone || w.stdout.String() != "flags and files are right\n" || len(w.opened) != 0 {
		t.Errorf("exit %d: %s%s", code, w.stdout, w.stderr)
	}
}

// A reload changes limits and whom to tell, tells of what is over by that, and leaves everything as it is when it fails.
func TestServeReload(t *testing.T) {
	alerts := filepath.Join(t.TempDir(), "alerts")
	// told returns the statuses that are in a file of alerts.
	told := func(path string) (statuses []string) {
		text, _ := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			var f struct{ Status string }
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				t.Fatal(err)
			}
			statuses = append(statuses, f.Status)
		}
		return statuses
	}
	config := newSettings(t, "limit: CLOSE_WAIT=10s:1h", "alert-file: "+alerts)
	s := serve(t, "--config", config.path)
	eventually(t, "an alert", func() bool { return slices.Equal(told(alerts), []string{"firing"}) })

	s.signals <- syscall.SIGHUP
	s.stderr.await(t, "reloaded: nothing has changed", 1)

	config.write("limit: CLOSE_WAIT=10h", "alert-file: "+alerts+".2")
	s.signals <- syscall.SIGHUP
	s.stderr.await(t, "reloaded: limit, alert-file", 1)
	eventually(t, "the end is told", func() bool { return slices.Equal(told(alerts+".2"), []string{"resolved"}) })
	if code, text := s.get("/api/v1/findings"); code != http.StatusOK || text != "" {
		t.Errorf("%d: %s", code, text)
	}

	for text, want := range map[string]string{
		"limits: CLOSE_WAIT=1s": `"limits" is no setting`, "top: 5": "restart to change top",
		"limit: ESTABLISHED=1s": "restart to change limit (for other states)",
	} {
		config.write(text)
		s.signals <- syscall.SIGHUP
		s.stderr.await(t, want, 1)
		s.stderr.await(t, "everything stays as it is", strings.Count(s.stderr.String(), want))
	}

	config.write("limit: CLOSE_WAIT=5s:1h", "alert-file: "+alerts+".2")
	s.signals <- syscall.SIGHUP
	s.stderr.await(t, "reloaded: limit\n", 1)
	eventually(t, "it is stuck again", func() bool { return slices.Equal(told(alerts+".2"), []string{"resolved", "firing"}) })
	s.end()
}

func TestServeLogsForMachines(t *testing.T) {
	s := &served{world: newWorld(t)}
	s.look.sockets = []tcp.Socket{stuckSocket(61)}
	s.source.notes = []string{"a note"}
	s.start("serve", "--listen", "127.0.0.1:0", "--log-format", "json")
	s.stderr.await(t, `"level":"INFO","msg":"listening on 127.0.0.1:`, 1)
	s.source.failures <- os.ErrDeadlineExceeded
	if code := s.wait(); code != ExitFailed {
		t.Errorf("exit %d", code)
	}
	levels := map[string]int{}
	for line := range strings.Lines(s.stderr.String()) {
		var r struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Time == "" || r.Msg == "" {
			t.Errorf("%s: %v", line, err)
		}
		levels[r.Level]++
	}
	if levels["INFO"] == 0 || levels["WARN"] == 0 || levels["ERROR"] != 1 {
		t.Errorf("%v: %s", levels, s.stderr)
	}
}

func TestServeLogLevels(t *testing.T) {
	w := newWorld(t)
	w.source.notes = []string{"a note"}
	w.start("serve", "--listen", "127.0.0.1:0", "--log-level", "warn")
	w.stderr.await(t, "a note", 1)
	w.signals <- syscall.SIGTERM
	if code := w.wait(); code != ExitDone || strings.Contains(w.stderr.String(), "listening") {
		t.Errorf("exit %d: %s", code, w.stderr)
	}
}

// systemd is told what it wants to know.
func TestServeTellsSystemd(t *testing.T) {
	at := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	manager, err := net.ListenUnixgram("unixgram", at)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", at.Name)
	t.Setenv("WATCHDOG_USEC", "300000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	next := func() string {
		for {
			message := make([]byte, 1000)
			n, err := manager.Read(message)
			if err != nil {
				t.Fatal(err)
			}
			if text := string(message[:n]); text != "WATCHDOG=1" {
				return text
			}
		}
	}
	s := serve(t)
	if got := next(); got != "READY=1" {
		t.Errorf("got %q", got)
	}
	message := make([]byte, 1000)
	if n, err := manager.Read(message); err != nil || string(message[:n]) != "WATCHDOG=1" {
		t.Errorf("got %q, %v", message[:n], err)
	}
	s.signals <- syscall.SIGHUP
	if a, b := next(), next(); a != "RELOADING=1" || b != "READY=1" {
		t.Errorf("got %q, %q", a, b)
	}
	s.end()
	if got := next(); got != "STOPPING=1" {
		t.Errorf("got %q", got)
	}
}
