package nettest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// connectionsPerActor keeps an actor well below 20,000 descriptors, a limit that many machines have, two for each
	// connection; and below the 28,232 ports from which the kernel chooses for one destination.
	connectionsPerActor = 9000
	// spareDescriptors is what an actor needs beside those of its connections.
	spareDescriptors = 100
	// crowdTimeout bounds the wait for what an actor does with its whole part of the crowd: a second or less, 25 times
	// as long in an emulated machine.
	crowdTimeout = time.Minute
)

// Crowd is many established connections on loopback, with both ends, in processes named "crowd" that hold nothing else.
// Its methods belong to the goroutine that runs the test.
type Crowd struct {
	tb    testing.TB
	parts []*crowdPart
}

// crowdPart is one process of it.
type crowdPart struct {
	actor *Actor
	host  *otherProcess
	whole int // connections established
}

// Crowd makes n connections, which are 2n sockets in Established and no other, and ends them when the test ends.
func (ns *NS) Crowd(tb testing.TB, n int) *Crowd {
	tb.Helper()
	each, err := actorCapacity()
	if err != nil {
		tb.Fatalf("crowd: %v", err)
	}
	c := &Crowd{tb: tb}
	actors := max((n+each-1)/each, min(n, runtime.GOMAXPROCS(0)))
	for i := range actors {
		a := StartActor(tb, ns, "crowd")
		h := a.other("crowd")
		if err := limitReceive(h.channel, crowdTimeout); err != nil {
			tb.Fatalf("crowd: %v", err)
		}
		c.parts = append(c.parts, &crowdPart{actor: a, host: h, whole: n*(i+1)/actors - n*i/actors})
	}
	tb.Cleanup(c.kill) // runs before the cleanup of each actor, which would take one after the other
	c.do("gather", func(i int, p *crowdPart) error {
		// The port is the kernel's choice, so that two crowds in one namespace get on.
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}).Next(), 0)
		return p.ask(request{Op: opGather, Addr: at, N: p.whole})
	})
	return c
}

// actorCapacity returns how many connections one actor may hold.
func actorCapacity() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	// The runtime raises the soft limit to the hard one in every Go program.
	if limit.Max < 2*spareDescriptors {
		return 0, fmt.Errorf("limit of %d descriptors is too low: raise it with ulimit -Hn", limit.Max)
	}
	return int(min((limit.Max-spareDescriptors)/2, connectionsPerActor)), nil
}

// Len returns how many connections have both ends in Established.
func (c *Crowd) Len() (n int) {
	for _, p := range c.parts {
		n += p.whole
	}
	return n
}

// PIDs returns the processes that hold the connections.
func (c *Crowd) PIDs() (pids []int) {
	for _, p := range c.parts {
		pids = append(pids, p.actor.PID())
	}
	return pids
}

// CloseWait shuts k of the established connections down at one end: that end is in FinWait2, and stays there, the other
// is in CloseWait. It returns when all of them are.
func (c *Crowd) CloseWait(k int) {
	c.tb.Helper()
	if k > c.Len() {
		c.tb.Fatalf("crowd: %d connections to shut down, of %d", k, c.Len())
	}
	share := make([]int, len(c.parts))
	for i, p := range c.parts {
		share[i] = min(k, p.whole)
		k -= share[i]
	}
	c.do("shut down", func(i int, p *crowdPart) error {
		p.whole -= share[i]
		return p.ask(request{Op: opHalfClose, N: share[i]})
	})
}

// CloseAll closes both ends of every connection. The end that is closed first is in TimeWait afterwards, but for a few
// on a busy machine where a late ACK draws an RST, unless net.ipv4.tcp_rfc1337 is set.
func (c *Crowd) CloseAll() {
	c.tb.Helper()
	c.do("close", func(_ int, p *crowdPart) error {
		p.whole = 0
		return p.ask(request{Op: opDisperse})
	})
}

func (p *crowdPart) ask(req request) error {
	_, err := p.host.perform(req)
	return err
}

// do calls f for all parts, for as many at a time as there are processors: more would only take longer to answer.
func (c *Crowd) do(verb string, f func(i int, p *crowdPart) error) {
	c.tb.Helper()
	if err := c.each(f); err != nil {
		c.tb.Fatalf("crowd: %s: %v", verb, err)
	}
}

func (c *Crowd) each(f func(i int, p *crowdPart) error) error {
	var (
		wg   sync.WaitGroup
		errs = make([]error, len(c.parts))
		free = make(chan struct{}, runtime.GOMAXPROCS(0))
	)
	for i, p := range c.parts {
		wg.Go(func() {
			free <- struct{}{}
			errs[i] = f(i, p)
			<-free
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (c *Crowd) kill() {
	if err := c.each(func(_ int, p *crowdPart) error { return p.host.kill() }); err != nil {
		c.tb.Errorf("crowd: kill: %v", err)
	}
}
