package alert

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Journal writes entries to systemd's journal by its native protocol
// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), with these fields besides the usual ones:
//
//	MESSAGE_ID                              JournalMessageID
//	TCPTRAIL_ID, _STATUS, _SEVERITY, _SINCE of the finding
//	TCPTRAIL_DESCRIPTION                    may have several lines
//	TCPTRAIL_...                            each label and field, its name in capitals
//	TCPTRAIL_JSON                           the finding
//
// go-systemd's journal package has the path, the socket and its lack of a deadline built in.
type Journal struct {
	path string
	conn net.Conn
	buf  []byte
}

// JournalMessageID is the MESSAGE_ID of all entries about findings.
const JournalMessageID = "6805c7f522ca4e9ba9c6ad1dc48187ab"

const (
	journalSocket = "/run/systemd/journal/socket"
	// maxEntry is how large an entry is sent: well within the send buffer of a socket, which bounds a datagram. What does
	// not fit is left out, the JSON first.
	maxEntry = 64 << 10
	// maxFieldName is the journal's own bound.
	maxFieldName = 64
	maxField     = 8 << 10
)

// NewJournal takes the path of the journal's socket, "" for the usual one, which must be there.
func NewJournal(path string) (*Journal, error) {
	if path == "" {
		path = journalSocket
	}
	if err := checkSocket(path, "journal", "systemd's journal does not run here; use syslog or a file"); err != nil {
		return nil, err
	}
	return &Journal{path: path}, nil
}

// Name returns "journal".
func (j *Journal) Name() string { return "journal" }

// Traits says that it is a log.
func (j *Journal) Traits() Traits { return Traits{Log: true} }

// Deliver sends entries.
func (j *Journal) Deliver(ctx context.Context, deliveries []Delivery) error {
	for i := range deliveries {
		if err := j.deliver(ctx, &deliveries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) deliver(ctx context.Context, d *Delivery) error {
	for limit := maxEntry; ; limit /= 2 {
		j.buf = appendEntry(j.buf[:0], d, limit)
		err := j.send(ctx, j.buf)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EMSGSIZE) && limit > maxEntry/16:
			continue // the administrator may have made buffers smaller (net.core.wmem_max)
		}
		return fmt.Errorf("write: %w", netCause(err))
	}
}

// send sends a datagram, by a new socket if journald was restarted.
func (j *Journal) send(ctx context.Context, entry []byte) error {
	for {
		used := j.conn != nil
		if !used {
			dialer := net.Dialer{Timeout: dialTimeout}
			conn, err := dialer.DialContext(ctx, "unixgram", j.path)
			if err != nil {
				return err
			}
			j.conn = conn
		}
		err := write(ctx, j.conn, entry)
		if err == nil || errors.Is(err, syscall.EMSGSIZE) {
			return err
		}
		j.Close()
		if !used || ctx.Err() != nil {
			return err
		}
	}
}

// Close closes the socket.
func (j *Journal) Close() error {
	if j.conn == nil {
		return nil
	}
	err := j.conn.Close()
	j.conn = nil
	return err
}

// appendEntry appends the fields of an entry, those of them that fit into limit bytes.
func appendEntry(b []byte, d *Delivery, limit int) []byte {
	end := len(b) + limit
	add := func(name, value string) {
		before := len(b)
		if b = appendField(b, name, value); len(b) > end {
			b = b[:before]
		}
	}
	add("MESSAGE", plain(d.Summary, maxField))
	add("PRIORITY", strconv.Itoa(priority(&d.Alert)))
	add("SYSLOG_IDENTIFIER", appName)
	add("SYSLOG_FACILITY", strconv.Itoa(facilityDaemon))
	add("MESSAGE_ID", JournalMessageID)
	add("TCPTRAIL_ID", plain(d.ID, maxID))
	add("TCPTRAIL_STATUS", d.Status.String())
	add("TCPTRAIL_SEVERITY", plain(d.Severity, maxID))
	add("TCPTRAIL_SINCE", d.Since.UTC().Format(time.RFC3339Nano))
	if d.Description != "" {
		add("TCPTRAIL_DESCRIPTION", plainLines(d.Description, maxField))
	}
	for _, pairs := range [...][]Pair{d.Labels, d.Fields} {
		for _, p := range pairs {
			if name := word(p.Name, maxFieldName-len("TCPTRAIL_")); name != "" && p.Value != "" {
				add("TCPTRAIL_"+strings.ToUpper(name), plainLines(p.Value, maxField))
			}
		}
	}
	add("TCPTRAIL_JSON", string(bytes.ToValidUTF8(d.JSON, []byte("\ufffd"))))
	return b
}

// appendField appends a field: on one line, or, if the value has several, with its length as 64 bits, little-endian.
func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	if !strings.Contains(value, "\n") {
		return append(append(append(b, '='), value...), '\n')
	}
	b = binary.LittleEndian.AppendUint64(append(b, '\n'), uint64(len(value)))
	return append(append(b, value...), '\n')
}
