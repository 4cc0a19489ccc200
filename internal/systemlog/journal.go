package systemlog

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"syscall"
)

// Journal sends entries to systemd's journal by its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL). It is
// not safe for concurrent use.
//
// go-systemd's journal package has the path, the socket and its lack of a deadline built in.
type Journal struct {
	path string
	conn net.Conn
}

// JournalSocket is where the journal of the host listens. Namespaces of it have others, as systemd.exec(5) says under
// LogNamespace=.
const JournalSocket = "/run/systemd/journal/socket"

// The bounds of an entry.
const (
	// MaxEntry is how large an entry may be: well within the send buffer of a socket, which bounds a datagram.
	MaxEntry = 64 << 10
	// MaxFieldName is the journal's own bound. Names are of capitals, digits and underscores, and begin with a capital.
	MaxFieldName = 64
)

// OpenJournal takes the path of the journal's socket, "" for JournalSocket, which must be there.
func OpenJournal(path string) (*Journal, error) {
	if path == "" {
		path = JournalSocket
	}
	if err := checkSocket(path, "journal", "systemd's journal does not run here; use syslog or a file"); err != nil {
		return nil, err
	}
	return &Journal{path: path}, nil
}

// Send sends entries, each as AppendField made it, one datagram each. It waits for a journal that is behind until the
// context ends, and connects anew once if journald was restarted. It returns how many the kernel has taken. An error of
// syscall.EMSGSIZE is about the next one alone, which is larger than a datagram may be here (net.core.wmem_max).
func (j *Journal) Send(ctx context.Context, entries ...[]byte) (sent int, err error) {
	for {
		used := j.conn != nil
		if !used {
			if j.conn, err = dial(ctx, "unixgram", j.path); err != nil {
				return sent, err
			}
		}
		n, err := writeEach(ctx, j.conn, entries[sent:])
		sent += n
		if err == nil || errors.Is(err, syscall.EMSGSIZE) {
			return sent, err
		}
		j.Close()
		if !used || ctx.Err() != nil || isTimeout(err) {
			return sent, netCause(err)
		}
	}
}

// writeEach writes messages, one call each, and returns how many were.
func writeEach(ctx context.Context, c net.Conn, messages [][]byte) (n int, err error) {
	defer until(ctx, c)()
	for _, message := range messages {
		if _, err := c.Write(message); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// Close closes the socket. The next Send opens another.
func (j *Journal) Close() error {
	if j.conn == nil {
		return nil
	}
	err := j.conn.Close()
	j.conn = nil
	return err
}

// BeginLine appends the beginning of a field whose value is one line. What follows is the value and a line feed.
func BeginLine(b []byte, name string) []byte { return append(append(b, name...), '=') }

// AppendField appends a field of an entry: on one line, or, if the value has several, with its length as 64 bits,
// little-endian.
func AppendField(b []byte, name, value string) []byte {
	if !strings.Contains(value, "\n") {
		return append(append(BeginLine(b, name), value...), '\n')
	}
	b = append(append(b, name...), '\n')
	b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	return append(append(b, value...), '\n')
}
