package nettest

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// churnStride is how many connections pass between two looks at whether to stop.
const churnStride = 64

// Churn opens and closes connections on loopback as fast as the given number of processes, named "churn", can, until
// stop is called, at the latest at the end of the test. The first call of stop returns how many there were.
//
// Up to net.ipv4.tcp_max_tw_buckets of them are in TimeWait, for a minute each.
func (ns *NS) Churn(tb testing.TB, workers int) (stop func() int) {
	tb.Helper()
	var (
		wg    sync.WaitGroup
		total = make([]int, workers)
		errs  = make([]error, workers)
		ends  []int
	)
	for i := range workers {
		h := StartActor(tb, ns, "churn").other("churn")
		pair, err := messagePair()
		if err == nil {
			err = limitReceive(h.channel, 0) // the answer comes when all is over
		}
		if err != nil {
			tb.Fatalf("churn: %v", err)
		}
		ends = append(ends, pair[0])
		wg.Go(func() {
			resp, err := h.perform(request{Op: opChurn, N: i}, pair[1])
			total[i], errs[i] = resp.N, err
		})
	}
	var once sync.Once
	stop = func() (sum int) {
		once.Do(func() {
			for _, end := range ends {
				_ = unix.Close(end)
			}
			wg.Wait()
			for i, err := range errs {
				sum += total[i]
				if err != nil {
					tb.Errorf("churn: %v", err)
				}
			}
		})
		return sum
	}
	tb.Cleanup(func() { stop() })
	return stop
}

// churn opens and closes connections until the other end of the descriptor passed is closed.
func churn(worker int, passed []int) (resp response, err error) {
	if len(passed) != 1 {
		return resp, fmt.Errorf("%d descriptors that say when to stop, want 1", len(passed))
	}
	listener, err := openSocket(unix.AF_INET, unix.IPPROTO_TCP)
	if err != nil {
		return resp, err
	}
	defer func() { _ = listener.Close() }()
	at, err := listener.listenOn(netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
	if err != nil {
		return resp, err
	}
	for ; ; resp.N++ {
		if resp.N%churnStride == 0 {
			if over, err := hungUp(passed[0]); over || err != nil {
				return resp, err
			}
		}
		// A new destination each time, so that TIME_WAIT never leaves it without a free pair of ports.
		to := netip.AddrFrom4([4]byte{127, byte(2 + worker), byte(resp.N >> 8), byte(resp.N)})
		pair, err := meet(listener, netip.AddrPortFrom(to, at.Port()))
		if err == nil {
			err = pair.close()
		}
		if err != nil {
			return resp, fmt.Errorf("connection %d: %w", resp.N+1, err)
		}
	}
}

// hungUp says whether the other end of a channel is closed.
func hungUp(fd int) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	n := 0
	err := restart("poll", func() (err error) {
		n, err = unix.Poll(fds, 0)
		return err
	})
	return n > 0, err
}
