package leak

import (
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	// foresight is how far beyond what is due by now a look sees: it may begin as early before a deadline, and the other end
	// of a stuck connection is no younger by more.
	foresight = 2 * time.Second
	// doubt is how far from a look's horizon the time must be that is known of a socket, for the look to tell that it is gone.
	doubt = 250 * time.Millisecond
)

// Horizon returns how far the next look has to see to find all that is stuck at time now, or no bounds where it has to see
// all: the first one, after Blind, when there are sockets without a clock, and when the one before left something open.
func (w *Watcher) Horizon(now int64) (h tcp.Horizon) {
	if w.look == 0 || w.blind {
		return h
	}
	for c := range w.unkept {
		if Condition(c) != Zombie && w.unkept[c].n > 0 {
			return h
		}
	}
	for c := Condition(1); c < Zombie; c++ {
		if limit, ok := w.limits.Of(c); ok {
			h[c.State()] = now - int64(limit.Warn) + int64(foresight)
		}
	}
	// The ends of one connection need one another, whatever their limits.
	pair := max(h[tcp.CloseWait], h[tcp.FinWait2])
	h[tcp.CloseWait], h[tcp.FinWait2] = pair, pair
	h[tcp.Close], h[tcp.Listen] = 0, 0
	return h
}

// Blind says that events were lost: the next look is to see all.
func (w *Watcher) Blind() { w.blind = true }

// isBeyond says whether a look need not have seen a socket that is watched.
func (slot *slot) isBeyond(h *tcp.Horizon) bool {
	until := h[slot.condition.State()]
	return until != 0 && (slot.flags&isExact == 0 || slot.entered > until-int64(doubt))
}
