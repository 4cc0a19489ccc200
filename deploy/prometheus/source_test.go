package prometheus_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/metrics"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// host is a source in which all is known. Its counters grow from reading to reading; when it is ill, so does all that
// is to be alarmed about, and every eighth reading fails.
type host struct {
	ill   atomic.Bool
	reads uint64 // one goroutine at a time reads
	sick  uint64 // readings while it was ill
}

func (h *host) Read(context.Context) (*metrics.Reading, error) {
	h.reads++
	if h.ill.Load() {
		h.sick++
		if h.sick%8 == 0 {
			return nil, errors.New("read counters: it is ill")
		}
	}
	n, bad := h.reads, h.sick
	r := &metrics.Reading{
		Version: "1.2.3", GoVersion: "go1.26.0", Kernel: "6.18.0",
		Counts: &tcp.Counts{Zombies: 1}, Transitions: &metrics.Matrix{}, Durations: &metrics.Durations{}, Stuck: h.stuck(),
		Processes: []metrics.Process{{PID: 42, Comm: tcp.Comm{'a', '\x1b'}, Sockets: 9, Stuck: 4}},
		Cgroups:   []metrics.Cgroup{{Path: "/docker/\n\"x", Container: "x", Sockets: 9, Stuck: 4}},
		Events: &metrics.Events{
			Seen: 100 * n, Delivered: 90 * n, Filtered: 5 * n, Lost: 5 + 50*bad, Missed: 1, Untracked: 1 + bad, Drift: 2 + 50*bad,
		},
		Sinks:    []metrics.Sink{{Name: "webhook", Delivered: n, Failed: 1 + bad, Dropped: 1, Queued: 3, Failing: bad > 0}},
		Log:      &metrics.Log{Lines: 90 * n, Bytes: 9000 * n, Lost: 3 + 10*bad, Disk: 1 << 20},
		Streams:  &metrics.Streams{Subscribers: 2, Dropped: n},
		Programs: []metrics.Program{{Name: "follow_state", Time: time.Duration(n) * time.Millisecond, Runs: 100 * n}},
	}
	for s := tcp.Established; s <= tcp.NewSynRecv; s++ {
		r.Counts.States[s] = 10
		r.Durations[s].Counts[20+s] = 3 * n
		r.Durations[s].Seconds = float64(n)
	}
	r.Transitions[tcp.Established][tcp.CloseWait] = 10 * n
	return r, nil
}

// stuck is what may be any day, and when the host is ill grows by a hundred from reading to reading.
func (h *host) stuck() *metrics.Stuck {
	var findings []leak.Finding
	for condition, cause := range map[leak.Condition]leak.Cause{
		leak.Condition(tcp.CloseWait): leak.NotClosed, leak.Condition(tcp.FinWait2): leak.HalfClosed, leak.Zombie: leak.ZombieHeld,
	} {
		findings = append(findings, leak.Finding{
			Key: leak.Key{Condition: condition, Cause: cause}, Status: leak.Firing, Level: leak.Warn,
			Count: 2 + 100*int(h.sick), Oldest: time.Hour,
		})
	}
	return metrics.StuckOf(findings)
}
