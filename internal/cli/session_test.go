package cli

import (
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// rows is how many lines were written; of CSV without a header, each is a transition.
func (w *world) rows() int { return strings.Count(w.stdout.String(), "\n") }

// startCSV starts a trace whose every line of output is a transition.
func (w *world) startCSV(args ...string) {
	w.start(append([]string{"trace", "-o", "csv", "--no-header"}, args...)...)
}

func TestLimitIsExact(t *testing.T) {
	for _, batches := range [][]int{{10}, {3, 7}, {2, 2, 6}, {1, 1, 1, 1, 6}} {
		w := newWorld(t)
		for _, n := range batches {
			w.source.feed(events(n)...)
		}
		w.startCSV("-n", "3")
		code := w.wait()
		w.wants(code, ExitDone, "tcptrail: seen 10, delivered 3, lost 0, missed 0, filtered 0, after the limit 7 in T\n")
		if w.rows() != 3 {
			t.Errorf("%v: %d rows", batches, w.rows())
		}
		if !w.source.closed.Load() {
			t.Errorf("source is not closed")
		}
	}
}

func TestLimitCountsWhatIsWrittenAlone(t *testing.T) {
	w := newWorld(t)
	other := event(tcp.SynSent, tcp.Established)
	other.Comm = tcp.Comm{'d', 'b'}
	w.source.feed(other, other, event(tcp.SynSent, tcp.Established), other)
	w.source.feed(event(tcp.SynSent, tcp.Established), other)
	w.source.count(kernel.Stats{Seen: 5, Filtered: 5})
	w.startCSV("-n", "2", "-c", "web")
	code := w.wait()
	w.wants(code, ExitDone, "tcptrail: seen 11, delivered 2, lost 0, missed 0, filtered 9 in T\n")
}

func TestDuration(t *testing.T) {
	w := newWorld(t)
	w.source.feed(events(2)...)
	w.startCSV("--duration", "10ms")
	code := w.wait()
	w.wants(code, ExitDone, "tcptrail: seen 2, delivered 2, lost 0, missed 0, filtered 0 in T\n")
}

func TestSIGUSR1PrintsASummaryAndGoesOn(t *testing.T) {
	w := newWorld(t)
	w.source.feed(events(2)...)
	w.startCSV()
	w.stdout.await(t, "\n", 2)
	w.signals <- syscall.SIGUSR1
	w.stderr.await(t, "tcptrail: seen 2, ", 1) // delivered, or about to be counted so
	w.source.feed(events(3)...)
	w.stdout.await(t, "\n", 5)
	w.signals <- syscall.SIGUSR1
	w.stderr.await(t, "tcptrail: seen 5, ", 1)
	w.signals <- syscall.SIGINT
	if code := w.wait(); code != ExitDone {
		t.Errorf("exit %d", code)
	}
	w.stderr.await(t, "tcptrail: seen 5, ", 2)
	w.stderr.await(t, "seen 5, delivered 5, lost 0, missed 0, filtered 0 in ", 1)
}

func TestSignalsDrain(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		w := newWorld(t)
		w.stdout.block() // until the source is stopped, so that all this is in flight by then
		w.source.feed(events(1)...)
		w.startCSV()
		<-w.stdout.entered
		for range 20 {
			w.source.feed(events(50)...)
		}
		w.signals <- signal
		<-w.source.stopped
		w.stdout.release()
		code := w.wait()
		w.wants(code, ExitDone, "tcptrail: seen 1001, delivered 1001, lost 0, missed 0, filtered 0 in T\n")
		if w.rows() != 1001 || !w.source.closed.Load() {
			t.Errorf("%v: %d rows, closed %v", signal, w.rows(), w.source.closed.Load())
		}
	}
}

// A signal that comes while programs are loaded is heard afterwards.
func TestSignalBeforeTheStart(t *testing.T) {
	w := newWorld(t)
	w.signals <- syscall.SIGTERM
	w.startCSV()
	code := w.wait()
	w.wants(code, ExitDone, "tcptrail: seen 0, delivered 0, lost 0, missed 0, filtered 0 in T\n")
}

func TestGone(t *testing.T) {
	w := newWorld(t)
	w.startCSV()
	close(w.gone)
	code := w.wait()
	w.wants(code, ExitDone, "tcptrail: seen 0, delivered 0, lost 0, missed 0, filtered 0 in T\n")
}

// The end waits for the walk over older sockets, which uses the source, too.
func TestEndWaitsForAdopt(t *testing.T) {
	w := newWorld(t)
	w.source.adopting = make(chan struct{})
	w.source.feed(events(1)...)
	w.startCSV("-n", "1")
	<-w.source.stopped
	close(w.source.adopting)
	if code := w.wait(); code != ExitDone || !w.source.closed.Load() {
		t.Errorf("exit %d, closed %v", code, w.source.closed.Load())
	}

	w = newWorld(t) // but not for ever
	w.source.adopting = make(chan struct{})
	w.env.drain = soon
	w.signals <- syscall.SIGINT
	w.startCSV()
	code := w.wait()
	w.wants(code, ExitDone, "tcptrail: seen 0, delivered 0, lost 0, missed 0, filtered 0 in T\n")
	close(w.source.adopting)
}
