package leak

import "github.com/tcptrail/tcptrail/internal/tcp"

// A connection that is half closed may be at work: rsync, ssh -W and HTTP/1.0 send on after the other side's end. As long
// as bytes flow, the clock of CLOSE_WAIT and FIN_WAIT2 starts with the last of them, and so does ESTABLISHED's always; but
// that of a connection that nobody has accepted runs from its beginning.

// mayFlow says whether payload may still flow in a condition.
func mayFlow(c Condition) bool {
	return c == Condition(tcp.Established) || c == Condition(tcp.CloseWait) || c == Condition(tcp.FinWait2)
}

// progress is a number that changes when a process writes or reads payload, or the peer acknowledges some.
func progress(s *tcp.Socket) uint64 {
	return s.BytesSent + s.BytesRecv - uint64(unread(s)) - uint64(s.SendQ)
}

// start returns when the time began for which a socket counts as stuck: when it entered its condition, or bytes flowed
// last. Slot is nil for one without a clock.
func (w *Watcher) start(s *tcp.Socket, c Condition, slot *slot, entered, now int64) int64 {
	if !mayFlow(c) || s.Unaccepted { // what a peer sends to nobody is no work
		return entered
	}
	looked := slot != nil && slot.flags&isLooked != 0
	moved := looked && slot.progress != progress(s)
	if moved && now-w.before <= int64(w.limits.of[c].Warn) {
		return now
	}
	if s.LastReceived != tcp.Unknown {
		entered = max(entered, seen(s, now)-int64(s.LastReceived))
	}
	if s.LastSent == tcp.Unknown {
		return entered
	}
	sent := seen(s, now) - int64(s.LastSent)
	if isRetransmitting(s) || looked && !moved && sent > w.before+int64(imprecision) {
		return entered // sent again what had been sent before, of which the kernel's time stamp makes no difference
	}
	return max(entered, sent)
}
