package recorder

import (
	"strconv"
	"time"

	"github.com/tcptrail/tcptrail/internal/archive"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	// maxNames is how many processes' streams are remembered; beyond it all are forgotten, and asked for again.
	maxNames = 1 << 16
	// trustFor is for how long a pid with the same name is taken for the same process: the kernel gives pids out in turn, so
	// none comes again that soon.
	trustFor = time.Minute
)

// names gives each process a stream: it asks for the process when it has not met it, when its name has changed, and once
// in a while.
type names struct {
	started func(pid uint32) (time.Duration, bool)
	known   map[uint32]*name
}

type name struct {
	stream string
	comm   tcp.Comm
	asked  int64 // CLOCK_MONOTONIC of the event, ns
	start  string
}

func newNames(started func(uint32) (time.Duration, bool)) names {
	return names{started: started, known: map[uint32]*name{}}
}

// unowned is the stream of sockets without a known owner.
const unowned = "unowned"

// of returns the stream of the event's owner.
func (n *names) of(e *tcp.Event) string {
	if e.PID == 0 {
		return unowned
	}
	known := n.known[e.PID]
	if known != nil && known.comm == e.Comm && e.Mono-known.asked < int64(trustFor) {
		return known.stream
	}
	start := gone
	if since, ok := n.started(e.PID); ok {
		start = startText(since)
	} else if known != nil && known.comm == e.Comm {
		start = known.start // it has ended since
	}
	if known == nil {
		if len(n.known) >= maxNames {
			clear(n.known)
		}
		known = &name{}
		n.known[e.PID] = known
	}
	*known = name{stream: archive.StreamName(e.Comm.Bytes(), e.PID, start), comm: e.Comm, asked: e.Mono, start: start}
	return known.stream
}

// gone stands for the start of a process that ended before it could be asked for.
const gone = "gone"

// startText is the number of hundredths of a second since boot, as in /proc/PID/stat.
func startText(since time.Duration) string {
	return strconv.FormatInt(int64(since/(10*time.Millisecond)), 10)
}
