package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tcptrail/tcptrail/internal/systemlog"
)

// Journal writes entries to systemd's journal, with these fields besides the usual ones:
//
//	MESSAGE_ID                              JournalMessageID
//	TCPTRAIL_ID, _STATUS, _SEVERITY, _SINCE of the finding
//	TCPTRAIL_DESCRIPTION                    may have several lines
//	TCPTRAIL_...                            each label and field, its name in capitals
//	TCPTRAIL_JSON                           the finding
type Journal struct {
	journal journalSender
	buf     []byte
}

// journalSender is what sends entries; *systemlog.Journal is one, and says what the methods do.
type journalSender interface {
	Send(ctx context.Context, entries ...[]byte) (sent int, err error)
	Close() error
}

// JournalMessageID is the MESSAGE_ID of all entries about findings.
const JournalMessageID = "6805c7f522ca4e9ba9c6ad1dc48187ab"

// maxField is how much of a field there is. What does not fit into an entry with the others is left out, the JSON first.
const maxField = 8 << 10

// NewJournal takes the path of the journal's socket, "" for the usual one, which must be there.
func NewJournal(path string) (*Journal, error) {
	j, err := systemlog.OpenJournal(path)
	if err != nil {
		return nil, err
	}
	return &Journal{journal: j}, nil
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
	for limit := systemlog.MaxEntry; ; limit /= 2 {
		j.buf = appendEntry(j.buf[:0], d, limit)
		_, err := j.journal.Send(ctx, j.buf)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EMSGSIZE) && limit > systemlog.MaxEntry/16:
			continue // the administrator may have made buffers smaller (net.core.wmem_max)
		}
		return fmt.Errorf("write: %w", err)
	}
}

// Close closes the socket.
func (j *Journal) Close() error { return j.journal.Close() }

// appendEntry appends the fields of an entry, those of them that fit into limit bytes.
func appendEntry(b []byte, d *Delivery, limit int) []byte {
	end := len(b) + limit
	add := func(name, value string) {
		before := len(b)
		if b = systemlog.AppendField(b, name, value); len(b) > end {
			b = b[:before]
		}
	}
	add("MESSAGE", plain(d.Summary, maxField))
	add("PRIORITY", strconv.Itoa(priority(&d.Alert)))
	add("SYSLOG_IDENTIFIER", systemlog.AppName)
	add("SYSLOG_FACILITY", strconv.Itoa(systemlog.FacilityDaemon))
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
			if name := word(p.Name, systemlog.MaxFieldName-len("TCPTRAIL_")); name != "" && p.Value != "" {
				add("TCPTRAIL_"+strings.ToUpper(name), plainLines(p.Value, maxField))
			}
		}
	}
	add("TCPTRAIL_JSON", string(bytes.ToValidUTF8(d.JSON, []byte("\ufffd"))))
	return b
}
