package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// tape is a recording in the making.
type tape struct {
	*testing.T
	encoder *record.Encoder
	looks   *record.Looks
	began   int64 // ns since 1970
	lines   []byte
}

func newTape(t *testing.T) *tape {
	began := time.Date(2026, 11, 21, 10, 0, 0, 0, time.Local).UnixNano()
	e := record.NewEncoder(began)
	return &tape{T: t, encoder: e, looks: record.NewLooks(e), began: began}
}

func (p *tape) session(limits string) {
	line, err := p.encoder.Session(nil, p.began, &record.SessionInfo{Version: "v1", Host: "web1", Limits: limits})
	if err != nil {
		p.Fatal(err)
	}
	p.lines = append(p.lines, line...)
}

// event records a transition so many seconds after the beginning.
func (p *tape) event(cookie uint64, seconds int64, old, now tcp.State) tcp.Event {
	s := socket(now, 0)
	at := seconds * int64(time.Second)
	e := tcp.Event{
		Time: p.began + at, Mono: 1e12 + at, InOld: tcp.Unknown, SRTT: tcp.Unknown, Cookie: cookie, NetNS: s.NetNS, Family: s.Family,
		Local: s.Local, Remote: s.Remote, PID: s.PID, Comm: s.Comm, Evidence: tcp.EvidenceAccept, Old: old, New: now,
	}
	p.lines = p.encoder.Transition(p.lines, &e)
	return e
}

func (p *tape) look(seconds int64, baseline bool, limits []record.FDLimit, sockets ...tcp.Socket) *tcp.Snapshot {
	now := 1e12 + seconds*int64(time.Second)
	for i := range sockets {
		sockets[i].Seen = now
	}
	s := &tcp.Snapshot{Sockets: sockets, Time: p.began + seconds*int64(time.Second)}
	var err error
	p.lines, err = p.looks.Append(p.lines, s.Time, s, &record.Look{Now: now, Baseline: baseline, FDLimits: limits})
	if err != nil {
		p.Fatal(err)
	}
	return s
}

// file writes the recording.
func (p *tape) file() string {
	path := filepath.Join(p.TempDir(), "host.jsonl")
	if err := os.WriteFile(path, p.lines, 0o600); err != nil {
		p.Fatal(err)
	}
	return path
}

// noHost fails whoever asks the host during a replay.
func (w *world) noHost() {
	w.openErr = errors.New("a replay opened a tracer")
	w.look.openErr = errors.New("a replay looked at the host")
}

func TestReplayTrace(t *testing.T) {
	w := newWorld(t)
	var events []tcp.Event
	p := newTape(t)
	for i := range int64(10) {
		events = append(events, p.event(uint64(i), i, tcp.Established, tcp.CloseWait))
	}
	w.source.feed(events...)
	w.start("trace", "-o", "json", "-n", "10")
	if code := w.wait(); code != ExitDone {
		t.Fatalf("exit %d: %s", code, w.stderr)
	}
	live, path := w.stdout.String(), p.file()
	for _, path := range []string{path, filepath.Dir(path)} {
		w = newWorld(t)
		w.noHost()
		code := w.run("replay", path, "-o", "json")
		w.wants(code, ExitDone, "tcptrail: seen 10, delivered 10, lost 0, missed 0, filtered 0 in T\n")
		if got := w.stdout.String(); got != live {
			t.Errorf("got %swant %s", got, live)
		}
	}
	w = newWorld(t)
	w.env.Stdin = strings.NewReader(live) // what trace writes is a recording, too
	if code := w.run("replay", "trace", "-", "-o", "json"); code != ExitDone || w.stdout.String() != live {
		t.Errorf("exit %d: got %swant %s", code, w.stdout, live)
	}
	for args, want := range map[string]int{
		"--since 10:00:03": 7, "--until 10:00:03": 4, "--since 10:00:03 --until 10:00:03.5": 1, "-p 4242": 10, "-p 4294": 0, "-n 2": 2, "dport = :1": 0,
		"state close-wait": 10, "--netns 4026532077": 0,
	} {
		w = newWorld(t)
		w.env.now = func() time.Time { return time.Date(2026, 11, 21, 20, 0, 0, 0, time.Local) }
		code := w.run(append([]string{"replay", path, "-o", "json"}, strings.Fields(args)...)...)
		if got := strings.Count(w.stdout.String(), "\n"); code != ExitDone || got != want {
			t.Errorf("%s: exit %d, %d lines, want %d: %s", args, code, got, want, w.stderr)
		}
	}
	w = newWorld(t)
	began := time.Now()
	if code := w.run("replay", path, "--speed", "90", "--no-header"); code != ExitDone || time.Since(began) < 100*time.Millisecond {
		t.Errorf("9 s at 90 times their speed took %v", time.Since(began))
	}
}

