package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
)

// Syslog sends messages with labels and fields as structured data (StructuredID): of RFC 5424 by UDP (RFC 5426) or TCP
// (RFC 6587, with counted octets), and in the form of syslog(3) to the local daemon. Syslog has no acknowledgment: what a
// daemon or network loses after the kernel has taken it is lost.
type Syslog struct {
	name   string
	ways   []syslogWay
	header syslogHeader
	now    *syslogConn
	buf    []byte
}

// syslogWay is how a daemon can be reached.
type syslogWay struct {
	network, address string
	framing          framing
	local            bool // the form of syslog(3)
	limit            int  // bytes of a message
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
)

// syslogConn is a connection, and whether it is over.
type syslogConn struct {
	net.Conn
	way  syslogWay
	over atomic.Bool
}

// NewSyslog takes the URL of a daemon: udp://HOST[:PORT], tcp://HOST[:PORT] or unix:///PATH; "" is unix:///dev/log. A
// local one must be there.
func NewSyslog(text string) (*Syslog, error) {
	if text == "" {
		text = "unix://" + localSyslog
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errSyslogURL
	}
	host, _ := os.Hostname()
	s := &Syslog{header: syslogHeader{hostWord(host), os.Getpid()}}
	switch u.Scheme {
	case "unix":
		if u.Host != "" || u.Path == "" {
			return nil, errSyslogURL
		}
		if err := checkSocket(u.Path, "syslog", "start a syslog daemon, or give the URL of one"); err != nil {
			return nil, err
		}
		s.name = "syslog " + plain(u.Path, maxName)
		s.ways = []syslogWay{{"unixgram", u.Path, datagram, true, streamLimit}, {"unix", u.Path, lines, true, streamLimit}}
		return s, nil
	case "udp", "tcp":
		port := u.Port()
		if port == "" {
			port = syslogPort
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || u.Hostname() == "" || len(u.Path) > 1 || u.User != nil {
			return nil, errSyslogURL
		}
		way := syslogWay{u.Scheme, net.JoinHostPort(u.Hostname(), port), datagram, false, datagramLimit}
		if u.Scheme == "tcp" {
			way.framing, way.limit = counted, streamLimit
		}
		s.name = "syslog " + u.Scheme + "://" + plain(way.address, maxName)
		s.ways = []syslogWay{way}
		return s, nil
	}
	return nil, errSyslogURL
}

var errSyslogURL = errors.New("read URL of syslog: give udp://HOST[:PORT], tcp://HOST[:PORT] or unix:///PATH")

// checkSocket returns an error if there is no socket of that path.
func checkSocket(path, what, remedy string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("find %s: %s: %w; %s", what, plain(path, maxName), cause(err), remedy)
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("find %s: %s is no socket; %s", what, plain(path, maxName), remedy)
	}
	return nil
}

// Name returns the daemon's address.
func (s *Syslog) Name() string { return s.name }

// Traits says that it is a log.
func (s *Syslog) Traits() Traits { return Traits{Log: true} }

// Deliver sends messages. One that was cut off is sent again, whole, on a new connection.
func (s *Syslog) Deliver(ctx context.Context, deliveries []Delivery) error {
	for i := range deliveries {
		if err := s.deliver(ctx, &deliveries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Syslog) deliver(ctx context.Context, d *Delivery) error {
	for {
		used := s.now != nil && !s.now.over.Load()
		if !used {
			s.Close()
			if err := s.dial(ctx); err != nil {
				return &DeliveryError{Err: err, Unheard: true}
			}
		}
		err := s.send(ctx, d)
		if err != nil || s.now.way.network == "udp" { // whose host may have another address next time
			s.Close()
		}
		if err == nil {
			return nil
		}
		if !used || ctx.Err() != nil {
			return fmt.Errorf("send: %w", netCause(err))
		}
		// The daemon may only have been restarted.
	}
}

func (s *Syslog) send(ctx context.Context, d *Delivery) error {
	way := &s.now.way
	form := s.header.append
	if way.local {
		form = s.header.appendLocal
	}
	message := form(s.buf[:0], d, way.limit)
	s.buf = message
	switch way.framing {
	case counted:
		message = append([]byte(strconv.Itoa(len(message))+" "), message...)
	case lines:
		message = append(message, '\n')
	case datagram:
	}
	return write(ctx, s.now, message)
}

// write writes all of b, until the context is done.
func write(ctx context.Context, c net.Conn, b []byte) error {
	deadline, _ := ctx.Deadline()
	_ = c.SetWriteDeadline(deadline)
	stop := context.AfterFunc(ctx, interrupt(c.SetWriteDeadline))
	defer stop()
	_, err := c.Write(b)
	return err
}

func (s *Syslog) dial(ctx context.Context) error {
	dialer := net.Dialer{Timeout: dialTimeout}
	var last error
	for _, way := range s.ways {
		conn, err := dialer.DialContext(ctx, way.network, way.address)
		if err != nil {
			last = err
			continue
		}
		s.now = &syslogConn{Conn: conn, way: way}
		if way.framing != datagram {
			go s.now.watch()
		}
		return nil
	}
	return fmt.Errorf("connect: %w", netCause(last))
}

// watch closes a stream as soon as the daemon has: a message written to it then would be lost without a word, and our
// own socket would be stuck in CLOSE_WAIT. It ends with the connection.
func (c *syslogConn) watch() {
	_, _ = io.Copy(io.Discard, c.Conn)
	c.over.Store(true)
	c.Conn.Close()
}

// Close gives up the connection.
func (s *Syslog) Close() error {
	if s.now == nil {
		return nil
	}
	err := s.now.Conn.Close()
	s.now = nil
	return err
}

// netCause returns the error without addresses, which the sink's name has in printable characters.
func netCause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err
	}
	return err
}
