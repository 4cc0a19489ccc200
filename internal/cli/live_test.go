package cli

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// dial is a clock that a test sets.
type dial struct {
	mu  sync.Mutex
	now time.Time
}

func newDial() *dial { return &dial{now: time.Unix(1_700_000_000, 0)} }

func (d *dial) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *dial) advance(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

// both are the two ways to count live.
var both = []string{"count -i 10ms", "count -i 10ms dport = 443"}

func TestLiveEnds(t *testing.T) {
	for _, args := range both {
		for name, end := range map[string]func(*world){
			"SIGINT":  func(w *world) { w.signals <- syscall.SIGINT },
			"SIGTERM": func(w *world) { w.signals <- syscall.SIGUSR1; w.signals <- syscall.SIGTERM },
			"gone":    func(w *world) { close(w.gone) },
		} {
			w := newWorld(t)
			w.start(strings.Fields(args + " -o json")...)
			w.stdout.await(t, "\n", 3)
			end(w)
			code := w.wait()
			w.wants(code, ExitDone, "")
			if !w.source.closed.Load() || w.look.closed != 1 {
				t.Errorf("%s: %s: source closed %v, look %d times", args, name, w.source.closed.Load(), w.look.closed)
			}
		}
		w := newWorld(t)
		lines := w.lined(args + " -o json --duration 1ms")
		if len(lines) != 1 || !strings.Contains(lines[0], `"interval_ms":null,`) {
			t.Errorf("%s: %q, want the first sample", args, lines)
		}
	}
}

// What is opened, and with which privileges; gauges need no record of a transition, parts of the host do.
func TestLivePlan(t *testing.T) {
	for args, test := range map[string]struct {
		way     string
		options kernel.Options
	}{
		"":                                {"counter", kernel.Options{Gauges: true, Silent: true}},
		"--matrix":                        {"counter", kernel.Options{Gauges: true, Silent: true}},
		"dport = 443":                     {"snapshots", kernel.Options{}},
		"--netns 4242 --state close-wait": {"snapshots", kernel.Options{}},
		"--state listen":                  {"snapshots", kernel.Options{}},
	} {
		w := newWorld(t)
		w.lined("count -i 1h --duration 1ms " + args)
		if len(w.look.ways) != 1 || w.look.ways[0] != test.way || len(w.opened) != 1 {
			t.Errorf("%s: looked by %v, traced %d times", args, w.look.ways, len(w.opened))
			continue
		}
		if o := w.opened[0]; o.Gauges != test.options.Gauges || o.Silent != test.options.Silent {
			t.Errorf("%s: traced with %+v", args, o)
		}
		if len(w.kept) != 1 || w.kept[0] != privilege.Trace|privilege.Namespaces {
			t.Errorf("%s: kept %v", args, w.kept)
		}
		if gauges := test.way == "counter"; gauges != (w.look.watched == 1) {
			t.Errorf("%s: watched %d times", args, w.look.watched)
		}
	}
	w := newWorld(t)
	w.lined("count -i 1h --duration 1ms dport = :443 comm web state close-wait")
	if o := w.opened[0].Filter; o.RemotePorts == nil || o.States != tcp.SetOf(tcp.CloseWait) {
		t.Errorf("pushed %+v", o)
	}
	if o := w.look.options[0]; o.States != tcp.SetOf(tcp.CloseWait) {
		t.Errorf("looked for %+v", o)
	}
}

func TestLiveErrors(t *testing.T) {
	bad := errors.New("bad")
	for _, args := range both {
		for name, test := range map[string]struct {
			set    func(*world)
			code   int
			stderr string
		}{
			"keep":        {func(w *world) { w.keepErr = bad }, ExitFailed, "tcptrail: drop privileges: bad\n"},
			"trace":       {func(w *world) { w.openErr = &kernel.UnsupportedError{What: "no BTF"} }, ExitUnsupported, "tcptrail: no BTF\n"},
			"open":        {func(w *world) { w.look.openErr = &kernel.UnsupportedError{What: "no"} }, ExitUnsupported, "tcptrail: no\n"},
			"look":        {func(w *world) { w.look.lookErr = bad }, ExitFailed, "tcptrail: count sockets: bad\n"},
			"stats":       {func(w *world) { w.source.statsErr = bad }, ExitFailed, "tcptrail: bad\n"},
			"stop":        {func(w *world) { w.source.stopErr = bad; w.signals <- syscall.SIGINT }, ExitFailed, "tcptrail: bad\n"},
			"disk full":   {func(w *world) { w.stdout.accept, w.stdout.err = 1, syscall.ENOSPC }, ExitFailed, "tcptrail: write output: no space left on device\n"},
			"reader gone": {func(w *world) { w.stdout.accept, w.stdout.err = 1, syscall.EPIPE }, ExitDone, ""},
		} {
			w := newWorld(t)
			test.set(w)
			code := w.run(strings.Fields(args)...)
			if got := w.stderr.String(); code != test.code || got != test.stderr {
				t.Errorf("%s: %s: exit %d, want %d: %swant %s", args, name, code, test.code, got, test.stderr)
			}
			if opened := w.openErr == nil && w.keepErr == nil; opened != w.source.closed.Load() {
				t.Errorf("%s: %s: source closed %v", args, name, w.source.closed.Load())
			}
		}
	}
	w := newWorld(t) // of reading and of the walk over older sockets, which gauges do not do
	w.source.failures <- bad
	if code := w.run(strings.Fields(both[1])...); code != ExitFailed || w.stderr.String() != "tcptrail: bad\n" {
		t.Errorf("read: exit %d: %s", code, w.stderr)
	}
	w = newWorld(t)
	w.source.adoptErr = bad
	if code := w.run(strings.Fields(both[1])...); code != ExitFailed || w.stderr.String() != "tcptrail: bad\n" || !w.source.closed.Load() {
		t.Errorf("adopt: exit %d: %s", code, w.stderr)
	}
}

// An output that takes nothing more does not keep a signal from being heard.
func TestLiveStuckOutput(t *testing.T) {
	for _, args := range both {
		w := newWorld(t)
		w.env.drain = soon
		w.stdout.block()
		w.start(strings.Fields(args)...)
		<-w.stdout.entered
		w.signals <- syscall.SIGINT
		code := w.wait()
		w.wants(code, ExitDone, "tcptrail: output takes too long: what was left is not delivered\n")
		if w.source.closed.Load() {
			t.Errorf("%s: closed while in use", args)
		}

		w = newWorld(t)
		w.env.drain = time.Hour
		w.stdout.block()
		w.start(strings.Fields(args)...)
		<-w.stdout.entered
		w.signals <- syscall.SIGINT
		w.signals <- syscall.SIGTERM
		code = w.wait()
		w.wants(code, ExitDone, "tcptrail: interrupted again: what was left is not delivered\n")
	}
}

// A terminal is drawn over, whatever else gets one table below the other.
func TestLiveRedraw(t *testing.T) {
	for _, test := range []struct {
		name          string
		args          string
		width, height int
		term          string
		want          bool
	}{
		{"terminal", "", 100, 30, "xterm", true},
		{"low terminal", "", 100, 5, "xterm", true},
		{"pipe", "", 0, 0, "xterm", false},
		{"dumb", "", 100, 30, "dumb", false},
		{"json", "-o json", 100, 30, "xterm", false},
		{"csv", "-o csv", 100, 30, "xterm", false},
		{"color to a pipe", "--color always", 0, 0, "xterm", false},
	} {
		for _, command := range both {
			w := newWorld(t)
			w.width, w.height, w.environ["TERM"] = test.width, test.height, test.term
			w.start(strings.Fields(command + " " + test.args)...)
			text := w.stdout.await(t, "\n", 40)
			w.signals <- syscall.SIGINT
			w.wait()
			if got := strings.Contains(text, "\x1b[H"); got != test.want {
				t.Errorf("%s: %s: redrawn %v, want %v: %q", command, test.name, got, test.want, text)
			}
			for screen := range strings.SplitSeq(text, "\x1b[H") {
				if n := strings.Count(screen, "\n"); test.want && n >= test.height {
					t.Errorf("%s: %s: %d lines on a terminal of %d", command, test.name, n, test.height)
				}
			}
		}
	}
}

func TestLiveMatrix(t *testing.T) {
	for args, want := range map[string]bool{"": false, "--matrix": true} {
		w := newWorld(t)
		w.source.change(func(s *kernel.Stats) { s.Transitions[tcp.SynSent][tcp.Established] = 1 })
		w.lined("count -i 1h --duration 1ms " + args)
		if got := strings.Contains(w.stdout.String(), "FROM \\ TO"); got != want {
			t.Errorf("%q: matrix %v, want %v: %s", args, got, want, w.stdout)
		}
	}
}

// liveRow is a line of JSON.
type liveRow struct {
	Time        time.Time
	IntervalMS  *float64 `json:"interval_ms"`
	Listen      int      `json:"LISTEN"`
	Established int      `json:"ESTABLISHED"`
	CloseWait   int      `json:"CLOSE_WAIT"`
	TimeWait    int      `json:"TIME_WAIT"`
	Zombie      int      `json:"ZOMBIE"`
	Total       int
	Transitions map[string]int
	Drift       int
	Missed      int
	Lost        int
	Reconciled  bool
}

func parseLive(t *testing.T, text string) (rows []liveRow) {
	t.Helper()
	for line := range strings.Lines(text) {
		var row liveRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		rows = append(rows, row)
	}
	return rows
}
