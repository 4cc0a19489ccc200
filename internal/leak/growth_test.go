package leak

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestGrowthIsRobust(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, tt := range []struct {
		name      string
		perMinute float64
		jitter    int
		odd       bool
	}{
		{"steady", 30, 0, false}, {"jitter", 30, 5, false}, {"odd counts", 30, 2, true}, {"still", 0, 0, false}, {"shrinks", -12, 1, false},
	} {
		var h history
		var now int64
		count := 0
		for i := range 600 {
			now = int64(i) * second
			count = 10_000 + int(tt.perMinute*float64(i)/60)
			if tt.jitter > 0 {
				count += random.IntN(2*tt.jitter) - tt.jitter
			}
			if tt.odd && i%7 == 0 {
				count = 0
			}
			h.add(now, count)
		}
		g := h.growth(now, count)
		if !g.Known || math.Abs(g.PerMinute-tt.perMinute) > 1+math.Abs(tt.perMinute)/10 {
			t.Errorf("%s: %+v, want %v", tt.name, g, tt.perMinute)
		}
		if len(h.counts) > historyLength || cap(h.counts) > 2*historyLength {
			t.Errorf("%s: %d counts in %d", tt.name, len(h.counts), cap(h.counts))
		}
	}
}

func TestGrowthForgetsTheDistantPast(t *testing.T) {
	var h history
	for i := range 7200 {
		h.add(int64(i)*second, min(i, 1800))
	}
	if g := h.growth(7199*second, 1800); !g.Known || g.PerMinute != 0 || g.Over > 40*time.Minute {
		t.Errorf("an hour and a half after it stopped: %+v", g)
	}
}

func TestGrowthIsUnknownAtFirst(t *testing.T) {
	r := newReports(ReportOptions{})
	s := stuckSocket(1, tcp.CloseWait, time.Hour)
	for i := range 3 {
		f := r.Report(int64(1000+i)*second, snapshot(s), fakeFacts{100, 50})[0]
		if f.Growth.Known || f.FDs.Exhausted != tcp.Unknown || !f.FDs.Known {
			t.Errorf("look %d: %+v, %+v", i, f.Growth, f.FDs)
		}
	}
}

func TestExhaustion(t *testing.T) {
	r := newReports(ReportOptions{})
	var sockets []tcp.Socket
	var f Finding
	for i := range 61 {
		s := stuckSocket(uint64(i+1), tcp.CloseWait, 61*time.Second)
		sockets = append(sockets, s)
		f = r.Report(int64(1000+i)*second, snapshot(sockets...), fakeFacts{1024, 424 + i})[0]
	}
	if math.Abs(f.Growth.PerMinute-60) > 1 {
		t.Errorf("%+v", f.Growth)
	}
	if f.FDs.Held != 61 || math.Abs(f.FDs.Share-61./1024) > 1e-9 || f.FDs.Exhausted.Round(10*time.Second) != 540*time.Second {
		t.Errorf("%+v", f.FDs)
	}
	f = r.Report(1061*second, snapshot(sockets...), fakeFacts{1024, 1024})[0]
	if f.FDs.Exhausted != 0 {
		t.Errorf("at the limit: %+v", f.FDs)
	}
	f = r.Report(1062*second, snapshot(sockets...), fakeFacts{math.MaxUint64, 1024})[0]
	if f.FDs.Exhausted != tcp.Unknown {
		t.Errorf("without a limit: %+v", f.FDs)
	}
	if f = r.Report(1063*second, snapshot(sockets...), noFacts{})[0]; f.FDs.Known {
		t.Errorf("nothing known: %+v", f.FDs)
	}
}
