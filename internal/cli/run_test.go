package cli

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/family"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// fakeFamily is a command that ends at once.
type fakeFamily struct {
	exit int
	err  error
}

func (f fakeFamily) PID() int           { return 1 }
func (f fakeFamily) Release() error     { return nil }
func (f fakeFamily) Wait() (int, error) { return f.exit, f.err }

// runs lets the world start a command that ends with an exit code, and returns what was asked for.
func (w *world) runs(exit int, startErr error) *family.Command {
	var asked family.Command
	w.env.Start = func(c *family.Command) (Family, error) {
		if len(w.kept) > 0 {
			w.Error("the command has lost the privileges that we gave up")
		}
		asked = *c
		return fakeFamily{exit: exit}, startErr
	}
	return &asked
}

// left is an event about a socket in a state that nobody closed for so long.
func left(state tcp.State, lasted time.Duration) tcp.Event {
	e := event(state, tcp.LastAck)
	e.Left, e.RecvQ, e.InOld, e.Evidence, e.PID = true, 1, lasted, tcp.EvidenceClose, 999
	if state == tcp.Close {
		e.New = tcp.Close
	}
	return e
}

// at returns the event so many ns later.
func at(e tcp.Event, ns int64) tcp.Event { e.Mono += ns; return e }

func TestRunRefusals(t *testing.T) {
	for args, want := range map[string]string{
		"run":                                "needs a command",
		"run --":                             "needs a command",
		"run -o csv true":                    "use json",
		"run --fail-on ESTABLISHED true":     "is no leak of a process that ends",
		"run --fail-on nonsense true":        "nonsense",
		"run --user nobody-of-that-name tru": "nobody-of-that-name",
		"run --min-age x true":               "use a number",
		"run --report /no/such/dir/x true":   "no such file",
	} {
		w := newWorld(t)
		w.runs(0, nil)
		code := w.run(strings.Fields(args)...)
		if code != ExitUsage || !strings.Contains(w.stderr.String(), want) || len(w.opened) > 0 {
			t.Errorf("%s: exit %d: %s, want %q", args, code, w.stderr, want)
		}
	}
}

func TestRunExitCodes(t *testing.T) {
	late := left(tcp.CloseWait, time.Minute)
	late.Left, late.Overdue = false, true
	for _, tt := range []struct {
		name   string
		args   string
		events []tcp.Event
		exit   int
		want   int
		stderr string
	}{
		{"clean", "run true", nil, 0, 0, "tcptrail: no socket was left open in CLOSE_WAIT, FIN_WAIT2 or ZOMBIE\n"},
		{"fails by itself", "run -- false -x --fail-on", nil, 3, 3, "tcptrail: no socket was left open in CLOSE_WAIT, FIN_WAIT2 or ZOMBIE\n"},
		{"leaks", "run true", []tcp.Event{left(tcp.CloseWait, time.Second)}, 0, 4, "LEFT      web[999] left 1 socket in CLOSE_WAIT, oldest 1.00s: "},
		{"leaks and fails", "run true", []tcp.Event{left(tcp.FinWait2, time.Second)}, 3, 4, "the command itself ended with exit code 3\n"},
		{"zombie", "run true", []tcp.Event{left(tcp.Close, time.Second)}, 0, 4, "web[999] left 1 zombie"},
		{"late", "run true", []tcp.Event{late}, 0, 4, "OVERDUE   web[999] closed late 1 socket in CLOSE_WAIT"},
		{"too young", "run true", []tcp.Event{left(tcp.CloseWait, 99*time.Millisecond)}, 0, 0, "no socket was left"},
		{"young enough", "run --min-age 0 true", []tcp.Event{left(tcp.CloseWait, time.Microsecond)}, 0, 4, "left 1 socket"},
		{"of unknown age", "run true", []tcp.Event{left(tcp.CloseWait, tcp.Unknown)}, 0, 4, "left 1 socket in CLOSE_WAIT: "},
		{"other end closed at the end", "run --min-age 0 true", []tcp.Event{left(tcp.Established, time.Hour), at(left(tcp.CloseWait, 5), 5), at(left(tcp.CloseWait, 8), 7)}, 0, 4, "leaked 1 socket;"},
		{"another state", "run --fail-on zombie true", []tcp.Event{left(tcp.CloseWait, time.Hour)}, 0, 0, "no socket was left open in ZOMBIE\n"},
		{"established", "run true", []tcp.Event{left(tcp.Established, time.Hour)}, 0, 0, "no socket was left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			asked := w.runs(tt.exit, nil)
			if tt.events != nil {
				w.source.feed(tt.events...)
			}
			code := w.run(strings.Fields(tt.args)...)
			if code != tt.want || !strings.Contains(w.stderr.String(), tt.stderr) {
				t.Errorf("exit %d, want %d; stderr: %s, want %q", code, tt.want, w.stderr, tt.stderr)
			}
			if w.stdout.String() != "" {
				t.Errorf("stdout is the command's: %q", w.stdout)
			}
			if o := w.opened[0]; !o.LeftOnly || !o.Stacks || o.Family != uint32(os.Getpid()) || o.Overdue != defaultMaxAge {
				t.Errorf("opened with %+v", o)
			}
			if tt.name == "fails by itself" && strings.Join(asked.Args, " ") != "false -x --fail-on" {
				t.Errorf("the command was %q", asked.Args)
			}
		})
	}
}

