package output

import (
	"io"
	"math"
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Connection is what a recording says of one connection, from its first state to its end; or of a listener.
type Connection struct {
	Host, BootID string // where it was; cookies are of a boot; "" when that is not recorded
	Cookie       uint64 // 0 when unknown
	CgroupID     uint64
	NetNS, UID   uint32
	Family       tcp.Family
	Kind         tcp.Kind // Full, unless all that is known is what a look saw
	Local        netip.AddrPort
	Remote       netip.AddrPort
	PID          uint32 // last owner that was known; 0: none ever was
	Comm         tcp.Comm
	Evidence     tcp.Evidence
	Born         bool // Steps begins with how it began; else it had begun before what is recorded
	Zombie       bool // seen in CLOSE with a descriptor still open
	Steps        []Step
	End          *tcp.Event // how it went to CLOSE; nil: it goes on, or its end is not recorded
}

// State returns the last state that is known: CLOSE when it has ended.
func (c *Connection) State() tcp.State {
	if c.End != nil {
		return tcp.Close
	}
	for i := len(c.Steps) - 1; i >= 0; i-- {
		if c.Steps[i].State != 0 {
			return c.Steps[i].State
		}
	}
	return 0
}

// Began returns when the first that is known of it was, ns since 1970.
func (c *Connection) Began() int64 {
	for i := range c.Steps {
		if c.Steps[i].Time != 0 {
			return c.Steps[i].Time
		}
	}
	if c.End != nil {
		return c.End.Time
	}
	return 0
}

// Step is a state that a connection was in; or, with State 0, a time of which it is not known what happened.
type Step struct {
	State    tcp.State
	Gap      Gap
	Lost     uint64  // events, of a GapLost
	Time     int64   // when it came into State, or the gap began to be known; ns since 1970, 0: unknown
	Until    int64   // of a GapUnrecorded: when recording went on; 0: it did not
	NoLater  bool    // it came into State at Time or before
	Stay     tcp.Age // how long it was in State
	Open     bool    // in which it was when the recording ended
	PID      uint32  // owner then
	Comm     tcp.Comm
	Evidence tcp.Evidence
}

// Gap is why it is not known what happened.
type Gap uint8

// The gaps.
const (
	GapNone       Gap = iota
	GapLost           // events were lost, of this or of other sockets
	GapMissed         // the kernel hid a transition from the tracer, or it was not recorded
	GapUnrecorded     // nobody recorded
)

var gapNames = [...]string{"", "lost", "missed", "unrecorded"}

// String returns the name used in JSON; "" for GapNone.
func (g Gap) String() string {
	if int(g) >= len(gapNames) {
		return ""
	}
	return gapNames[g]
}

// HistoryTotals sums connections up.
type HistoryTotals struct {
	Connections uint64
	Final       [tcp.States + 1]uint64 // by the last state that is known
	States      [tcp.States + 1]StateTotal
}

// StateTotal is how much time connections have spent in a state.
type StateTotal struct {
	Stays   uint64        // how often one was in it
	Unknown uint64        // of these, whose length is not even bounded from below
	Inexact uint64        // whose length is a lower bound, the ones that go on included
	Total   time.Duration // of all but Unknown
	Longest time.Duration
	Cookie  uint64 // of the longest
	IsBound bool   // the longest is a lower bound
}

// Add counts a connection.
func (t *HistoryTotals) Add(c *Connection) {
	t.Connections++
	t.Final[c.State()]++
	for i := range c.Steps {
		if s := &c.Steps[i]; s.State != 0 {
			t.States[index(s.State)].add(s, c.Cookie)
		}
	}
}

func (t *StateTotal) add(s *Step, cookie uint64) {
	t.Stays++
	atLeast, _ := bounds(s.Stay)
	if atLeast < 0 {
		t.Unknown++
		return
	}
	isBound := s.Open || !s.Stay.Exact()
	if isBound {
		t.Inexact++
	}
	t.Total += min(atLeast, math.MaxInt64-t.Total) // what a file says may be anything
	if atLeast > t.Longest || t.Stays-t.Unknown == 1 {
		t.Longest, t.Cookie, t.IsBound = atLeast, cookie, isBound
	}
}

// HistoryOptions says how connections are written.
type HistoryOptions struct {
	Format   Format // Table, Wide or JSON
	Color    bool
	Width    int            // of the terminal, for which long lines are broken; 0 when it is none
	Location *time.Location // nil means time.Local
}

// maxHistoryRow is more than most blocks of a connection.
const maxHistoryRow = 8 << 10

// History writes connections, one after the other. It is not safe for concurrent use.
type History struct {
	sink
	format   Format
	paint    painter
	width    int
	location *time.Location
	began    bool
}

// NewHistory returns a History to w.
func NewHistory(w io.Writer, o HistoryOptions) *History {
	h := &History{sink: newSink(w, maxHistoryRow), format: o.Format, paint: painter(o.Color), width: o.Width, location: o.Location}
	if h.location == nil {
		h.location = time.Local
	}
	return h
}

// Connection adds one connection. The first error of the underlying writer is kept, and returned from then on.
func (h *History) Connection(c *Connection) error {
	if h.err != nil {
		return h.err
	}
	if h.format == JSON {
		h.buf = appendHistoryJSON(h.buf, c)
	} else {
		h.gap()
		h.buf = h.block(h.buf, c)
	}
	return h.added()
}

// Totals adds the sums.
func (h *History) Totals(t *HistoryTotals) error {
	if h.err != nil {
		return h.err
	}
	if h.format == JSON {
		h.buf = appendTotalsJSON(h.buf, t)
	} else {
		h.gap()
		h.buf = h.totals(h.buf, t)
	}
	return h.added()
}

// gap separates blocks by an empty line.
func (h *History) gap() {
	if h.began {
		h.buf = append(h.buf, '\n')
	}
	h.began = true
}

// Flush writes what is in the buffer. Errors are as with Connection.
func (h *History) Flush() error { return h.flush() }
