package logtest

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what ought to happen at once.
const patience = 20 * time.Second

// Datagrams is a daemon that takes datagrams, when a test asks for the next one: until then they wait in the socket, so it
// stalls by itself.
type Datagrams struct {
	testing.TB
	net.PacketConn
	buf []byte
}

// Listen binds a socket for datagrams, until the test ends.
func Listen(tb testing.TB, network, address string) *Datagrams {
	tb.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return &Datagrams{tb, c, make([]byte, 1<<17)}
}

// Journal is a journald: a socket in a directory of the test.
func Journal(tb testing.TB) (path string, d *Datagrams) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "socket")
	return path, Listen(tb, "unixgram", path)
}

// End ends a daemon, whose socket vanishes.
func (d *Datagrams) End() {
	path := d.LocalAddr().String()
	d.Close()
	if d.LocalAddr().Network() == "unixgram" {
		os.Remove(path)
	}
}

// Receive waits for the next datagram.
func (d *Datagrams) Receive() string {
	d.Helper()
	if err := d.SetReadDeadline(time.Now().Add(patience)); err != nil {
		d.Fatal(err)
	}
	n, _, err := d.ReadFrom(d.buf)
	if err != nil {
		d.Fatal(err)
	}
	return string(d.buf[:n])
}

// Rest returns the datagrams that are there already.
func (d *Datagrams) Rest() (all []string) {
	d.Helper()
	socket, err := d.PacketConn.(syscall.Conn).SyscallConn()
	if err != nil {
		d.Fatal(err)
	}
	for more := true; more; {
		if err := d.SetReadDeadline(time.Time{}); err != nil {
			d.Fatal(err)
		}
		err := socket.Read(func(fd uintptr) bool {
			n, _, err := syscall.Recvfrom(int(fd), d.buf, syscall.MSG_DONTWAIT)
			if more = err == nil; more {
				all = append(all, string(d.buf[:n]))
			}
			return true
		})
		if err != nil {
			d.Fatal(err)
		}
	}
	return all
}

// Entry waits for the next datagram, which is an entry of a journal.
func (d *Datagrams) Entry() map[string]string {
	d.Helper()
	fields, err := ParseEntry(d.Receive())
	if err != nil {
		d.Fatal(err)
	}
	return fields
}

// Stream is a connection that a daemon has accepted.
type Stream struct {
	testing.TB
	net.Conn
	r *bufio.Reader
}

// Accept waits for a connection.
func Accept(tb testing.TB, l net.Listener) *Stream {
	tb.Helper()
	if d, ok := l.(interface{ SetDeadline(time.Time) error }); ok {
		if err := d.SetDeadline(time.Now().Add(patience)); err != nil {
			tb.Fatal(err)
		}
	}
	c, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return &Stream{tb, c, bufio.NewReader(c)}
}

// Receive waits for the next message: with its length before it on TCP (RFC 6587, 3.4.1), a line on others.
func (s *Stream) Receive() string {
	s.Helper()
	if s.LocalAddr().Network() != "tcp" {
		line, err := s.r.ReadString('\n')
		if err != nil {
			s.Fatal(err)
		}
		return strings.TrimSuffix(line, "\n")
	}
	length, err := s.r.ReadString(' ')
	if err != nil {
		s.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
	if err != nil || n < 0 || n > 1<<20 {
		s.Fatalf("length %q", length)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(s.r, b); err != nil {
		s.Fatal(err)
	}
	return string(b)
}

// AwaitEnd waits until the other end has closed, and nothing more has come.
func (s *Stream) AwaitEnd() {
	s.Helper()
	if _, err := s.r.ReadByte(); err != io.EOF {
		s.Errorf("no end: %v", err)
	}
}
