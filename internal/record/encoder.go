package record

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Encoder makes lines, numbered from a session's begin. It is not safe for concurrent use.
type Encoder struct {
	lines *output.Lines
	seq   uint64
}

// NewEncoder returns an Encoder for a session whose lines have higher numbers than that.
func NewEncoder(after int64) *Encoder {
	return &Encoder{lines: output.NewLines(), seq: uint64(after)}
}

// Last returns the number of the last line.
func (e *Encoder) Last() uint64 { return e.seq }

func (e *Encoder) next() uint64 {
	e.seq++
	return e.seq
}

// Transition appends the line of an event. It does not allocate where b has room.
//
//	mono      number  CLOCK_MONOTONIC of the transition, ns
//	comm_hex  string  the owner's name byte by byte, where comm cannot say it
//	seq       number  orders the lines of a directory
func (e *Encoder) Transition(b []byte, event *tcp.Event) []byte {
	b = e.lines.Append(b, event)
	b = b[:len(b)-len("}\n")]
	b = strconv.AppendInt(append(b, `,"mono":`...), event.Mono, 10)
	if comm := event.Comm.Bytes(); event.PID != 0 && !utf8.Valid(comm) {
		b = append(b, `,"comm_hex":"`...)
		b = append(hex.AppendEncode(b, comm), '"')
	}
	return e.end(b)
}

func (e *Encoder) end(b []byte) []byte {
	b = strconv.AppendUint(append(b, `,"seq":`...), e.next(), 10)
	return append(b, "}\n"...)
}

// begin appends what all other lines begin with.
func begin(b []byte, k Kind, at int64) []byte {
	b = time.Unix(0, at).UTC().AppendFormat(append(b, `{"time":"`...), timeLayout)
	return append(append(append(b, `","event":"`...), k.String()...), '"')
}

// timeLayout is RFC 3339 with nine decimals, always.
const timeLayout = "2006-01-02T15:04:05.000000000Z07:00"

// Session appends the line that begins a session, at a time in ns since 1970.
func (e *Encoder) Session(b []byte, at int64, s *SessionInfo) ([]byte, error) {
	return e.object(b, Session, at, s)
}

// Loss appends a line that says that n events are missing.
func (e *Encoder) Loss(b []byte, at int64, n uint64) []byte {
	b = strconv.AppendUint(append(begin(b, Loss, at), `,"lost":`...), n, 10)
	return e.end(b)
}

// End appends the line that ends a session.
func (e *Encoder) End(b []byte, at int64) []byte { return e.end(begin(b, End, at)) }

// object appends a line with the fields of v.
func (e *Encoder) object(b []byte, k Kind, at int64, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return b, fmt.Errorf("write %s: %w", k, err)
	}
	b = begin(b, k, at)
	if fields := text[1 : len(text)-1]; len(fields) > 0 {
		b = append(append(b, ','), fields...)
	}
	return e.end(b), nil
}
