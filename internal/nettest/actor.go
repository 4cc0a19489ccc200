package nettest

import (
	"errors"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Actor is a process that owns sockets in a namespace: one of its own, or the test's. Every method returns when the
// system calls have returned in that process, and ends the test when they fail. Unless said otherwise, sockets stay
// open until the end of the test or of the process.
type Actor struct {
	tb   testing.TB
	name string
	pid  int
	host host
}

// InProcess returns an actor that makes its system calls in the test's process.
func InProcess(tb testing.TB, ns *NS) *Actor {
	p := newPerformer()
	tb.Cleanup(func() {
		if err := p.closeAll(); err != nil {
			tb.Errorf("close sockets: %v", err)
		}
	})
	return &Actor{tb: tb, name: "test", pid: os.Getpid(), host: ownProcess{ns, p}}
}

// StartActor starts a process in the namespace, with the name (see [Actor.SetName]), and kills it when the test ends.
func StartActor(tb testing.TB, ns *NS, name string) *Actor {
	tb.Helper()
	actor, _ := InProcess(tb, ns).Spawn(name)
	return actor
}

// PID returns the process ID.
func (a *Actor) PID() int { return a.pid }

// Name returns the name that it was started with; of the test's process, "test".
func (a *Actor) Name() string { return a.name }

// do performs a request that has to end as wanted: with the errno want, or, if that is 0, with success.
func (a *Actor) do(want unix.Errno, req request, passed ...int) response {
	a.tb.Helper()
	resp, err := a.host.perform(req, passed...)
	switch {
	case want == 0 && err != nil:
		a.tb.Fatalf("%s: %s: %v", a.name, req.Op, err)
	case want != 0 && err == nil:
		a.tb.Fatalf("%s: %s: succeeded, want %v", a.name, req.Op, want)
	case want != 0 && !errors.Is(err, want):
		a.tb.Fatalf("%s: %s: %v, want %v", a.name, req.Op, err, want)
	}
	return resp
}

// Open makes a socket of the family, AF_INET or AF_INET6, in Close.
func (a *Actor) Open(family int) *Conn {
	a.tb.Helper()
	return newConn(a, a.do(0, request{Op: opOpen, N: family}))
}

// OpenMPTCP makes an MPTCP socket, as Go's net package listens with by default; what it accepts from plain TCP peers is
// plain TCP. Its cookie is its own, not that of the TCP subflow behind it.
func (a *Actor) OpenMPTCP(family int) *Conn {
	a.tb.Helper()
	return newConn(a, a.do(0, request{Op: opOpenMPTCP, N: family}))
}

// Listen makes a listener on addr. On Any6 it takes IPv4 clients, too.
func (a *Actor) Listen(addr netip.AddrPort, backlog int) *Conn {
	a.tb.Helper()
	c := a.Open(family(addr))
	c.Bind(addr)
	c.Listen(backlog)
	return c
}

// Dial connects to addr and waits until that is done.
func (a *Actor) Dial(addr netip.AddrPort) *Conn {
	a.tb.Helper()
	c := a.Open(family(addr))
	c.Connect(addr)
	return c
}

// StartDial sends a SYN to addr and does not wait: see [Conn.FinishConnect].
func (a *Actor) StartDial(addr netip.AddrPort) *Conn {
	a.tb.Helper()
	c := a.Open(family(addr))
	c.StartConnect(addr)
	return c
}

// Spawn makes the actor start another, its child, which inherits copies of the descriptors of conns, as after fork().
// It returns the child and its conns, in the same order.
func (a *Actor) Spawn(name string, conns ...*Conn) (*Actor, []*Conn) {
	a.tb.Helper()
	ends, err := messagePair()
	if err != nil {
		a.tb.Fatalf("start actor %s: %v", name, err)
	}
	req := request{Op: opSpawn, Name: []byte(name)}
	for _, c := range conns {
		if c.actor != a {
			a.tb.Fatalf("start actor %s: descriptor %d is %s's, not %s's", name, c.fd, c.actor.name, a.name)
		}
		req.Inherit = append(req.Inherit, c.fd)
	}
	child := a.command(name, a.do(0, req, ends[1]).PID, ends[0])
	child.SetName(name)
	inherited := make([]*Conn, 0, len(conns))
	for i := range conns {
		fd := firstFD + i
		resp := child.do(0, request{Op: opIdentify, FD: fd})
		resp.FD = fd
		inherited = append(inherited, newConn(child, resp))
	}
	return child, inherited
}

// command takes command of a process just started.
func (a *Actor) command(name string, pid, channel int) *Actor {
	a.tb.Helper()
	if err := limitReceive(channel, answerTimeout); err != nil {
		a.tb.Fatalf("start actor %s: %v", name, err)
	}
	h, err := openOtherProcess(pid, channel)
	if err != nil {
		a.tb.Fatalf("start actor %s: %v", name, err)
	}
	child := &Actor{tb: a.tb, name: name, pid: pid, host: h}
	a.tb.Cleanup(child.Kill)
	return child
}

// SetName gives the process and all its threads the name that the kernel knows it by, of which it keeps 15 bytes: any
// but NUL, which ends it, or none at all.
func (a *Actor) SetName(name string) {
	a.tb.Helper()
	a.do(0, request{Op: opSetName, Name: []byte(name)})
}

// Exit makes the process exit by itself with its sockets open, and waits until it is gone. The test's own process
// cannot.
func (a *Actor) Exit() {
	a.tb.Helper()
	if err := a.other("exit").exit(); err != nil {
		a.tb.Fatalf("%s: exit: %v", a.name, err)
	}
}

// Kill ends the process by SIGKILL and waits until it is gone. Killing it again does nothing.
func (a *Actor) Kill() {
	a.tb.Helper()
	if err := a.other("kill").kill(); err != nil {
		a.tb.Errorf("%s: kill: %v", a.name, err)
	}
}

func (a *Actor) other(verb string) *otherProcess {
	a.tb.Helper()
	h, ok := a.host.(*otherProcess)
	if !ok {
		a.tb.Fatalf("%s: %s: not a process of its own", a.name, verb)
	}
	return h
}
