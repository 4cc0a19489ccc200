package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// What log has kept is played as it came: transitions, what was stuck, what was lost, and the sockets that there were.
func TestLog(t *testing.T) {
	for _, layout := range []string{"process", "host"} {
		dir := filepath.Join(t.TempDir(), "log")
		w := newWorld(t)
		w.look.sockets = []tcp.Socket{stuckSocket(61), socket(tcp.Listen, 1000)}
		ready := filepath.Join(t.TempDir(), "ready")
		w.start("log", "--dir", dir, "--layout", layout, "--limit", "CLOSE_WAIT=10s", "--ready-file", ready, "not", "dport", "=", ":9")
		eventually(t, "ready", func() bool { _, err := os.Stat(ready); return err == nil })
		want := newWorld(t)
		var events []tcp.Event
		for i := range int64(20) {
			e := newTape(t).event(uint64(i+1), i, tcp.Established, tcp.CloseWait)
			if e.PID = uint32(100 + i%3); i%5 == 0 {
				e.PID, e.Comm, e.Evidence = 0, tcp.Comm{}, tcp.EvidenceNone
			}
			events = append(events, e)
		}
		want.source.feed(events...)
		if code := want.run("trace", "-o", "json", "-n", "20"); code != ExitDone {
			t.Fatal(want.stderr)
		}
		w.source.feed(events[:10]...)
		w.source.feed(events[10:]...)
		w.source.count(kernel.Stats{Lost: 3})
		w.stderr.await(t, "3 events lost", 1)
		w.signals <- syscall.SIGTERM
		code := w.wait()
		if got := w.stderr.String(); code != ExitDone || !strings.Contains(got, "seen 20, recorded 20, lost 3, missed 0, filtered 0 in ") {
			t.Errorf("exit %d: %s", code, got)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.zst"))
		if n := map[string]int{"process": 5, "host": 1}[layout]; err != nil || len(files) != n {
			t.Errorf("%s: files %q", layout, files)
		}
		w = newWorld(t)
		code = w.run("replay", dir, "-o", "json")
		if w.stdout.String() != want.stdout.String() || code != ExitDone || !strings.Contains(w.stderr.String(), "3 events lost while it was recorded") {
			t.Errorf("exit %d: %s", code, w.stderr)
		}
		w = newWorld(t)
		code = w.run("replay", "leaks", dir, "-o", "json")
		if got := w.stdout.String(); code != ExitDone || strings.Count(got, `"status":"firing"`) != 1 || !strings.Contains(got, `"cause":"unread_fin"`) {
			t.Errorf("exit %d: %s%s", code, got, w.stderr)
		}
		w = newWorld(t)
		if code = w.run("replay", "count", dir, "LISTEN"); code != ExitDone || w.stdout.String() != "1\n" {
			t.Errorf("exit %d: %s%s", code, w.stdout, w.stderr)
		}
	}
}

func TestLogRefusals(t *testing.T) {
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"log --layout pid":        {ExitUsage, "use process or host"},
		"log --fsync often":       {ExitUsage, "use never, close, or a time"},
		"log --rotate-size 900M":  {ExitUsage, "less than two files"},
		"log --limit NONSENSE=1s": {ExitUsage, "NONSENSE"},
		"log nonsense":            {ExitUsage, "unknown word"},
		"log --dir " + open:       {ExitFailed, "chmod go-w"},
		"log --dir /proc/1/x":     {ExitFailed, "/proc/1/x"},
	} {
		w := newWorld(t)
		code := w.run(strings.Fields(args)...)
		if got := w.stderr.String(); code != want.code || !strings.Contains(got, want.text) || len(w.opened) != 0 {
			t.Errorf("%s: exit %d, want %d: %s, want %q", args, code, want.code, got, want.text)
		}
	}
	w := newWorld(t)
	w.openErr = &kernel.UnsupportedError{What: "no BTF"}
	if code := w.run("log", "--dir", dir); code != ExitUnsupported {
		t.Errorf("exit %d: %s", code, w.stderr)
	}
	w = newWorld(t)
	if code := w.run("log", "--dir", dir, "--duration", "10ms", "--fsync", "1s"); code != ExitDone { // nothing is left locked
		t.Errorf("exit %d: %s", code, w.stderr)
	}
}

// FILTER refuses what is not to be kept.
func TestLogFilter(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t)
	w.start("log", "--dir", dir, "--layout", "host", "age", "gt", "1h")
	eventually(t, "opened", func() bool { return w.look.count() >= 2 })
	w.source.feed(newTape(t).event(1, 1, tcp.Established, tcp.CloseWait))
	w.signals <- syscall.SIGINT
	if code := w.wait(); code != ExitDone || !strings.Contains(w.stderr.String(), "seen 1, recorded 0, lost 0, missed 0, filtered 1 in ") {
		t.Errorf("exit %d: %s", code, w.stderr)
	}
}
