package leak

import (
	"runtime"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const crowd = 200_000

func watchCrowd() *Watcher {
	w := NewWatcher(WatchOptions{Limits: DefaultLimits()})
	for i := range uint64(crowd) {
		w.Observe(event(i+1, second+int64(i), tcp.Established, tcp.CloseWait))
	}
	return w
}

// TestMemoryOfASocket holds the promise of Watcher's documentation.
func TestMemoryOfASocket(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := watchCrowd()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := float64(after.HeapAlloc-before.HeapAlloc) / crowd; each > 90 {
		t.Errorf("%.0f bytes a socket", each)
	}
	runtime.KeepAlive(w)
}

// BenchmarkObserve is a connection that passes through CLOSE_WAIT, five events, while a crowd is stuck there.
func BenchmarkObserve(b *testing.B) {
	w := watchCrowd()
	e := &tcp.Event{NetNS: 1}
	at, cookie := 2*second, uint64(crowd)
	steps := [...][2]tcp.State{
		{tcp.Listen, tcp.SynRecv},
		{tcp.SynRecv, tcp.Established},
		{tcp.Established, tcp.CloseWait},
		{tcp.CloseWait, tcp.LastAck},
		{tcp.LastAck, tcp.Close},
	}
	b.ReportAllocs()
	for b.Loop() {
		cookie++
		for _, step := range steps {
			at++
			e.Cookie, e.Mono, e.Old, e.New = cookie, at, step[0], step[1]
			w.Observe(e)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(steps)), "ns/event")
}

// BenchmarkCrowd watches a crowd, until it is stuck, and looks at it.
func BenchmarkCrowd(b *testing.B) {
	sockets := make([]tcp.Socket, crowd)
	for i := range sockets {
		sockets[i] = stuckSocket(uint64(i+1), tcp.CloseWait, time.Minute)
	}
	s := snapshot(sockets...)
	b.Run("enter", func(b *testing.B) {
		for b.Loop() {
			watchCrowd()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/crowd, "ns/socket")
	})
	b.Run("due", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			w := watchCrowd()
			b.StartTimer()
			w.Due(100 * second)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/crowd, "ns/socket")
	})
	b.Run("report", func(b *testing.B) {
		r := NewReporter(watchCrowd(), ReportOptions{})
		now := 1000 * second
		for b.Loop() {
			now += second
			b.StopTimer()
			for i := range s.Sockets {
				s.Sockets[i].Age = tcp.ExactAge(tcp.AgeTraced, time.Duration(now-second-int64(i)))
			}
			b.StartTimer()
			r.Report(now, s, nil)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/crowd, "ns/socket")
	})
}
