package nettest

import (
	"maps"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func mustCount(t *testing.T, ns *NS, want map[State]int) {
	t.Helper()
	var got map[State]int
	ok, err := poll(func() (_ bool, err error) { // the last ACK of a close comes when it comes
		got, err = ns.CountStates()
		return maps.Equal(got, want), err
	})
	if !ok || err != nil {
		t.Errorf("sockets %v (%v), want %v", got, err, want)
	}
}

func TestPrivilegedCrowd(t *testing.T) {
	const n, half = 1001, 600
	ns := NewNS(t)
	mustSysctl(t, ns, "net.ipv4.tcp_rfc1337", "1") // keeps every TIME_WAIT to be counted
	crowd := ns.Crowd(t, n)
	mustCount(t, ns, map[State]int{Established: 2 * n})
	if got := len(slices.Compact(crowd.PIDs())); got != runtime.GOMAXPROCS(0) {
		t.Errorf("%d processes, want %d", got, runtime.GOMAXPROCS(0))
	}
	crowd.CloseWait(half)
	want := map[State]int{Established: 2 * (n - half), CloseWait: half, FinWait2: half}
	mustCount(t, ns, want)
	if crowd.Len() != n-half {
		t.Errorf("%d left, want %d", crowd.Len(), n-half)
	}
	ns.Crowd(t, 3) // two get on
	want[Established] += 6
	mustCount(t, ns, want)
	crowd.CloseWait(n - half)
	crowd.CloseAll()
	mustCount(t, ns, map[State]int{Established: 6, TimeWait: n})
	if got := fatalOf(t, func(tb testing.TB) { crowd.tb = tb; crowd.CloseWait(1) }); got == "" {
		t.Error("shut down what is closed")
	}
	crowd.tb = t
}

func TestPrivilegedCrowdOfNone(t *testing.T) {
	ns := NewNS(t)
	ns.Crowd(t, 0).CloseAll()
	ns.Crowd(t, 1).CloseWait(1)
	mustCount(t, ns, map[State]int{CloseWait: 1, FinWait2: 1})
}

// A crowd stays as it is while others come and go.
func TestPrivilegedChurn(t *testing.T) {
	const n = 100
	ns := NewNS(t)
	mustSysctl(t, ns, "net.ipv4.tcp_rfc1337", "1")
	ns.Crowd(t, n)
	stop := ns.Churn(t, 2)
	ok, err := poll(func() (bool, error) {
		counts, err := ns.CountStates()
		return counts[TimeWait] > 2*churnStride, err
	})
	if !ok || err != nil {
		t.Errorf("no churn (%v)", err)
	}
	made := stop()
	counts, err := ns.CountStates()
	// Where softirqs are late the two FINs may cross, and then both ends go to TIME_WAIT.
	crossed := counts[TimeWait] - made
	if err != nil || crossed < 0 || crossed > made/10 || counts[Established] != 2*n || counts[Listening] != 0 {
		t.Errorf("%d connections made, in the end %v (%v)", made, counts, err)
	}
	if again := stop(); again != 0 {
		t.Errorf("stopped again: %d", again)
	}
}

// Who churns without anyone to end it, as when the test is gone, ends.
func TestChurnEnds(t *testing.T) {
	if _, err := churn(0, nil); err == nil {
		t.Error("churned without an end")
	}
	ends := mustMessagePair(t)
	if over, err := hungUp(ends[0]); over || err != nil {
		t.Errorf("hung up: %t, %v, want false", over, err)
	}
	_ = unix.Shutdown(ends[1], unix.SHUT_RDWR)
	if over, err := hungUp(ends[0]); !over || err != nil {
		t.Errorf("hung up: %t, %v, want true", over, err)
	}
}

func BenchmarkCrowd(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		ns := NewNS(b)
		ns.Crowd(b, n).kill()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "connections/s")
}
