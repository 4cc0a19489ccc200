package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), which package syscall lacks.
	tcpUserTimeout = 0x12
	// silence is how long a peer may acknowledge nothing, in milliseconds, before the kernel gives it up, also after we have
	// closed. Without it that takes a quarter of an hour. It is longer than WriteTimeout, which tells who does not read.
	silence = 30_000
)

// maxConnections is how many connections each listener has at a time; others wait to be accepted. It is twice MaxStreams, so
// that streams cannot keep out what is short, and small against the descriptors that a process may have.
const maxConnections = 2 * MaxStreams

// listenTCP listens on an address. MPTCP, which Go would try first, has no TCP_USER_TIMEOUT.
func listenTCP(ctx context.Context, a address) (net.Listener, error) {
	config := net.ListenConfig{
		// Who is gone without a word is found in a minute while nothing is sent to it.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3},
		Control: func(_, _ string, c syscall.RawConn) error {
			var failed error
			err := c.Control(func(fd uintptr) { // accepted sockets inherit it
				failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, silence)
			})
			return errors.Join(err, failed)
		},
	}
	config.SetMultipathTCP(false)
	l, err := config.Listen(ctx, "tcp", a.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", a, cause(err))
	}
	return l, nil
}

// cause takes the operation and the address from an error of package net, as callers say both.
func cause(err error) error {
	if op, ok := err.(*net.OpError); ok { //nolint:errorlint // the outermost alone
		return op.Err
	}
	return err
}

// limited is a listener with at most so many connections at a time.
type limited struct {
	net.Listener
	slots slots
	once  sync.Once
}

func limit(l net.Listener, n int) *limited {
	return &limited{Listener: l, slots: make(slots, n)}
}

// Accept waits until there is a connection, and less than the limit of others.
func (l *limited) Accept() (net.Conn, error) {
	l.slots <- struct{}{} // at the end, the server closes connections
	c, err := l.Listener.Accept()
	if err != nil {
		l.slots.give()
		return nil, err
	}
	return &counted{Conn: c, slots: l.slots}, nil
}

// Close closes the listener, and not the connections. It may be called more than once: a second time, what a unix socket's
// path leads to may be another's.
func (l *limited) Close() (err error) {
	l.once.Do(func() { err = l.Listener.Close() })
	return err
}

// counted is a connection that has a slot.
type counted struct {
	net.Conn
	slots slots
	once  sync.Once
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.slots.give)
	return err
}
