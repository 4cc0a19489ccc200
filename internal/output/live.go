package output

import (
	"io"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const liveSeconds = "2006-01-02 15:04:05"

// LiveSample is how many sockets are in each state at one moment, and what happened since the sample before.
type LiveSample struct {
	Time    int64         // wall clock, ns since 1970
	Elapsed time.Duration // since the sample before; 0 for the first
	Counts  tcp.Counts
	// Transitions is how many there were since the sample before, by old and new state.
	Transitions [tcp.States + 1][tcp.States + 1]uint64
	// Drift is by how much counts have been wrong, summed over states and since the start, as snapshots found.
	Drift      uint64
	Missed     uint64 // transitions that were not seen, since the start
	Lost       uint64 // transitions that were seen and not delivered, since the start
	Reconciled bool   // Counts were compared with a snapshot, and come from it
}

// LiveOptions says how samples are written.
type LiveOptions struct {
	CountOptions
	Matrix   bool           // add the transitions, old states by new ones, to a table
	Redraw   bool           // draw a table over the one before; the output is a terminal
	Height   int            // lines of the terminal, which a redrawn table keeps within; 0 when unknown
	Location *time.Location // zone of a table's time; nil means time.Local
}

// Live writes samples, each in one piece, so that a terminal never shows half of one. It is not safe for concurrent use.
type Live struct {
	sink
	o      LiveOptions
	before tcp.Counts // of the last sample
	began  bool
	block  []byte // a table before it is drawn
}

// NewLive returns a Live to w. It writes nothing yet.
func NewLive(w io.Writer, o LiveOptions) *Live {
	if o.Location == nil {
		o.Location = time.Local
	}
	return &Live{sink: newSink(w, 0), o: o}
}

// Resize says that the terminal has so many columns and lines now.
func (l *Live) Resize(width, height int) { l.o.Width, l.o.Height = width, height }

// Sample writes one sample. The first error of the underlying writer is kept and returned by every later call; nothing is
// written any more. What the formats have:
//
// A table has, for each state, how many sockets are in it, by how many more or fewer than before, and how many came into
// it and left it a second; - where that is unknown.
//
// JSON is one object a line, CSV one record, with the fields of WriteCounts, "interval_ms" after event (null for the
// first sample), and after total:
//
//	transitions   object   how many there were, by name as "ESTABLISHED>CLOSE_WAIT", those that happened; in CSV
//	                       NAME:NUMBER with blanks between them
//	drift         number   by how much counts were wrong since the start, as snapshots found
//	missed        number   transitions that were not seen, since the start
//	lost          number   transitions that were seen and not delivered, since the start
//	reconciled    boolean  counts come from a snapshot; in JSON only when true
func (l *Live) Sample(s *LiveSample) error {
	if l.err != nil {
		return l.err
	}
	switch l.o.Format {
	case JSON:
		l.buf = appendLiveJSON(l.buf, s)
	case CSV:
		if l.o.Header && !l.began {
			l.buf = appendCSVStates(append(l.buf, "time,event,interval_ms"...))
			l.buf = append(l.buf, ",transitions,drift,missed,lost,reconciled\n"...)
		}
		l.buf = appendLiveCSV(l.buf, s)
	default:
		l.draw(s)
	}
	l.began, l.before = true, s.Counts
	return l.flush()
}

// draw adds a table: over the one before, or an empty line below it.
func (l *Live) draw(s *LiveSample) {
	l.block = l.table(l.block[:0], s)
	if !l.o.Redraw {
		if l.began {
			l.buf = append(l.buf, '\n')
		}
		l.buf = append(l.buf, l.block...)
		return
	}
	l.buf = appendScreen(l.buf, l.block, l.o.Height)
}

// appendLiveJSON appends one sample as one object.
func appendLiveJSON(b []byte, s *LiveSample) []byte {
	b = appendJSONStart(b, s.Time, "count")
	b = appendJSONMillis(append(b, `,"interval_ms":`...), s.interval())
	b = appendJSONCounts(b, &s.Counts)
	b = append(b, `,"transitions":{`...)
	first := true
	s.each(func(from, to tcp.State, n uint64) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendStates(append(b, '"'), from, to), `":`...)
		b = appendUint(b, n)
	})
	b = appendUint(append(b, `},"drift":`...), s.Drift)
	b = appendUint(append(b, `,"missed":`...), s.Missed)
	b = appendUint(append(b, `,"lost":`...), s.Lost)
	if s.Reconciled {
		b = append(b, `,"reconciled":true`...)
	}
	return append(b, '}', '\n')
}

// appendLiveCSV appends one sample as one record.
func appendLiveCSV(b []byte, s *LiveSample) []byte {
	b = append(appendRFC3339(b, s.Time), ",count,"...)
	b = appendCSVMillis(b, s.interval())
	b = append(appendCSVCounts(b, &s.Counts), ',')
	first := true
	s.each(func(from, to tcp.State, n uint64) {
		if !first {
			b = append(b, ' ')
		}
		first = false
		b = appendUint(append(appendStates(b, from, to), ':'), n)
	})
	b = append(appendUint(append(b, ','), s.Drift), ',')
	b = append(appendUint(b, s.Missed), ',')
	b = append(appendUint(b, s.Lost), ',')
	return append(appendBool(b, s.Reconciled), '\n')
}

// interval returns the time since the sample before, Unknown when there is none.
func (s *LiveSample) interval() time.Duration {
	if s.Elapsed <= 0 {
		return tcp.Unknown
	}
	return s.Elapsed
}

// each calls do for every kind of transition that happened.
func (s *LiveSample) each(do func(from, to tcp.State, n uint64)) {
	for _, from := range lifeCycle {
		for _, to := range lifeCycle {
			if n := s.Transitions[from][to]; n > 0 {
				do(from, to, n)
			}
		}
	}
}

// appendStates appends a transition, as ESTABLISHED>CLOSE_WAIT.
func appendStates(b []byte, from, to tcp.State) []byte {
	return append(append(append(b, from.String()...), '>'), to.String()...)
}
