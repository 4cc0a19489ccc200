package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// lined runs the command line to a good end and returns the lines of its output.
func (w *world) lined(args string) []string {
	w.Helper()
	code := w.run(strings.Fields(args)...)
	w.wants(code, ExitDone, "")
	return strings.Split(strings.TrimSuffix(w.stdout.String(), "\n"), "\n")
}

// cookies returns which sockets a listing in JSON has.
func cookies(t *testing.T, lines []string) (all []int) {
	t.Helper()
	for _, line := range lines {
		if line == "" {
			continue
		}
		var row struct{ Cookie string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		cookie, err := strconv.ParseUint(row.Cookie, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, int(cookie))
	}
	return all
}

func TestListSelectsAndSorts(t *testing.T) {
	other := socket(tcp.CloseWait, 7)
	other.PID, other.RecvQ, other.Comm = 1, 100, tcp.Comm{'i', 'n', 'i', 't'}
	other.Holders = append(other.Holders, tcp.Holder{PID: 1, FD: 3, Comm: other.Comm})
	all := []tcp.Socket{socket(tcp.Established, 3), other, zombie(5), halfOpen(), socket(tcp.CloseWait, 2)}
	for args, want := range map[string][]int{
		"":                                  {7, 5, 3, 2, 1},
		"--sort -age":                       {1, 2, 3, 5, 7},
		"--sort recvq --top 1":              {7},
		"-n 2":                              {7, 5},
		"-n 99999999999":                    {7, 5, 3, 2, 1},
		"--sort pid --state close-wait":     {7, 2},
		"state close-wait age gt 5s":        {7},
		"-p 4242 state close-wait":          {7, 2}, // as a holder, too
		"-c init":                           {7},
		"-c init comm web":                  {7},
		"pid 4242 and not pid 1":            {5, 3, 2},
		"state zombie":                      {5},
		"exclude close state all":           {7, 5, 3, 2, 1},
		"exclude zombie":                    {7, 3, 2, 1},
		"state syn-recv":                    {1},
		"--state NEW_SYN_RECV":              {1},
		"dport = :22":                       nil,
		"--remote-port 443 --local 10/8 -4": {7, 5, 3, 2, 1},
		"recvq gt 99":                       {7},
		"-6":                                nil,
	} {
		w := newWorld(t)
		w.look.sockets = all
		if got := cookies(t, w.lined("list -o json "+args)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", args, got, want)
		}
	}
}

func TestListFormats(t *testing.T) {
	for _, test := range []struct {
		args        string
		width       int
		head, inRow string
		lines       int
	}{
		{"", 0, "STATE ", "ZOMBIE ", 3},
		{"--no-header", 0, "ZOMBIE ", "4242 web", 2},
		{"--holders", 0, "STATE ", "4242 web", 3},
		{"-o wide", 0, "STATE ", "ZOMBIE ", 3},
		{"-o csv", 0, "time,event,cookie,", "2023-11-14T22:13:20.000000000Z,socket,9,", 3},
		{"-o csv --no-header", 0, "2023-", "2023-11-14T22:13:20.000000000Z,socket,9,", 2},
		{"-o json", 0, `{"time":"2023-`, `"zombie":true`, 2},
		{"--color never", 80, "STATE ", "ZOMBIE ", 3},
		{"", 80, "STATE ", "\x1b[", 3},
		{"state listening", 0, "STATE ", "STATE ", 1},
	} {
		w := newWorld(t)
		w.width, w.look.sockets = test.width, []tcp.Socket{zombie(9), socket(tcp.TimeWait, 1)}
		lines := w.lined("list " + test.args)
		if len(lines) != test.lines || !strings.HasPrefix(lines[0], test.head) || !strings.Contains(w.stdout.String(), test.inRow) {
			t.Errorf("%s: %q, want %d lines, the first %q, one with %q", test.args, lines, test.lines, test.head, test.inRow)
		}
		for _, line := range lines {
			if test.width > 0 && !strings.Contains(line, "\x1b") && len(line) > test.width {
				t.Errorf("%s: %d columns: %q", test.args, len(line), line)
			}
		}
	}
}

// looks are one command for each way to look.
var looksOf = map[string]string{
	"list": "snapshots", "count": "counter", "count CLOSE_WAIT": "diag", "count --by pid": "snapshots",
	"count dport = 1": "snapshots", "count zombie": "counter",
}

func TestLookErrors(t *testing.T) {
	lack := &kernel.UnsupportedError{What: "network namespace 7 may not be entered: missing CAP_SYS_ADMIN"}
	for args := range looksOf {
		for name, test := range map[string]struct {
			set    func(*world)
			code   int
			stderr string
		}{
			"keep":        {func(w *world) { w.keepErr = errors.New("bad") }, ExitFailed, "tcptrail: drop privileges: bad\n"},
			"open":        {func(w *world) { w.look.openErr, w.look.quickErr = lack, lack }, ExitUnsupported, "tcptrail: " + lack.What + "\n"},
			"look":        {func(w *world) { w.look.lookErr, w.look.quickErr = lack, lack }, ExitUnsupported, "tcptrail: " + lack.What + "\n"},
			"look fails":  {func(w *world) { w.look.lookErr = errors.New("read: bad"); w.look.quickErr = w.look.lookErr }, ExitFailed, "tcptrail: read: bad\n"},
			"disk full":   {func(w *world) { w.stdout.accept, w.stdout.err = 1, syscall.ENOSPC }, ExitFailed, "tcptrail: write output: no space left on device\n"},
			"reader gone": {func(w *world) { w.stdout.accept, w.stdout.err = 1, syscall.EPIPE }, ExitDone, ""},
			"reset":       {func(w *world) { w.stdout.accept, w.stdout.err = 0, syscall.ECONNRESET }, ExitDone, ""},
			"interrupted": {func(w *world) {
				w.look.hold = make(chan struct{})
				w.stdout.block()
				w.signals <- syscall.SIGUSR1 // is nothing
				w.signals <- syscall.SIGINT
			}, ExitFailed, "tcptrail: interrupted\n"},
		} {
			w := newWorld(t)
			w.look.sockets = []tcp.Socket{socket(tcp.CloseWait, 1)}
			test.set(w)
			code := w.run(strings.Fields(args)...)
			if got := w.stderr.String(); code != test.code || got != test.stderr {
				t.Errorf("%s: %s: exit %d, want %d: %swant %s", args, name, code, test.code, got, test.stderr)
			}
			if w.look.hold != nil {
				close(w.look.hold)
			}
		}
	}
}

// An error of closing what was looked with is one, though all was seen.
func TestCloseError(t *testing.T) {
	for args, way := range looksOf {
		w := newWorld(t)
		w.look.closeErr = errors.New("close: bad")
		code := w.run(strings.Fields(args)...)
		if way != "diag" && (code != ExitFailed || w.stdout.String() != "") {
			t.Errorf("%s: exit %d, %q", args, code, w.stdout)
		}
	}
}

// What processes are called is theirs to choose.
func TestListHostileNames(t *testing.T) {
	evil := socket(tcp.Established, 1)
	evil.Comm = tcp.Comm{'\x1b', '[', '2', 'J', '\r', '\n', 0x9b, 'x', '"', ',', '\'', '=', 0xe2, 0x80, 0xae}
	evil.Holders[0].Comm = evil.Comm
	for _, args := range []string{
		"list", "list -o wide --holders", "list -o json", "list -o csv", "count --by process", "count --by process -o json",
		"count --by process,pid,cgroup,netns -o csv",
	} {
		w := newWorld(t)
		w.look.sockets = []tcp.Socket{evil}
		w.lined(args)
		checkPrintable(t, args, w.stdout.String())
	}
}

// checkPrintable checks that a terminal would show a text as it is: no control characters but line feeds.
func checkPrintable(t *testing.T, what, text string) {
	t.Helper()
	for i, r := range text {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e || r == '\ufffd' && !strings.HasPrefix(text[i:], "\ufffd") {
			t.Errorf("%s: %U at %d: %q", what, r, i, text)
			return
		}
	}
}

// In a PID namespace the pids of the flags would be others, and owners are missing.
func TestPIDNamespace(t *testing.T) {
	const note = "tcptrail: in a PID namespace: pids shown are the host's, and sockets of processes outside have no owner\n"
	const unseen = "tcptrail: in a PID namespace: network namespaces without a process in it are left out: run on the host, or give --netns self\n"
	for args, want := range map[string]struct {
		code   int
		stderr string
	}{
		"list":             {ExitDone, note + unseen},
		"count --by pid":   {ExitDone, note + unseen},
		"count":            {ExitDone, unseen},
		"count LISTEN":     {ExitDone, unseen},
		"list --netns 1":   {ExitDone, note},
		"count --netns 1":  {ExitDone, ""},
		"list -p 1":        {ExitUsage, "tcptrail: --pid: " + errNotHostPIDNS.Error() + "\n"},
		"count pid self":   {ExitUsage, fmt.Sprintf("tcptrail: filter, column 5: pid \"self\": %v\npid self\n    ^\n", errNotHostPIDNS)},
		"trace pid self":   {ExitUsage, fmt.Sprintf("tcptrail: filter, column 5: pid \"self\": %v\npid self\n    ^\n", errNotHostPIDNS)},
		"count -i 1s -p 1": {ExitUsage, "tcptrail: --pid: " + errNotHostPIDNS.Error() + "\n"},
	} {
		w := newWorld(t)
		inPIDNamespace(t, w.env.Proc.Root)
		code := w.run(strings.Fields(args)...)
		w.wants(code, want.code, want.stderr)
	}
}
