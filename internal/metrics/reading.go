// Package metrics shows what tcptrail knows of a host to Prometheus. A Source says how things are at one moment, as plain
// data; the Handler makes metrics of that, of a bounded number whatever the host does.
package metrics

import (
	"context"
	"time"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Source says how things are. Read is called by one goroutine at a time, for as many scrapes as want to know meanwhile. It
// should return when the context is done: until it does nobody is answered.
type Source interface {
	Read(context.Context) (*Reading, error)
}

// Reading is all that is exported, as of one moment. What is nil, or "", is not known and becomes no metric: never a zero.
// It is the Handler's until the Source is asked for the next one, which may be the same again.
type Reading struct {
	Version   string // of tcptrail
	GoVersion string // of the compiler
	Kernel    string // its release, as uname -r prints it

	Counts      *tcp.Counts
	Transitions *Matrix
	Durations   *Durations
	Stuck       *Stuck
	Processes   []Process // in any order, any number; not nil and empty: there are none
	Cgroups     []Cgroup  // likewise
	Events      *Events
	Sinks       []Sink
	Log         *Log
	Streams     *Streams
	Programs    []Program
}

// Matrix counts transitions by old and new state.
type Matrix [tcp.States + 1][tcp.States + 1]uint64

// Durations is how long sockets were in the states that they left, by state.
type Durations [tcp.States + 1]Histogram

// Stuck is how many sockets are in a state for too long.
type Stuck struct {
	Sockets [conditions][causes]uint64 // by leak.Condition and leak.Cause
	// Oldest is how long the one that is stuck longest is in its state, at least, by leak.Condition; 0: there is none.
	Oldest   [conditions]time.Duration
	Findings [levels]uint64 // by leak.Level; that of leak.None is not exported
}

// The lengths of tables by condition, cause and level: the last ones of leak, and one more.
const (
	conditions = leak.Zombie + 1
	causes     = leak.Unanswered + 1
	levels     = leak.Critical + 1
)

// StuckOf sums findings up: those of which sockets are there still.
func StuckOf(findings []leak.Finding) *Stuck {
	var s Stuck
	for i := range findings {
		f := &findings[i]
		if f.Status != leak.Firing && f.Status != leak.Escalated {
			continue
		}
		s.add(f)
	}
	return &s
}

func (s *Stuck) add(f *leak.Finding) {
	if f.Level < levels {
		s.Findings[f.Level]++
	}
	if f.Key.Condition >= conditions || f.Key.Cause >= causes {
		return
	}
	s.Sockets[f.Key.Condition][f.Key.Cause] += uint64(max(f.Count, 0))
	s.Oldest[f.Key.Condition] = max(s.Oldest[f.Key.Condition], f.Oldest)
}

// Process is how many sockets a process owns.
type Process struct {
	PID     uint32   // 0: unknown
	Comm    tcp.Comm // hostile
	Sockets uint64
	Stuck   uint64
}

// Cgroup is how many sockets belong to a cgroup.
type Cgroup struct {
	Path      string // hostile; "" when unknown
	Container string // that it belongs to; "" when none
	Sockets   uint64
	Stuck     uint64
}

// Events is what became of the transitions since the tracer was attached.
type Events struct {
	Seen      uint64
	Delivered uint64 // to the log or a stream
	Lost      uint64 // for want of room in the rings
	Missed    uint64 // that the kernel hid from the tracer
	Filtered  uint64
	Untracked uint64 // of sockets of which nothing could be kept, for want of memory
	Drift     uint64 // sockets by which gauges were corrected, either way: census.Reconciler's
}

// Sink is how a receiver of alerts does.
type Sink struct {
	Name      string // without secrets; several of one name are summed up
	Delivered uint64
	Failed    uint64 // alerts that it refused for good
	Dropped   uint64 // alerts for which there was no room
	Queued    uint64 // alerts that it has yet to hear
	Failing   bool   // the last attempt failed
}

// Log is what became of the log's lines.
type Log struct {
	Lines uint64 // written
	Bytes uint64 // written, before compression
	Lost  uint64 // lines
	Disk  uint64 // bytes that its files take
}

// Streams is how the readers of the event stream do.
type Streams struct {
	Subscribers uint64 // now
	Dropped     uint64 // lines that a reader was too slow for
}

// Program is what one of our programs costs in the kernel.
type Program struct {
	Name string
	Time time.Duration
	Runs uint64
}
