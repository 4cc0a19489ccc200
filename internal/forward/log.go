package forward

import (
	"context"
	"strconv"
	"time"

	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/systemlog"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Log is a log of the host, or of another: a Journal or a Syslog. It is not safe for concurrent use.
type Log interface {
	// Name says what it is, and where. It may have any characters.
	Name() string
	// Transition appends a message about a transition, Loss one that says that n are missing, for that cause.
	Transition(b []byte, e *tcp.Event) []byte
	Loss(b []byte, at time.Time, n uint64, cause string) []byte
	// Send sends messages, and returns how many the kernel has taken; see systemlog.
	Send(ctx context.Context, messages ...[]byte) (sent int, err error)
	Close() error
}

// The MESSAGE_IDs of entries in the journal.
const (
	TransitionMessageID = "70d6c382e8f845d1b077cf1f2e1d881d"
	LossMessageID       = "22a9549e679e42129ae86e1c11378757"
)

// Journal makes entries for systemd's journal: MESSAGE as trace prints a transition, the fields of fieldNames as far as they
// are known, and the line of trace -o json in TCPTRAIL_JSON. An entry about a loss has TCPTRAIL_LOST.
type Journal struct {
	*systemlog.Journal
	text   *text
	values values
	lines  *output.Lines
}

// OpenJournal takes the path of a journal's socket, "" for the host's, which must be there.
func OpenJournal(path string) (*Journal, error) {
	j, err := systemlog.OpenJournal(path)
	if err != nil {
		return nil, err
	}
	return &Journal{Journal: j, text: newText(), lines: output.NewLines()}, nil
}

// Name returns "journal".
func (j *Journal) Name() string { return "journal" }

// What begins an entry, behind its message.
var (
	transitionHead = journalHead(systemlog.Info, TransitionMessageID, "transition")
	lossHead       = journalHead(systemlog.Warning, LossMessageID, "loss")
)

func journalHead(severity int, messageID, event string) string {
	b := systemlog.AppendField(nil, "PRIORITY", strconv.Itoa(severity))
	b = systemlog.AppendField(b, "SYSLOG_IDENTIFIER", systemlog.AppName)
	b = systemlog.AppendField(b, "SYSLOG_FACILITY", strconv.Itoa(systemlog.FacilityDaemon))
	b = systemlog.AppendField(b, "MESSAGE_ID", messageID)
	return string(systemlog.AppendField(b, "TCPTRAIL_EVENT", event))
}

// Transition appends an entry.
func (j *Journal) Transition(b []byte, e *tcp.Event) []byte {
	b = append(append(systemlog.BeginLine(b, "MESSAGE"), j.text.of(e)...), '\n')
	b = append(b, transitionHead...)
	j.values.set(e)
	for f := range fields {
		if value := j.values.of(f); len(value) > 0 {
			b = append(append(systemlog.BeginLine(b, fieldNames[f].journal), value...), '\n')
		}
	}
	b = systemlog.BeginLine(b, "TCPTRAIL_JSON")
	return j.lines.Append(b, e) // with a line feed
}

// Loss appends an entry.
func (j *Journal) Loss(b []byte, _ time.Time, n uint64, cause string) []byte {
	b = systemlog.AppendField(b, "MESSAGE", lossText(n, cause))
	b = append(b, lossHead...)
	return systemlog.AppendField(b, "TCPTRAIL_LOST", strconv.FormatUint(n, 10))
}

func lossText(n uint64, cause string) string {
	if n == 1 {
		return "1 transition is missing: " + cause
	}
	return strconv.FormatUint(n, 10) + " transitions are missing: " + cause
}

// Syslog makes messages of syslog: as text what trace prints, as structured data the fields of fieldNames, as far as they
// are known. One about a loss has lost.
type Syslog struct {
	*systemlog.Syslog
	header systemlog.Header
	text   *text
	values values
}

// OpenSyslog takes a URL as systemlog.OpenSyslog does.
func OpenSyslog(url string) (*Syslog, error) {
	s, err := systemlog.OpenSyslog(url)
	if err != nil {
		return nil, err
	}
	return &Syslog{Syslog: s, header: systemlog.OwnHeader(), text: newText()}, nil
}

// Name returns the daemon's address.
func (s *Syslog) Name() string { return "syslog " + s.Address() }

// Transition appends a message.
func (s *Syslog) Transition(b []byte, e *tcp.Event) []byte {
	end := len(b) + s.Limit()
	s.values.set(e)
	at, text := time.Unix(0, e.Time), s.text.of(e)
	if s.IsLocal() {
		b = append(s.header.AppendLocal(b, systemlog.Info, at), text...)
		return s.appendElement(append(b, ' '), end)
	}
	b = s.header.Append(b, systemlog.Info, at, "TRANSITION")
	b = s.appendElement(b, end-len(text)-len(" "))
	return append(append(b, ' '), text...)
}

func (s *Syslog) appendElement(b []byte, end int) []byte {
	b = systemlog.BeginElement(b)
	for f := range fields {
		if value := s.values.of(f); len(value) > 0 {
			b = systemlog.AppendParam(b, fieldNames[f].param, value, end)
		}
	}
	return append(b, ']')
}

// Loss appends a message.
func (s *Syslog) Loss(b []byte, at time.Time, n uint64, cause string) []byte {
	end := len(b) + s.Limit()
	if s.IsLocal() {
		b = append(s.header.AppendLocal(b, systemlog.Warning, at), lossText(n, cause)+" "...)
		return appendLost(b, n, end)
	}
	b = appendLost(s.header.Append(b, systemlog.Warning, at, "LOSS"), n, end)
	return append(b, " "+lossText(n, cause)...)
}

func appendLost(b []byte, n uint64, end int) []byte {
	return append(systemlog.AppendParam(systemlog.BeginElement(b), "lost", strconv.FormatUint(n, 10), end), ']')
}
