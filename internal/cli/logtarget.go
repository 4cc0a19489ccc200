package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tcptrail/tcptrail/internal/forward"
	"github.com/tcptrail/tcptrail/internal/systemlog"
)

// logTarget is where log sends transitions.
type logTarget struct {
	kind    targetKind
	address string // of the journal's socket, or URL of syslog; "" for the host's own
}

type targetKind uint8

const (
	toDirectory targetKind = iota
	toJournal
	toSyslog
)

// parseLogTarget reads --to. A journal's namespace has a socket of its own, which is given after a colon.
func parseLogTarget(text string) (t logTarget, err error) {
	kind, address, more := strings.Cut(text, ":")
	t.address = address
	switch {
	case more && address == "":
		return t, fmt.Errorf("--to %q: give an address after the colon, or leave that out", text)
	case kind == "journal" && more && !strings.HasPrefix(address, "/"):
		return t, fmt.Errorf("--to %q: give the path of a journal's socket, as journal:/run/systemd/journal.NAME/socket", text)
	case kind == "journal":
		t.kind = toJournal
	case kind == "syslog":
		t.kind = toSyslog
	case kind == "dir" && more:
		return t, errors.New("--to dir: name the directory by --dir")
	case kind != "dir":
		return t, fmt.Errorf("--to %q: use dir, journal, syslog, syslog:udp://HOST or syslog:tcp://HOST", text)
	}
	return t, nil
}

// open opens a log of the host, which is not a directory.
func (t logTarget) open() (l forward.Log, err error) {
	if t.kind == toJournal {
		l, err = forward.OpenJournal(t.address)
	} else {
		l, err = forward.OpenSyslog(t.address)
	}
	if err != nil {
		err = fmt.Errorf("--to: %w", err)
		if errors.Is(err, systemlog.ErrURL) {
			err = usageError{err}
		}
		return nil, err
	}
	return l, nil
}
