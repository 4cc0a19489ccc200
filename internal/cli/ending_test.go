package cli

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
)

// What an output took before it failed is delivered, to the row, and the rest is not.
func TestOutputErrors(t *testing.T) {
	const header = len("x") // any part of the first line
	row := len("2023-11-14T22:13:20.000000000Z,transition,7,4026532001,,0,inet,10.0.0.1,40000,10.0.0.2,443,SYN_SENT," +
		"ESTABLISHED,1.000000,4242,web,connect,0,,,,,,,,false,false\n")
	for _, test := range []struct {
		name   string
		accept int
		err    error
		code   int
		stderr string
	}{
		{"reader is gone", 0, syscall.EPIPE, ExitDone, "delivered 0, lost 0, missed 0, filtered 0, not delivered 5 in T\n"},
		{"reader goes", row + 1, syscall.EPIPE, ExitDone, "delivered 1, lost 0, missed 0, filtered 0, not delivered 4 in T\n"},
		{"socket is gone", 0, syscall.ECONNRESET, ExitDone, "delivered 0, lost 0, missed 0, filtered 0, not delivered 5 in T\n"},
		{
			"disk is full", 2*row + header, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, ExitFailed,
			"delivered 2, lost 0, missed 0, filtered 0, not delivered 3 in T\n" +
				"tcptrail: write output: write /dev/stdout: no space left on device\n",
		},
		{"nothing said", 0, nil, ExitFailed, "not delivered 5 in T\ntcptrail: write output: short write\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.stdout.accept, w.stdout.err = test.accept, test.err
			w.source.feed(events(5)...)
			w.startCSV()
			code := w.wait()
			got := elapsed.ReplaceAllString(w.stderr.String(), "in T\n")
			if code != test.code || !strings.HasPrefix(got, "tcptrail: seen 5, ") || !strings.HasSuffix(got, test.stderr) {
				t.Errorf("exit %d, want %d\n%swant …%s", code, test.code, got, test.stderr)
			}
			if !w.source.closed.Load() {
				t.Errorf("source is not closed")
			}
		})
	}
}

// An output that takes nothing more holds the end up for the drain limit and no longer; nothing is closed under the
// goroutine that still writes.
func TestStuckOutput(t *testing.T) {
	w := newWorld(t)
	w.env.drain = soon
	w.stdout.block()
	w.source.feed(events(5)...)
	w.source.feed(events(2)...)
	w.startCSV()
	<-w.stdout.entered
	w.source.count(kernel.Stats{Seen: 3, Lost: 3})
	w.signals <- syscall.SIGINT
	code := w.wait()
	w.wants(code, ExitDone, "tcptrail: output takes too long: what was left is not delivered\n"+
		"tcptrail: seen 10, delivered 0, lost 3, missed 0, filtered 0, not delivered 7 in T\n")
	if w.source.closed.Load() {
		t.Errorf("source closed while it was read")
	}
}

// An output that takes something now and then may go on for longer than one that does not, though not for ever.
func TestSlowOutput(t *testing.T) {
	w := newWorld(t)
	w.env.drain = 200 * time.Millisecond
	w.stdout.block()
	const fed = 4000
	for range fed {
		w.source.feed(events(1)...)
	}
	w.startCSV()
	<-w.stdout.entered
	start := time.Now()
	w.signals <- syscall.SIGINT
	<-w.source.stopped
	for slow := time.NewTicker(w.env.drain / 50); ; {
		select {
		case <-slow.C:
			w.stdout.letOne()
			continue
		case code := <-w.exit:
			w.exit <- code
		}
		slow.Stop()
		break
	}
	code, took := w.wait(), time.Since(start)
	if want := w.env.drain * (drainPauses + 1); code != ExitDone || took < want {
		t.Errorf("exit %d after %v, want %d and at least %v", code, took, ExitDone, want)
	}
	w.stderr.await(t, "tcptrail: output takes too long", 1)
	if rows := w.rows(); rows == 0 || rows == fed {
		t.Errorf("%d rows were taken", rows)
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.env.drain = time.Hour
	w.stdout.block()
	w.source.feed(events(5)...)
	w.startCSV()
	<-w.stdout.entered
	w.signals <- syscall.SIGINT
	<-w.source.stopped
	w.signals <- syscall.SIGUSR1 // is answered meanwhile
	w.stderr.await(t, "under way 5", 1)
	w.signals <- syscall.SIGINT
	code := w.wait()
	w.wants(code, ExitDone, "tcptrail: seen 5, delivered 0, lost 0, missed 0, filtered 0, under way 5 in T\n"+
		"tcptrail: interrupted again: what was left is not delivered\n"+
		"tcptrail: seen 5, delivered 0, lost 0, missed 0, filtered 0, not delivered 5 in T\n")
}

// Stderr may be the pipe that is stuck.
func TestStuckStderr(t *testing.T) {
	w := newWorld(t)
	w.env.drain = soon
	w.stdout.block()
	w.stderr.block()
	w.source.feed(events(5)...)
	w.startCSV()
	<-w.stdout.entered
	w.signals <- syscall.SIGUSR1
	<-w.stderr.entered
	w.signals <- syscall.SIGINT
	if code := w.wait(); code != ExitDone {
		t.Errorf("exit %d", code)
	}
	if got := w.stderr.String(); got != "" {
		t.Errorf("stderr %q", got)
	}
}