// What a living descendant holds is a leak, too; what others hold is not.
func TestRunFindsWhatTheLivingHold(t *testing.T) {
	for _, mine := range []bool{true, false} {
		w := newWorld(t)
		w.runs(0, nil)
		w.look.sockets = []tcp.Socket{stuckSocket(7)}
		parent := "1"
		if mine {
			parent = "4243"
		}
		stat := func(pid, content string) {
			if err := os.WriteFile(w.env.Proc.Root+"/"+pid+"/stat", []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		stat("4242", "4242 (web) S "+parent+" 1 1")
		stat("4243", "4243 (shell) S "+strconv.Itoa(os.Getpid())+" 1 1")
		code := w.run("run", "-o", "json", "true")
		if !mine {
			w.wants(code, ExitDone, "tcptrail: no socket was left open in CLOSE_WAIT, FIN_WAIT2 or ZOMBIE\n")
			continue
		}
		line, _, _ := strings.Cut(w.stderr.String(), "\n")
		var f found
		if err := json.Unmarshal([]byte(line), &f); err != nil || code != ExitFound || f.Status != "firing" || f.PID != 4242 {
			t.Errorf("exit %d, %v: %s", code, err, w.stderr)
		}
	}
}

func TestRunErrors(t *testing.T) {
	w := newWorld(t)
	w.runs(0, &family.StartError{Exit: family.ExitNotFound, Cause: errors.New("no \x1b such")})
	w.wants(w.run("run", "nonesuch"), family.ExitNotFound, "tcptrail: run no ? such\n")

	w = newWorld(t)
	w.openErr = &kernel.UnsupportedError{What: "too old"}
	w.env.Start = func(*family.Command) (Family, error) { t.Error("started unwatched"); return nil, nil }
	w.wants(w.run("run", "true"), ExitUnsupported, "tcptrail: too old\n")

	w = newWorld(t)
	w.runs(0, nil)
	w.source.count(kernel.Stats{Lost: 3})
	w.wants(w.run("run", "true"), ExitDone,
		"tcptrail: 3 events lost: more may have leaked\ntcptrail: no socket was left open in CLOSE_WAIT, FIN_WAIT2 or ZOMBIE\n")
}

func TestRunReportToFile(t *testing.T) {
	w := newWorld(t)
	w.runs(0, nil)
	w.source.feed(left(tcp.CloseWait, time.Second))
	path := t.TempDir() + "/report"
	code := w.run("run", "-o", "json", "--report", path, "true")
	w.wants(code, ExitFound, "tcptrail: leaked 1 socket; the command itself ended with exit code 0\n")
	report, err := os.ReadFile(path)
	if findings := parseFindings(t, string(report)); err != nil || len(findings) != 1 || findings[0].Status != "left" {
		t.Errorf("%v: %s", err, report)
	}
}

func TestLeftoversAreBounded(t *testing.T) {
	w := newWorld(t)
	w.runs(0, nil)
	l := leftovers{}
	l.limits.Warn(leftConditions[0], 1)
	e := left(tcp.CloseWait, time.Second)
	for range maxLeftovers + 2 {
		l.observe(&e)
	}
	if len(l.left) != maxLeftovers || l.more != 2 {
		t.Errorf("%d are kept, %d counted", len(l.left), l.more)
	}
}
