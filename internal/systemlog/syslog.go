package systemlog

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// Syslog sends messages: of RFC 5424 by UDP (RFC 5426) or TCP (RFC 6587, with counted octets), and in the form of
// syslog(3) to the local daemon. It is not safe for concurrent use.
type Syslog struct {
	address string
	ways    []way
	now     *connection
	frame   []byte
}

// way is how a daemon can be reached.
type way struct {
	network, address string
	framing          framing
}

type framing uint8

const (
	datagram framing = iota
	counted          // octets, before each message
	lines            // a line feed after each message, as daemons expect it on a local stream
)

const (
	localSyslog = "/dev/log"
	syslogPort  = "514"
	// datagramLimit is what receivers should take (RFC 5424, 6.1), streamLimit what common ones do.
	datagramLimit = 2 << 10
	streamLimit   = 8 << 10
	// resolveEvery is for how long a host's address is trusted where no connection tells that it has another.
	resolveEvery = 30 * time.Second
)

// connection knows whether it is over.
type connection struct {
	net.Conn
	way   way
	since time.Time
	over  atomic.Bool
}

// OpenSyslog takes the URL of a daemon: udp://HOST[:PORT], tcp://HOST[:PORT] or unix:///PATH; "" is unix:///dev/log. A
// local one must be there.
func OpenSyslog(text string) (*Syslog, error) {
	if text == "" {
		text = "unix://" + localSyslog
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, ErrURL
	}
	switch u.Scheme {
	case "unix":
		if u.Host != "" || u.Path == "" {
			return nil, ErrURL
		}
		if err := checkSocket(u.Path, "syslog", "start a syslog daemon, or give the URL of one"); err != nil {
			return nil, err
		}
		return &Syslog{address: u.Path, ways: []way{{"unixgram", u.Path, datagram}, {"unix", u.Path, lines}}}, nil
	case "udp", "tcp":
		port := u.Port()
		if port == "" {
			port = syslogPort
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || u.Hostname() == "" || len(u.Path) > 1 || u.User != nil {
			return nil, ErrURL
		}
		w := way{u.Scheme, net.JoinHostPort(u.Hostname(), port), datagram}
		if u.Scheme == "tcp" {
			w.framing = counted
		}
		return &Syslog{address: u.Scheme + "://" + w.address, ways: []way{w}}, nil
	}
	return nil, ErrURL
}

// ErrURL is the error of a URL that is none of syslog.
var ErrURL = errors.New("read URL of syslog: give udp://HOST[:PORT], tcp://HOST[:PORT] or unix:///PATH")

// Address returns where the daemon is, as it was given: it may have any characters.
func (s *Syslog) Address() string { return s.address }

// IsLocal says whether messages have the form of syslog(3): Header.AppendLocal, not Header.Append.
func (s *Syslog) IsLocal() bool { return s.ways[0].network == "unixgram" }

// Limit returns how many bytes a message may have, at least 1024.
func (s *Syslog) Limit() int {
	if s.ways[0].network == "udp" {
		return datagramLimit
	}
	return streamLimit
}

// Send sends messages, and returns how many the kernel has taken. It waits for a daemon that is behind until the context
// ends, and connects anew once if that was restarted; a message that was cut off is sent again, whole.
func (s *Syslog) Send(ctx context.Context, messages ...[]byte) (sent int, err error) {
	for {
		used := s.now != nil && !s.now.isOver()
		if !used {
			s.Close()
			if err := s.connect(ctx); err != nil {
				return sent, err
			}
		}
		n, err := s.now.send(ctx, &s.frame, messages[sent:])
		sent += n
		if err == nil {
			return sent, nil
		}
		// An error of UDP is the answer to an earlier message: that this one could be sent would not mean that it is heard.
		lone := s.now.way.network == "udp"
		s.Close()
		if !used || lone || ctx.Err() != nil || isTimeout(err) {
			return sent, netCause(err)
		}
	}
}

// send sends messages in frames made in *frame.
func (c *connection) send(ctx context.Context, frame *[]byte, messages [][]byte) (sent int, err error) {
	if c.way.framing == datagram {
		return writeEach(ctx, c, messages)
	}
	defer until(ctx, c)()
	for _, message := range messages {
		b := (*frame)[:0]
		if c.way.framing == counted {
			b = append(strconv.AppendInt(b, int64(len(message)), 10), ' ')
		}
		b = append(b, message...)
		if c.way.framing == lines {
			b = append(b, '\n')
		}
		*frame = b
		if _, err := c.Write(b); err != nil {
			return sent, err
		}
		sent++
	}
	return sent, nil
}

func (s *Syslog) connect(ctx context.Context) (err error) {
	for _, w := range s.ways {
		var conn net.Conn
		if conn, err = dial(ctx, w.network, w.address); err != nil {
			continue
		}
		s.now = &connection{Conn: conn, way: w, since: time.Now()}
		if w.framing != datagram {
			go s.now.watch()
		}
		return nil
	}
	return err
}

func (c *connection) isOver() bool {
	return c.over.Load() || c.way.network == "udp" && time.Since(c.since) > resolveEvery
}

// watch closes a stream as soon as the daemon has: a message written to it then would be lost without a word, and our
// own socket would be stuck in CLOSE_WAIT. It ends with the connection.
func (c *connection) watch() {
	_, _ = io.Copy(io.Discard, c.Conn)
	c.over.Store(true)
	c.Conn.Close()
}

// Close gives up the connection. The next Send makes another.
func (s *Syslog) Close() error {
	if s.now == nil {
		return nil
	}
	err := s.now.Conn.Close()
	s.now = nil
	return err
}
