package kernel

import (
	"errors"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// look sets until when sockets must have come to be in their state to be seen by the walks that follow.
func (w *walks) look(h *tcp.Horizon, now int64, t ticks) error {
	var ns [matrixSide]uint64
	var jiffies [matrixSide]uint32
	for state, until := range h {
		ns[state] = uint64(until)
		if until != 0 {
			jiffies[state] = t.within(time.Duration(now-until), time.Duration(now))
		}
	}
	v := w.collection.Variables
	return errors.Join(v[snapshotVarHorizonNs].Set(ns), v[snapshotVarHorizonJiffies].Set(jiffies))
}

// within returns as many jiffies as have surely passed in no more than d; 0 when the host is up for so long that 32 bits of
// jiffies prove nothing. The present jiffy has begun, and so had the one in question: see bounds.
func (t ticks) within(d, uptime time.Duration) uint32 {
	if uptime >= t.wrap() {
		return 0
	}
	return uint32(max(0, int64(d/t.length)-1))
}
