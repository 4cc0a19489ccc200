package traffic

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Crowd is connections that stay, with both ends in this process. One thread at a time may use it.
type Crowd struct {
	clients, servers []int
}

// Gather makes n connections to 127.0.host.1, in the network namespace of the calling thread, which must have lo up.
// They take two descriptors each, and one port each of those that the kernel chooses from for one destination, 28,232
// by default. Crowds with different hosts do not share ports.
func Gather(host byte, n int) (_ *Crowd, err error) {
	listener, port, err := listen()
	if err != nil {
		return nil, err
	}
	defer unix.Close(listener)
	c := &Crowd{clients: make([]int, 0, n), servers: make([]int, 0, n)}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	to := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, host, 1}}
	for i := range n {
		client, server, err := meet(listener, to)
		if err != nil {
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, n, err)
		}
		c.clients, c.servers = append(c.clients, client), append(c.servers, server)
	}
	return c, nil
}

// HalfClose shuts the first n connections down at the client's end, once, and waits until that is in FIN_WAIT2 and the
// other in CLOSE_WAIT, where they stay.
func (c *Crowd) HalfClose(n int) error {
	if n > len(c.clients) {
		return fmt.Errorf("%d connections to shut down, of %d", n, len(c.clients))
	}
	for _, fd := range c.clients[:n] {
		if err := unix.Shutdown(fd, unix.SHUT_WR); err != nil {
			return fmt.Errorf("shut down: %w", err)
		}
	}
	for i := range n {
		if err := waitState(c.clients[i], unix.BPF_TCP_FIN_WAIT2); err != nil {
			return err
		}
		if err := waitState(c.servers[i], unix.BPF_TCP_CLOSE_WAIT); err != nil {
			return err
		}
	}
	return nil
}

// Close ends all connections, the client's end first.
func (c *Crowd) Close() {
	for i := range c.clients {
		unix.Close(c.clients[i])
		unix.Close(c.servers[i])
	}
	*c = Crowd{}
}

const (
	stateLimit = 10 * time.Second     // a FIN is acknowledged within 40 ms, later on a busy machine
	statePoll  = 5 * time.Millisecond // most are there at the first look
)

func waitState(fd int, want uint8) error {
	for deadline := time.Now().Add(stateLimit); ; time.Sleep(statePoll) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		switch {
		case err != nil:
			return fmt.Errorf("ask for the state: %w", err)
		case info.State == want:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("state %d after %v, want %d", info.State, stateLimit, want)
		}
	}
}
