package leak

import "github.com/tcptrail/tcptrail/internal/tcp"

// settle takes over what a look has found about a watched socket, and queues it for the next level.
func (w *Watcher) settle(place uint32, s *tcp.Socket, start int64, level Level) {
	slot := w.pool.at(place)
	slot.flags |= isLooked
	slot.progress = progress(s)
	limit := w.limits.of[slot.condition]
	deadline := start + int64(limit.At(level+1))
	if level == slot.level && deadline == slot.deadline && slot.where != inQueue {
		return
	}
	w.queues.drop(place)
	slot.level, slot.deadline = level, deadline
	w.queues.push(place)
}

// rest ends a look: what waits for one that this has not covered is put off, and what it was not far enough for waits for
// the next.
func (w *Watcher) rest(s *tcp.Snapshot, now int64) {
	w.gone, w.before = 0, now
	for place := w.queues.waiting.head; place != nowhere; {
		slot := w.pool.at(place)
		next := slot.next
		if slot.look != w.look && slot.isBeyond(&s.Horizon) {
			w.blind = true
		}
		if !covers(s, slot.netns) {
			w.queues.drop(place)
			slot.deadline = now + int64(w.limits.of[slot.condition].Warn)
			w.queues.push(place)
		}
		place = next
	}
}
