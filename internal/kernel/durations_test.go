package kernel

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// exactBucket is which bucket has a stay, by the definition: the first whose bound, 2^(i-30) s, is no less.
func exactBucket(stay time.Duration) int {
	scaled := new(big.Int).Lsh(big.NewInt(int64(stay)), 30) // in 2^-30 ns
	bound := big.NewInt(1e9)
	for i := range DurationBuckets {
		if scaled.Cmp(bound) <= 0 {
			return i
		}
		bound.Lsh(bound, 1)
	}
	return DurationBuckets - 1
}

func TestExactBucket(t *testing.T) {
	for _, tt := range []struct {
		stay time.Duration
		want int
	}{{0, 0}, {1, 1}, {time.Second, 30}, {time.Second + 1, 31}, {2 * time.Second, 31}, {500 * time.Millisecond, 29}} {
		if got := exactBucket(tt.stay); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.stay, got, tt.want)
		}
	}
}

// backdate lets a socket be in its state since half as long after boot.
func backdate(s *stage, c *nettest.Conn) {
	s.t.Helper()
	process, err := unix.PidfdOpen(c.Actor().PID(), 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer unix.Close(process)
	socket, err := unix.PidfdGetfd(process, c.FD(), 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer unix.Close(socket)
	var entry bpfEntry
	if err := s.tracer.maps.Entries.Lookup(int32(socket), &entry); err == nil {
		entry.SinceNs /= 2
		if err := s.tracer.maps.Entries.Update(int32(socket), &entry, ebpf.UpdateExist); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	var cell bpfCell
	number := uint32(c.Cookie()) % cells
	if err := s.tracer.maps.Cells.Lookup(number, &cell); err != nil || cell.Cookie != c.Cookie() {
		s.t.Fatalf("neither storage nor cell: %+v, %v", cell, err)
	}
	cell.Entry.SinceNs /= 2
	if err := s.tracer.maps.Cells.Update(number, &cell, ebpf.UpdateExist); err != nil {
		s.t.Fatal(err)
	}
}

// Histograms are those of the very events, of the whole host, in every bucket.
func TestPrivilegedDurationsAreThoseOfEvents(t *testing.T) {
	s := newStage(t)
	l := s.actor("server").Listen(nettest.Loopback4(0), 8)
	client := s.actor("client")
	s.recorder = record(t, Options{Durations: true})
	for range 100 {
		c, a := client.Dial(l.Local()), l.Accept()
		c.Close()
		a.WaitState(nettest.CloseWait)
		a.Close()
		s.wait(a, nettest.Gone)
	}
	c, a := client.Dial(l.Local()), l.Accept()
	backdate(s, c)
	c.Close()
	a.WaitState(nettest.CloseWait)
	a.Close()
	s.wait(a, nettest.Gone)
	l.Close()
	if stats := s.stop(t); stats.Lost > 0 {
		t.Fatalf("%d events of the host were lost: there is nothing to compare with", stats.Lost)
	}
	got, err := s.tracer.Durations()
	if err != nil {
		t.Fatal(err)
	}
	var want Durations
	for i := range s.events {
		if e := &s.events[i]; e.InOld != tcp.Unknown && e.Old != e.New {
			want.Counts[e.Old][exactBucket(e.InOld)]++
			want.Seconds[e.Old] += e.InOld.Seconds()
		}
	}
	if got.Counts != want.Counts {
		t.Errorf("got %v, want %v", got.Counts, want.Counts)
	}
	for state, sum := range want.Seconds {
		if math.Abs(got.Seconds[state]-sum) > 1e-6*sum {
			t.Errorf("%v: %v s, want %v s", tcp.State(state), got.Seconds[state], sum)
		}
	}
	if slices.Max(want.Counts[tcp.Established][exactBucket(time.Second)+1:]) == 0 || want.Counts[tcp.SynSent] == [DurationBuckets]uint64{} {
		t.Error("there was nothing to compare")
	}
}
