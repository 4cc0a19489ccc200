package cli

import (
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// stuckSocket is in CLOSE_WAIT for that many seconds, its end unread, and held by process 4242.
func stuckSocket(seconds int) tcp.Socket {
	s := socket(tcp.CloseWait, seconds)
	s.RecvQ = 1
	s.Holders = []tcp.Holder{{PID: s.PID, FD: uint32(seconds), Comm: s.Comm}}
	return s
}

func TestLeaksRefusals(t *testing.T) {
	for args, want := range map[string]string{
		"leaks -o csv":                                           "a finding has lists",
		"leaks --once --duration 1s":                             "--once ends at once",
		"leaks --once --repeat 1s":                               "--once ends at once",
		"leaks --limit LISTEN=1s":                                "leave it out",
		"leaks --limit CLOSE_WAIT":                               "use STATE=DURATION",
		"leaks --limit close-wait=off,fin-wait-2=off,zombie=off": "every limit is off",
		"leaks nonsense":                                         "unknown word",
	} {
		w := newWorld(t)
		code := w.run(strings.Fields(args)...)
		if code != ExitUsage || !strings.Contains(w.stderr.String(), want) {
			t.Errorf("%s: exit %d: %s, want %q", args, code, w.stderr, want)
		}
	}
}

func TestLeaksOnce(t *testing.T) {
	w := newWorld(t)
	w.look.sockets = []tcp.Socket{stuckSocket(59), socket(tcp.Established, 1000)}
	code := w.run("leaks", "--once")
	w.wants(code, ExitDone, "")
	if got := w.stdout.String(); !strings.Contains(got, "nothing found: no socket has been for longer in") {
		t.Errorf("nothing is stuck: %s", got)
	}
	if got, want := w.look.options[0].States, tcp.SetOf(tcp.CloseWait, tcp.FinWait2, tcp.Close, tcp.Listen); got != want {
		t.Errorf("looked at %v, want %v", got, want)
	}

	w = newWorld(t)
	w.look.sockets = []tcp.Socket{stuckSocket(61), stuckSocket(400)}
	code = w.run("leaks", "--once", "-o", "json")
	w.wants(code, ExitFound, "")
	var finding struct {
		Event, Status, Level, State, Cause, Comm string
		PID, Count                               int
	}
	if err := json.Unmarshal([]byte(w.stdout.String()), &finding); err != nil {
		t.Fatalf("%v: %s", err, w.stdout)
	}
	if finding.Event != "finding" || finding.Status != "firing" || finding.Level != "critical" || finding.PID != 4242 ||
		finding.State != "CLOSE_WAIT" || finding.Cause != "unread_fin" || finding.Count != 2 {
		t.Errorf("got %+v", finding)
	}

	w = newWorld(t)
	w.look.sockets = []tcp.Socket{stuckSocket(61)}
	code = w.run("leaks", "--once", "not", "dport", "=", ":443")
	w.wants(code, ExitDone, "")
}

func TestLeaksErrors(t *testing.T) {
	w := newWorld(t)
	w.look.openErr = &kernel.UnsupportedError{What: "too old"}
	code := w.run("leaks", "--once")
	w.wants(code, ExitUnsupported, "tcptrail: too old\n")
	w = newWorld(t)
	w.look.lookErr = errors.New("torn")
	code = w.run("leaks", "--once")
	w.wants(code, ExitFailed, "tcptrail: torn\n")
	w = newWorld(t)
	w.openErr = &kernel.UnsupportedError{What: "too old"}
	code = w.run("leaks")
	w.wants(code, ExitUnsupported, "tcptrail: too old\n")
}

// On a pipe a line when it begins and one when it is over; the kernel is asked for the events of the limits' states.
func TestLeaksLive(t *testing.T) {
	w := newWorld(t)
	w.look.sockets = []tcp.Socket{stuckSocket(61)}
	w.look.then = func(n int) {
		if n == 2 {
			w.look.mu.Lock()
			w.look.sockets = nil
			w.look.mu.Unlock()
		}
		if n == 3 {
			w.signals <- syscall.SIGINT
		}
	}
	w.source.count(kernel.Stats{Seen: 9, Lost: 2, Filtered: 3, Missed: 1})
	code := w.run("leaks", "-o", "json", "--limit", "CLOSE_WAIT=1s")
	w.wants(code, ExitDone, "tcptrail: 2 events lost: all sockets are looked at again\n"+
		"tcptrail: seen 9, watched 4, lost 2, missed 1, told 2 in T\n")
	var statuses []string
	for line := range strings.Lines(w.stdout.String()) {
		var finding struct{ Status string }
		if err := json.Unmarshal([]byte(line), &finding); err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, finding.Status)
	}
	if got := strings.Join(statuses, " "); got != "firing resolved" {
		t.Errorf("got %s", got)
	}
	if got, want := w.opened[0].Filter.States, tcp.SetOf(tcp.CloseWait, tcp.FinWait2); got != want || !w.opened[0].Filter.Zombies {
		t.Errorf("asked for events of %v, want %v", got, want)
	}
}

func TestLeaksOnTerminal(t *testing.T) {
	w := newWorld(t)
	w.width = 100
	w.look.sockets = []tcp.Socket{stuckSocket(61)}
	w.look.then = func(int) { w.signals <- syscall.SIGINT }
	code := w.run("leaks")
	w.wants(code, ExitDone, "tcptrail: seen 0, watched 0, lost 0, missed 0, told 1 in T\n")
	if got := w.stdout.String(); !strings.HasPrefix(got, "\x1b[H") || !strings.Contains(got, "1 finding about 1 stuck socket") {
		t.Errorf("not drawn in place: %q", got)
	}
}

// A mute counts as long as it says, and takes any filter.
func TestLeaksMute(t *testing.T) {
	for rule, found := range map[string]bool{
		"comm web":            false,
		"1h: comm web":        false,
		"1h:dport = :443":     false,
		"comm other":          true,
		"1ns: comm web":       true,
		"24h: not pid = 4242": true,
	} {
		w := newWorld(t)
		w.look.sockets = []tcp.Socket{stuckSocket(61)}
		want := ExitDone
		if found {
			want = ExitFound
		}
		w.wants(w.run("leaks", "--once", "--mute", "comm another", "--mute", rule), want, "")
	}
	for rule, why := range map[string]string{"": "which sockets?", "1h:": "which sockets?", "-1h: comm x": "above 0", "nonsense": "unknown word"} {
		w := newWorld(t)
		if code := w.run("leaks", "--mute", rule); code != ExitUsage || !strings.Contains(w.stderr.String(), why) {
			t.Errorf("%q: exit %d: %s, want %q", rule, code, w.stderr, why)
		}
	}
}
