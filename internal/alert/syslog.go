package alert

import (
	"context"
	"errors"
	"fmt"

	"github.com/tcptrail/tcptrail/internal/systemlog"
)

// Syslog sends messages with labels and fields as structured data (systemlog.StructuredID).
type Syslog struct {
	name   string
	syslog *systemlog.Syslog
	form   syslogForm
	buf    []byte
}

// NewSyslog takes the URL of a daemon: udp://HOST[:PORT], tcp://HOST[:PORT] or unix:///PATH; "" is unix:///dev/log. A
// local one must be there.
func NewSyslog(url string) (*Syslog, error) {
	s, err := systemlog.OpenSyslog(url)
	if err != nil {
		return nil, err
	}
	return &Syslog{
		name: "syslog " + plain(s.Address(), maxName), syslog: s,
		form: syslogForm{systemlog.OwnHeader(), s.IsLocal(), s.Limit()},
	}, nil
}

// Name returns the daemon's address.
func (s *Syslog) Name() string { return s.name }

// Traits says that it is a log.
func (s *Syslog) Traits() Traits { return Traits{Log: true} }

// Deliver sends messages.
func (s *Syslog) Deliver(ctx context.Context, deliveries []Delivery) error {
	for i := range deliveries {
		s.buf = s.form.append(s.buf[:0], &deliveries[i])
		switch _, err := s.syslog.Send(ctx, s.buf); {
		case errors.Is(err, systemlog.ErrConnect):
			return &DeliveryError{Err: err, Unheard: true}
		case err != nil:
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

// Close gives up the connection.
func (s *Syslog) Close() error { return s.syslog.Close() }
