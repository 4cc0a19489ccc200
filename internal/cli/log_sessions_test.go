package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/archive"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/recorder"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// The wall clock is set back between two sessions of one boot: what happened later comes later.
func TestLogClockStepBetweenSessions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	p := newTape(t)
	session := func(began time.Time, e ...tcp.Event) {
		now := func() time.Time { return began }
		store, err := archive.Open(archive.Options{Dir: dir, SegmentBytes: 1 << 20, SegmentAge: time.Hour, MaxBytes: 1 << 30, MaxFiles: 1000, Now: now, Warn: func(s string) { t.Error(s) }})
		if err != nil {
			t.Fatal(err)
		}
		r, err := recorder.New(store, recorder.Options{Session: record.SessionInfo{BootID: "one"}, Now: now, Started: func(uint32) (time.Duration, bool) { return 0, false }})
		if err != nil {
			t.Fatal(err)
		}
		for i := range e {
			r.Event(&e[i])
		}
		r.End()
		if err := errors.Join(store.Close()); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Unix(0, p.began)
	session(at, p.stepped(1, 101, 0, 0, tcp.SynSent, tcp.Established))
	session(at.Add(-time.Hour), p.stepped(1, 102, 2, -time.Hour, tcp.Established, tcp.CloseWait))
	w := newWorld(t)
	if code := w.run("replay", dir, "-o", "json"); code != ExitDone {
		t.Fatalf("exit %d: %s", code, w.stderr)
	}
	a, b := strings.Index(w.stdout.String(), `"new":"ESTABLISHED"`), strings.Index(w.stdout.String(), `"new":"CLOSE_WAIT"`)
	if a < 0 || b < a {
		t.Errorf("%d %d %s", a, b, fmt.Sprint(w.stdout))
	}
}
