package nettest

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is an actor's descriptor of a TCP socket: a listener, a connection or neither yet. Every method is what the
// method of [Socket] with that name is, performed in the actor's process, and ends the test when it fails. Who the
// socket is, is remembered when the descriptor has been closed.
type Conn struct {
	actor *Actor
	fd    int
	id    *Identity  // shared with what Failing returns
	want  unix.Errno // how the next operation has to end
}

func newConn(a *Actor, resp response) *Conn {
	return &Conn{actor: a, fd: resp.FD, id: &resp.Identity}
}

// Failing returns c for one operation that has to fail with the errno, as in
// c.Failing(unix.ECONNREFUSED).Connect(addr); anything else ends the test.
func (c *Conn) Failing(errno unix.Errno) *Conn {
	failing := *c
	failing.want = errno
	return &failing
}

func (c *Conn) do(req request) response {
	c.actor.tb.Helper()
	req.FD = c.fd
	resp := c.actor.do(c.want, req)
	if id := resp.Identity; id.Cookie == c.id.Cookie { // and not that of a connection accepted
		c.id.Local = id.Local
		if id.Remote.IsValid() {
			c.id.Remote = id.Remote
		}
	}
	return resp
}

// Actor returns the process that holds the descriptor.
func (c *Conn) Actor() *Actor { return c.actor }

// FD returns the number of the descriptor in the actor's process.
func (c *Conn) FD() int { return c.fd }

// Cookie returns the socket's cookie (SO_COOKIE).
func (c *Conn) Cookie() uint64 { return c.id.Cookie }

// Inode returns the inode number of the socket.
func (c *Conn) Inode() uint32 { return c.id.Inode }

// Local returns the local address.
func (c *Conn) Local() netip.AddrPort { return c.id.Local }

// Remote returns the peer's address; of a listener, or before any connection, the zero AddrPort.
func (c *Conn) Remote() netip.AddrPort { return c.id.Remote }

// Bind gives the socket a local address.
func (c *Conn) Bind(addr netip.AddrPort) { c.actor.tb.Helper(); c.do(request{Op: opBind, Addr: addr}) }

// Listen makes the socket a listener.
func (c *Conn) Listen(backlog int) { c.actor.tb.Helper(); c.do(request{Op: opListen, N: backlog}) }

// Connect connects and waits for the outcome.
func (c *Conn) Connect(addr netip.AddrPort) {
	c.actor.tb.Helper()
	c.id.Remote = addr
	c.do(request{Op: opConnect, Addr: addr})
}

// StartConnect sends the SYN and does not wait.
func (c *Conn) StartConnect(addr netip.AddrPort) {
	c.actor.tb.Helper()
	c.id.Remote = addr
	c.do(request{Op: opStartConnect, Addr: addr})
}

// FinishConnect waits for the outcome of StartConnect.
func (c *Conn) FinishConnect() { c.actor.tb.Helper(); c.do(request{Op: opFinishConnect}) }

// Disconnect is connect(AF_UNSPEC).
func (c *Conn) Disconnect() { c.actor.tb.Helper(); c.do(request{Op: opDisconnect}) }

// Accept takes a connection from the listener's queue, or waits for one. It returns nil when it had to fail and did.
func (c *Conn) Accept() *Conn {
	c.actor.tb.Helper()
	resp := c.do(request{Op: opAccept})
	if c.want != 0 {
		return nil
	}
	return newConn(c.actor, resp)
}

// Dup returns a second descriptor of the socket in the same process.
func (c *Conn) Dup() *Conn {
	c.actor.tb.Helper()
	return newConn(c.actor, c.do(request{Op: opDup}))
}

// Send gives to a copy of the descriptor over a Unix socket (SCM_RIGHTS), and returns it as to's own. The test's
// process holds no copy at any time, unless it is one of the two.
func (c *Conn) Send(to *Actor) *Conn {
	tb := c.actor.tb
	tb.Helper()
	ends, err := messagePair()
	if err != nil {
		tb.Fatalf("send a descriptor: %v", err)
	}
	c.actor.do(0, request{Op: opSend, FD: c.fd}, ends[0])
	return newConn(to, to.do(0, request{Op: opReceive}, ends[1]))
}

// Write writes n bytes, and waits while the send buffer is full.
func (c *Conn) Write(n int) { c.actor.tb.Helper(); c.do(request{Op: opWrite, N: n}) }

// Fill writes until the kernel takes no more at once, and returns how many bytes that was.
func (c *Conn) Fill() int { c.actor.tb.Helper(); return c.do(request{Op: opFill}).N }

// Read reads n bytes; the peer's FIN before that ends the test.
func (c *Conn) Read(n int) { c.actor.tb.Helper(); c.do(request{Op: opRead, N: n}) }

// ReadEOF reads until the peer's FIN and returns how many bytes came before it.
func (c *Conn) ReadEOF() int { c.actor.tb.Helper(); return c.do(request{Op: opReadEOF}).N }

// Shutdown is shutdown(SHUT_WR): it sends FIN and keeps the descriptor.
func (c *Conn) Shutdown() { c.actor.tb.Helper(); c.do(request{Op: opShutdown}) }

// Linger0 makes Close send RST instead of FIN.
func (c *Conn) Linger0() { c.actor.tb.Helper(); c.do(request{Op: opLinger0}) }

// UserTimeout sets how long data, or a SYN sent a second time, may go unanswered; it is counted in milliseconds.
func (c *Conn) UserTimeout(d time.Duration) {
	c.actor.tb.Helper()
	c.do(request{Op: opUserTimeout, N: int(d)})
}

// State returns the kernel's state of the socket, by TCP_INFO.
func (c *Conn) State() State { c.actor.tb.Helper(); return c.do(request{Op: opState}).State }

// WaitState waits until the kernel has the socket in the state.
func (c *Conn) WaitState(want State) {
	c.actor.tb.Helper()
	c.do(request{Op: opWaitState, State: want})
}

// Close closes the descriptor.
func (c *Conn) Close() { c.actor.tb.Helper(); c.do(request{Op: opClose}) }
