package nettest

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// crowd is an actor's part of a [Crowd]. The first half of them are half closed.
type crowd struct {
	pairs []crowdPair
	half  int
}

type crowdPair struct{ client, server *Socket }

// gather makes n connections to a listener on addr, which is gone afterwards. One thread does it all: connect(2) on
// loopback returns with the handshake done, and the next accept(2) takes this very connection.
func (c *crowd) gather(addr netip.AddrPort, n int) error {
	listener, err := openSocket(family(addr), unix.IPPROTO_TCP)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	to, err := listener.listenOn(addr)
	if err != nil {
		return err
	}
	for i := range n {
		pair, err := meet(listener, to)
		if err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, n, err)
		}
		c.pairs = append(c.pairs, pair)
	}
	return nil
}

// listenOn makes s a listener, and returns its address with the port that the kernel may have chosen.
func (s *Socket) listenOn(addr netip.AddrPort) (netip.AddrPort, error) {
	const backlog = 16 // one is in use
	if err := s.Bind(addr); err != nil {
		return addr, err
	}
	if err := s.Listen(backlog); err != nil {
		return addr, err
	}
	id, err := s.Identify()
	return id.Local, err
}

// meet makes one connection.
func meet(listener *Socket, to netip.AddrPort) (pair crowdPair, err error) {
	if pair.client, err = openSocket(family(to), unix.IPPROTO_TCP); err != nil {
		return pair, err
	}
	if err = pair.client.Connect(to); err == nil {
		pair.server, err = listener.Accept()
	}
	if err != nil {
		_ = pair.client.Close()
	}
	return pair, err
}

// halfClose shuts n more connections down, and waits afterwards: a delayed ACK takes 40 ms, for all of them together.
func (c *crowd) halfClose(n int) error {
	if n > len(c.pairs)-c.half {
		return fmt.Errorf("%d connections to shut down, of %d", n, len(c.pairs)-c.half)
	}
	some := c.pairs[c.half : c.half+n]
	for _, pair := range some {
		if err := pair.client.Shutdown(); err != nil {
			return err
		}
	}
	c.half += n
	for _, pair := range some {
		if err := pair.server.WaitState(CloseWait); err != nil {
			return err
		}
		if err := pair.client.WaitState(FinWait2); err != nil {
			return err
		}
	}
	return nil
}

// disperse closes all connections.
func (c *crowd) disperse() error {
	for _, pair := range c.pairs {
		if err := pair.close(); err != nil {
			return err
		}
	}
	*c = crowd{}
	return nil
}

// close closes the client's end first.
func (p crowdPair) close() error {
	if err := p.client.Close(); err != nil {
		return err
	}
	return p.server.Close()
}
