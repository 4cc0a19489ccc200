package cli

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// hostileNames are what processes may call themselves, beside the port that theirs listens on.
var hostileNames = map[string]uint16{
	"\x1b]0;owned\x07\x1b[2J":  1001, // obeyed by terminals
	"\x9b31m\x90q\x9c":         1002, // likewise, of one byte each
	"=cmd|'/C'!A0":             1003, // a formula
	"@SUM(1+1)*2":              1004,
	`"},{"pid":1,"`:            1005, // ends a string of JSON
	`a,b"c;d`:                  1006, // cells
	"\r\n\t\v\f":               1007,
	"0123456789abcdef":         1008, // of 16 bytes the kernel keeps 15
	"\xff\xfe\x80\xc0":         1009, // no UTF-8
	"\xe2\x80\xae\xe2\x80\x8b": 1010, // turns round what follows
	"x{y=\"z\"} 1\n# ":         1011, // a line of metrics
	"":                         1012,
	"../../etc/x":              1013, // a path
}

// soonStuck makes findings of what the test does.
const soonStuck = "CLOSE_WAIT=10ms:1h,FIN_WAIT2=10ms:1h"

// Whatever processes call themselves, no command writes it raw, into any format, and every format stays one.
func TestPrivilegedHostileNamesEverywhere(t *testing.T) {
	ns := nettest.NewNS(t)
	nettest.StartActor(t, ns, "first") // for the namespace to be known
	dir := filepath.Join(t.TempDir(), "log")
	l := startLog(t, dir, inNS(ns, "--limit", soonStuck)...)
	serve, client := startServe(t, inNS(ns, "--limit", soonStuck)...)
	watching := launch(t, nil, inNS(ns, "leaks", "--limit", soonStuck)...)
	live := map[string]*tracer{}
	for _, format := range []string{"table", "wide", "json", "csv"} {
		live[format] = trace(t, nil, inNS(ns, "-o", format)...)
	}
	names := map[int]string{}
	for name, port := range hostileNames {
		actor := nettest.StartActor(t, ns, name)
		names[actor.PID()] = name[:min(len(name), 15)]
		c := actor.Dial(actor.Listen(nettest.Loopback4(port), 1).Local())
		c.Shutdown()
	}
	watching.stdout.await(t, "WARN", len(names)) // of each a FIN_WAIT2 at least
	watching.stop()
	checkFormat(t, "leaks", "table", watching.stdout.String(), names)
	for format, r := range live {
		r.stop()
		checkFormat(t, "trace", format, r.stdout.String(), names)
		checkPrintable(t, "trace's messages", r.stderr.String())
	}
	for _, line := range []string{"list --holders", "count --by process", "leaks --once"} {
		for _, format := range []string{"table", "wide", "json", "csv"} {
			args := append(strings.Fields(line), "-o", format)
			if args[0] == "leaks" {
				if format == "csv" {
					continue
				}
				args = append(args, "--limit", soonStuck)
			}
			r := launch(t, nil, inNS(ns, args...)...)
			if code := r.wait(); code != ExitDone && code != ExitFound {
				t.Errorf("%s: exit %d: %s", line, code, r.stderr)
			}
			checkFormat(t, line, format, r.stdout.String(), names)
		}
	}
	filter := "?filter=" + url.QueryEscape(fmt.Sprint("netns ", ns.Inode()))
	eventually(t, "processes have metrics", func() bool { return strings.Contains(ask(t, client, "/metrics"), `comm="0123456789abcde"`) })
	for _, path := range []string{"/metrics", "/api/v1/findings", "/api/v1/list" + filter, "/api/v1/count" + filter + "&by=process"} {
		format := "json"
		if path == "/metrics" {
			format = path
		}
		checkFormat(t, path, format, ask(t, client, path), names)
	}
	serve.stop()
	checkPrintable(t, "serve's messages", serve.stderr.String())
	l.stop()
	checkRecording(t, dir)
	for _, line := range []string{"replay", "replay list", "replay count --by process", "replay leaks --once --limit " + soonStuck, "history"} {
		for _, format := range []string{"table", "wide", "json", "csv"} {
			if format == "csv" && (line == "history" || strings.Contains(line, "leaks")) {
				continue
			}
			r := launch(t, nil, append(strings.Fields(line), "-o", format, dir)...)
			if code := r.wait(); code != ExitDone && code != ExitFound {
				t.Errorf("%s -o %s: exit %d: %s", line, format, code, r.stderr)
			}
			checkFormat(t, line, format, r.stdout.String(), names)
		}
	}
}

// checkFormat checks that a text is of the format, and that names of processes are whole where it can hold them.
func checkFormat(t *testing.T, what, format, text string, names map[int]string) {
	t.Helper()
	what += " -o " + format
	checkPrintable(t, what, text)
	if strings.Count(text, "\n") < 2 {
		t.Errorf("%s: nothing to see: %q", what, text)
	}
	switch format {
	case "json":
		for line := range strings.Lines(text) {
			checkJSON(t, what, line, names)
		}
	case "csv":
		records, err := csv.NewReader(strings.NewReader(text)).ReadAll() // refuses a number of cells that changes
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		for _, record := range records {
			for _, cell := range record {
				if cell != "" && strings.ContainsRune("=+@", rune(cell[0])) {
					t.Errorf("%s: a formula: %q", what, cell)
				}
			}
		}
	case "/metrics":
		if strings.Contains(text, "\nx{y=") || !strings.Contains(text, `comm="x{y=\"z\"}`) {
			t.Errorf("%s: a metric of a process's own making, or none of it: %s", what, text)
		}
	}
}

func checkJSON(t *testing.T, what, line string, names map[int]string) {
	t.Helper()
	var process struct {
		PID  int
		Comm *string
	}
	if err := json.Unmarshal([]byte(line), &process); err != nil {
		t.Errorf("%s: %v: %s", what, err, line)
		return
	}
	name, known := names[process.PID]
	if known && process.Comm != nil && utf8.ValidString(name) && *process.Comm != name {
		t.Errorf("%s: process %d is called %q, want %q", what, process.PID, *process.Comm, name)
	}
}

// checkRecording checks that files of a recording may be listed and read on a terminal.
func checkRecording(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < len(hostileNames) {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, entry := range entries {
		checkPrintable(t, "file", entry.Name())
		if strings.ContainsAny(entry.Name(), " \"'*?$`\\") || !entry.Type().IsRegular() {
			t.Errorf("file %q", entry.Name())
		}
	}
}
