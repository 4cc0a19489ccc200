// Package systemlog speaks the protocols of the logs that a host has: systemd's journal by its native one, syslog by RFC
// 5424 and as syslog(3) does. It makes connections and the parts of messages that the protocols prescribe; what messages
// say, and that no control character is in it, is up to who sends them.
//
// Both take datagrams or streams and acknowledge nothing: what a daemon or the network loses after the kernel has taken it
// is lost.
package systemlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"
)

// AppName is who we are to syslog and the journal.
const AppName = "tcptrail"

// FacilityDaemon is "system daemons" (RFC 5424, table 1).
const FacilityDaemon = 3

// Severities (RFC 5424, table 2), which are the journal's priorities, too.
const (
	Critical = 2
	Warning  = 4
	Notice   = 5
	Info     = 6
)

// dialTimeout is how long a daemon may take to accept: a healthy one does within milliseconds.
const dialTimeout = 5 * time.Second

// ErrConnect is in errors of a daemon that could not be reached, which then has not heard of the message for certain.
var ErrConnect = errors.New("connect")

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConnect, netCause(err))
	}
	return conn, nil
}

// checkSocket returns an error if there is no socket of that path.
func checkSocket(path, what, remedy string) error {
	info, err := os.Stat(path)
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err // the path is said in printable characters
	}
	if err != nil {
		return fmt.Errorf("find %s: %q: %w; %s", what, path, err, remedy)
	}
	if info.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("find %s: %q is no socket; %s", what, path, remedy)
	}
	return nil
}

// netCause returns the error without the operation, which whoever reports it names, and without addresses, which they have
// in printable characters.
func netCause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		err = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		return call.Err
	}
	return err
}

// until lets writes to c end with the context. What it returns undoes that.
func until(ctx context.Context, c net.Conn) (undo func() bool) {
	deadline, _ := ctx.Deadline()
	_ = c.SetWriteDeadline(deadline)
	return context.AfterFunc(ctx, func() { _ = c.SetWriteDeadline(time.Unix(1, 0)) })
}