// What was stuck is found by the same looks as live, with what was known of processes then, and by the limits then.
func TestReplayLeaks(t *testing.T) {
	limits := leak.DefaultLimits()
	if err := limits.Set("CLOSE_WAIT=5s:50s"); err != nil {
		t.Fatal(err)
	}
	watcher := leak.NewWatcher(leak.WatchOptions{Limits: limits})
	reporter := leak.NewReporter(watcher, leak.ReportOptions{})
	p := newTape(t)
	p.session(limits.String())
	p.look(0, true, nil, socket(tcp.Listen, 100))
	known := []record.FDLimit{{PID: 4242, Soft: 100, Used: 50}}
	var want []string
	for i := range int64(30) {
		var sockets []tcp.Socket
		e := p.event(uint64(i+1), i, tcp.Established, tcp.CloseWait)
		watcher.Observe(&e)
		for j := int64(0); j <= i && i < 25; j++ {
			s := stuckSocket(int(i - j))
			s.Cookie, s.RecvQ = uint64(j+1), uint32(j%3)
			sockets = append(sockets, s)
		}
		snapshot := p.look(i, false, known, sockets...)
		for _, f := range reporter.Report(1e12+i*int64(time.Second), snapshot, factsOf(known)) {
			if f.News {
				want = append(want, f.ID+" "+f.Status.String()+" "+f.Key.Cause.String())
			}
		}
	}
	path := p.file()
	w := newWorld(t)
	w.noHost()
	code := w.run("replay", "leaks", path, "-o", "json")
	w.wants(code, ExitDone, "")
	var got []string
	for line := range strings.Lines(w.stdout.String()) {
		var f struct{ ID, Status, Cause string }
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		got = append(got, f.ID+" "+f.Status+" "+f.Cause)
	}
	if len(want) < 6 || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for args, want := range map[string]int{"": ExitDone, "--until 10:00:20": ExitFound, "--limit CLOSE_WAIT=30s": ExitDone} {
		w = newWorld(t)
		w.env.now = func() time.Time { return time.Date(2026, 11, 21, 20, 0, 0, 0, time.Local) }
		code := w.run(append([]string{"replay", "leaks", path, "--once"}, strings.Fields(args)...)...)
		w.wants(code, want, "")
		if want == ExitFound && !strings.Contains(w.stdout.String(), "50 in use") {
			t.Errorf("what was known of the process is not used: %s", w.stdout)
		}
	}
}

func TestReplayCountAndList(t *testing.T) {
	p := newTape(t)
	p.session("")
	kept, closed := socket(tcp.Listen, 100), socket(tcp.Established, 50)
	kept.Cookie, closed.Cookie = 1, 2
	p.look(0, true, nil, kept, closed)
	p.event(2, 1, tcp.Established, tcp.CloseWait)
	p.event(3, 2, tcp.Close, tcp.SynSent)
	p.event(2, 3, tcp.CloseWait, tcp.LastAck)
	path := p.file()
	for args, want := range map[string]string{
		"count LISTEN": "1\n", "count LAST_ACK": "1\n", "count ESTABLISHED": "0\n", "count CLOSE_WAIT --until 10:00:02": "1\n",
		"count SYN_SENT age gt 500ms": "1\n", "count all": "3\n", "count state syn-sent or state listen -o json --by state": `"state":"LISTEN"`,
		"list --no-header state last-ack": "LAST_ACK",
	} {
		w := newWorld(t)
		w.noHost()
		w.env.now = func() time.Time { return time.Date(2026, 11, 21, 20, 0, 0, 0, time.Local) }
		fields := strings.Fields(args)
		code := w.run(append([]string{"replay", fields[0], path}, fields[1:]...)...)
		w.wants(code, ExitDone, "")
		if got := w.stdout.String(); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
	w := newWorld(t)
	p = newTape(t)
	p.event(3, 2, tcp.Close, tcp.SynSent)
	code := w.run("replay", "count", p.file(), "SYN_SENT")
	w.wants(code, ExitDone, "tcptrail: the recording has no beginning: sockets without a transition in it are missing\n")
}

func TestReplayRefusals(t *testing.T) {
	p := newTape(t)
	p.event(1, 0, tcp.Close, tcp.SynSent)
	path := p.file()
	notes := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(notes, []byte("buy milk\n\x1b[2J\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"replay":                               {ExitUsage, "which recording?"},
		"replay leaks":                         {ExitUsage, "which recording?"},
		"replay leaks --stacks " + path:        {ExitUsage, "--stacks is about what happens now"},
		"replay count -i 1s " + path:           {ExitUsage, "--interval is about what happens now"},
		"replay --since soon " + path:          {ExitUsage, "give a time"},
		"replay --since 1h --until 2h " + path: {ExitUsage, "nothing is left"},
		"replay --speed 0 " + path:             {ExitUsage, "a number above 0"},
		"replay --netns self " + path:          {ExitUsage, "give the number"},
		"replay " + path + " nonsense":         {ExitUsage, "unknown word"},
		"replay leaks " + path:                 {ExitFailed, "record with tcptrail log"},
		"replay " + notes:                      {ExitFailed, "not a recording: " + notes},
		"replay " + notes + ".not":             {ExitFailed, "no such file"},
		"replay " + t.TempDir():                {ExitFailed, "no recording"},
	} {
		w := newWorld(t)
		w.noHost()
		code := w.run(strings.Fields(args)...)
		if got := w.stderr.String(); code != want.code || !strings.Contains(got, want.text) || strings.Contains(got, "\x1b") {
			t.Errorf("%s: exit %d, want %d: %s, want %q", args, code, want.code, got, want.text)
		}
	}
}

// What is missing or damaged is said, and what is there is played.
func TestReplaySaysWhatIsMissing(t *testing.T) {
	p := newTape(t)
	p.session("")
	p.event(1, 1, tcp.Close, tcp.SynSent)
	p.lines = append(p.encoder.Loss(p.lines, p.began+2e9, 17), "garbage\n"...)
	p.event(1, 3, tcp.SynSent, tcp.Established)
	p.lines = append(p.lines, `{"time":"20`...)
	path := p.file()
	w := newWorld(t)
	code := w.run("replay", path, "--no-header")
	w.wants(code, ExitDone, "tcptrail: seen 2, delivered 2, lost 0, missed 0, filtered 0 in T\n"+
		"tcptrail: 1 line could not be read, the first in "+path+": no JSON object on a line\n"+
		"tcptrail: 1 last line torn off\n"+"tcptrail: 17 events lost while it was recorded\n")
}
