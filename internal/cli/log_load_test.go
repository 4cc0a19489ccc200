package cli

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// mountSmall mounts a file system in memory of a size of its own on a new directory.
func mountSmall(t *testing.T, flags uintptr, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV|flags, "size="+size+",mode=750"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A directory that cannot be written to is refused before anything is loaded.
func TestPrivilegedLogReadOnly(t *testing.T) {
	dir := mountSmall(t, syscall.MS_RDONLY, "1m")
	for _, path := range []string{dir, filepath.Join(dir, "log")} {
		w := newWorld(t)
		code := w.run("log", "--dir", path)
		if got := w.stderr.String(); code != ExitFailed || !strings.Contains(got, "read-only file system") || !strings.Contains(got, path) || len(w.opened) != 0 {
			t.Errorf("%s: exit %d: %s", path, code, got)
		}
	}
}

// On a full disk lines are lost and counted, which is told once each time; when there is room, it goes on. What is there is
// whole, and nobody else's to read.
func TestPrivilegedLogFullDisk(t *testing.T) {
	dir := mountSmall(t, 0, "1m")
	hog := filepath.Join(dir, "hog")
	if err := os.WriteFile(hog, make([]byte, 800<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	l := startLog(t, dir, append(s.netns(), "--rotate-size", "64k")...)
	s.burst(2, 500) // some megabytes of lines, of which what is compressed may come to fit again
	l.stderr.await(t, "no space left", 1)
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it goes on", func() bool {
		s.burst(1, 1)
		return strings.Contains(l.stderr.String(), "lines can be written again")
	})
	s.burst(2, 10)
	l.stop()
	var seen, recorded, lost, missed, filtered, unwritten int
	text := l.stderr.String()
	at := strings.LastIndex(text, "tcptrail: seen ")
	if n, _ := fmt.Sscanf(text[max(at, 0):], "tcptrail: seen %d, recorded %d, lost %d, missed %d, filtered %d, not written %d",
		&seen, &recorded, &lost, &missed, &filtered, &unwritten); n != 6 || unwritten == 0 || seen != recorded+lost+filtered {
		t.Fatalf("no account, or one that is wrong: %s", text)
	}
	warnings, over := strings.Count(text, "lines are lost until"), strings.Count(text, "lines can be written again")
	if warnings != over { // room may come and go, as files are compressed
		t.Errorf("%d warnings, %d times the end of them: %s", warnings, over, text)
	}
	out, stderr := replayed(t, dir, "-o", "json")
	if lines := strings.Count(out, "\n"); lines > recorded || recorded-lines > unwritten {
		t.Errorf("%d lines are there, of %d, of which %d at most are not written", lines, recorded, unwritten)
	}
	if strings.Contains(stderr, "no lines") || strings.Contains(stderr, "torn") {
		t.Errorf("not whole: %s", stderr)
	}
	filesAre(t, dir, 0o640)
}

// filesAre compares the modes of all files of a directory.
func filesAre(t *testing.T, dir string, want fs.FileMode) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", entry.Name(), info.Mode(), err, want)
		}
	}
}

// A link in the place of a file that log would write to is not followed, and the rest is recorded.
func TestPrivilegedLogTrap(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "shadow")
	if err := os.WriteFile(outside, []byte("root\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "unowned.jsonl")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "host.jsonl")); err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	l := startLog(t, dir, s.netns()...)
	s.talk()
	l.stop()
	if text, err := os.ReadFile(outside); err != nil || string(text) != "root\n" {
		t.Errorf("written through a link: %q, %v", text, err)
	}
	if !strings.Contains(l.stderr.String(), "host.jsonl") || !strings.Contains(l.stderr.String(), "not written") {
		t.Errorf("nothing is said: %s", l.stderr)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl.zst"))
	if err != nil || len(files) == 0 {
		t.Errorf("%q, %v", files, err)
	}
}

// stepped is a transition of a socket whose wall clock is wrong by so much.
func (p *tape) stepped(cookie uint64, pid uint32, seconds int64, step time.Duration, old, now tcp.State) tcp.Event {
	e := p.event(cookie, seconds, old, now)
	e.Time += int64(step)
	if e.PID = pid; old == tcp.Established {
		e.InOld = 2 * time.Second
	}
	return e
}

// When the wall clock is set back, and then forth, while it records, lines stay in their order, of all processes together,
// and intervals are those of the clock that goes on.
func TestLogClockSteps(t *testing.T) {
	for _, layout := range []string{"process", "host"} {
		dir := filepath.Join(t.TempDir(), "log")
		w := newWorld(t)
		ready := filepath.Join(t.TempDir(), "ready")
		w.start("log", "--dir", dir, "--layout", layout, "--ready-file", ready)
		eventually(t, "ready", func() bool { _, err := os.Stat(ready); return err == nil })
		p := newTape(t)
		w.source.feed(
			p.stepped(1, 101, 0, 0, tcp.SynSent, tcp.Established),
			p.stepped(2, 102, 1, -time.Hour, tcp.SynSent, tcp.Established),
			p.stepped(1, 101, 2, -time.Hour, tcp.Established, tcp.CloseWait),
			p.stepped(2, 102, 3, 24*time.Hour, tcp.Established, tcp.CloseWait),
			p.stepped(1, 101, 4, 0, tcp.CloseWait, tcp.LastAck),
		)
		w.signals <- syscall.SIGTERM
		if code := w.wait(); code != ExitDone {
			t.Fatalf("exit %d: %s", code, w.stderr)
		}
		w = newWorld(t)
		if code := w.run("replay", dir, "-o", "json"); code != ExitDone {
			t.Fatalf("exit %d: %s", code, w.stderr)
		}
		var got []string
		for line := range strings.Lines(w.stdout.String()) {
			var r row
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			ms := -1.0
			if r.MS != nil {
				ms = *r.MS
			}
			got = append(got, fmt.Sprint(r.Cookie, " ", r.New, " ", ms))
		}
		want := "[1 ESTABLISHED -1 2 ESTABLISHED -1 1 CLOSE_WAIT 2000 2 CLOSE_WAIT 2000 1 LAST_ACK -1]"
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", layout, got, want)
		}
	}
}
