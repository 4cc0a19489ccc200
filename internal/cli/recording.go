package cli

import (
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// eventRecorder keeps what a watcher learns; *recorder.Recorder is one, and says what the methods do.
type eventRecorder interface {
	Event(e *tcp.Event)
	Look(at int64, s *tcp.Snapshot, l *record.Look) error
	Lost(n uint64)
}

// notedFacts remembers what was said, for a recording.
type notedFacts struct {
	facts leak.Facts
	noted []record.FDLimit
}

func (f *notedFacts) FDLimit(pid uint32) (soft uint64, used int, ok bool) {
	soft, used, ok = f.facts.FDLimit(pid)
	if ok {
		f.noted = append(f.noted, record.FDLimit{PID: pid, Soft: soft, Used: used})
	}
	return soft, used, ok
}

// take returns what was said since it was called last.
func (f *notedFacts) take() []record.FDLimit {
	noted := f.noted
	f.noted = nil
	return noted
}

// record records what a report was made of. The caller holds the lock: so the watcher will learn of the events before and
// after it in the same order from the recording.
func (h *hunt) record(r *report, s *tcp.Snapshot) error {
	if h.recorder == nil {
		return nil
	}
	return h.recorder.Look(r.at, s, &record.Look{Now: r.now, FDLimits: h.noted.take()})
}
