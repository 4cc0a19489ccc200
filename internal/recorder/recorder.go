// Package recorder writes what a tracer sees into a directory of recordings: each transition into the stream of the process
// that owns the socket, and whatever is about the whole host into one of its own.
package recorder

import (
	"fmt"
	"sync"
	"time"

	"github.com/tcptrail/tcptrail/internal/archive"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Store keeps lines; *archive.Archive is one, and says what the methods do.
type Store interface {
	Append(stream string, line []byte, k archive.Keys)
	Flush()
	Mark() uint64
	SetMark(mark uint64) error
}

// HostStream has what is about the whole host: sessions, looks, losses; and with Options.Whole everything.
const HostStream = "host"

// Options say how to record.
type Options struct {
	Whole   bool // all into HostStream
	Session record.SessionInfo
	// Started returns when a process began, as time since boot, and whether it is there.
	Started func(pid uint32) (time.Duration, bool)
	Now     func() time.Time
}

// Recorder may be used from several goroutines.
type Recorder struct {
	options Options
	store   Store

	mu      sync.Mutex
	encoder *record.Encoder
	looks   *record.Looks
	names   names
	line    []byte
	written uint64 // transitions
	mark    uint64 // over the numbers of all lines
}

// marginLines is how far a mark is ahead of the last line: more than is written in a minute, and in ns less than a restart
// takes.
const marginLines = 100_000_000

// New begins a session. Its lines are numbered from the wall clock on, in ns since 1970, unless the session before was ahead
// of that: clocks are set back, and its lines come before ours nevertheless.
func New(s Store, o Options) (*Recorder, error) {
	now := o.Now()
	first := max(uint64(now.UnixNano()), s.Mark())
	r := &Recorder{options: o, store: s, encoder: record.NewEncoder(int64(first)), names: newNames(o.Started)}
	r.remark()
	r.looks = record.NewLooks(r.encoder)
	line, err := r.encoder.Session(nil, now.UnixNano(), &o.Session)
	if err != nil {
		return nil, err
	}
	s.Append(HostStream, line, archive.Keys{Time: now.UnixNano()})
	return r, nil
}

// remark lets the next session begin after what this one has written and will write soon. On a full disk it cannot; then
// lines are lost, too, and told.
func (r *Recorder) remark() {
	r.mark = r.encoder.Last() + marginLines
	_ = r.store.SetMark(r.mark)
}

// Event records a transition, which is kept when Flush returns.
func (r *Recorder) Event(e *tcp.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.line = r.encoder.Transition(r.line[:0], e)
	stream := HostStream
	if !r.options.Whole {
		stream = r.names.of(e)
	}
	r.written++
	r.store.Append(stream, r.line, keysOf(e))
}

func keysOf(e *tcp.Event) archive.Keys {
	return archive.Keys{Time: e.Time, Cookie: e.Cookie, Remote: e.Remote.Addr(), Local: e.Local.Addr(), PID: e.PID}
}

// Look records what was seen of the host's sockets, at the wall clock's at, by l: see record.Looks.
func (r *Recorder) Look(at int64, s *tcp.Snapshot, l *record.Look) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines, err := r.looks.Append(nil, at, s, l)
	if err != nil {
		return fmt.Errorf("record a look: %w", err)
	}
	for len(lines) > 0 { // one by one, for a segment may end after each
		n := lineLength(lines)
		r.store.Append(HostStream, lines[:n], archive.Keys{Time: at})
		lines = lines[n:]
	}
	return nil
}

// Lost records that events are missing.
func (r *Recorder) Lost(n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.options.Now().UnixNano()
	r.line = r.encoder.Loss(r.line[:0], at, n)
	r.store.Append(HostStream, r.line, archive.Keys{Time: at})
}

// Flush hands what was recorded to the kernel: from then on it survives the death of this process.
func (r *Recorder) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.store.Flush()
	if r.encoder.Last()+marginLines/2 > r.mark {
		r.remark()
	}
}

// End ends the session.
func (r *Recorder) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.options.Now().UnixNano()
	r.store.Append(HostStream, r.encoder.End(nil, at), archive.Keys{Time: at})
	r.store.Flush()
}

// Written returns how many transitions were recorded.
func (r *Recorder) Written() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.written
}

func lineLength(lines []byte) int {
	for i, c := range lines {
		if c == '\n' {
			return i + 1
		}
	}
	return len(lines)
}
