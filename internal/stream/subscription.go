package stream

// Subscription is a reader's place among the events. Its methods are for one goroutine, which need not be the
// publisher's.
type Subscription[E any] struct {
	hub   *Hub[E]
	match func(*E) bool
	ready chan struct{}

	number int // in sets, once it has a block; the publisher gives it

	// With the hub's lock. The place: next to take is line of block. nil until the publisher has seen us.
	block  *block
	line   int
	pinned *block // holds the lines of the last Take
	lost   uint64 // since the last Take
	closed bool
}

// Subscribe returns a subscription to the events that are published from now on and that match says yes to; nil: to all.
// The publisher calls match, which must be quick and must not keep the event; it may call it once more while or after the
// subscription is closed. Errors are ErrFull and ErrClosed.
func (h *Hub[E]) Subscribe(match func(*E) bool) (*Subscription[E], error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended:
		return nil, ErrClosed
	case len(h.open) == MaxSubscriptions:
		return nil, ErrFull
	}
	s := &Subscription[E]{hub: h, match: match, ready: make(chan struct{}, 1)}
	h.open = append(h.open, s)
	h.changed.Store(true)
	h.listening.Add(1)
	return s, nil
}

// settle finds out who listens, and puts those who are new behind the last line. The publisher calls it: so no number
// changes hands while it writes a line.
func (h *Hub[E]) settle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed.Store(false)
	if h.newest == nil {
		h.newest = h.take()
		h.oldest, h.blocks = h.newest, 1
	}
	var taken set
	for _, s := range h.open {
		if s.block != nil {
			taken.add(s.number)
		}
	}
	h.choosy, h.all = h.choosy[:0], set{}
	for _, s := range h.open {
		if s.block == nil {
			s.number = taken.least()
			taken.add(s.number)
			s.block, s.line = h.newest, h.newest.lines
			s.block.readers++
		}
		if s.match == nil {
			h.all.add(s.number)
		} else {
			h.choosy = append(h.choosy, s)
		}
	}
	clear(h.choosy[len(h.choosy):cap(h.choosy)]) // or they would keep what they match alive
}

// Ready returns a channel that has a value when there is something to take. It may have one for nothing.
func (s *Subscription[E]) Ready() <-chan struct{} { return s.ready }

// Take appends lines, without line feeds, to batch and does not wait for any. They are valid, and not to be changed, until
// the next Take or Close. Lost is how many are missing before the first of them because this reader was slow (between
// them only if longer than 8 KiB, which none should be), or did not come to the hub: Hub.Lose. When it is not open, nothing more comes.
func (s *Subscription[E]) Take(batch [][]byte) (lines [][]byte, lost uint64, open bool) {
	lines = batch
	for {
		b, from, to, missing, open := s.pin()
		lost += missing
		for i := from; i < to; i++ {
			if !b.wants[i].has(s.number) {
				continue
			}
			if line := b.line(i); len(line) > 0 {
				lines = append(lines, line)
			} else {
				lost++
			}
		}
		if len(lines) > len(batch) || lost > 0 || from == to {
			return lines, lost, open
		}
	}
}

// pin holds a block, lets go of the one before, and moves behind the lines [from, to) of it. There are none if from is to.
func (s *Subscription[E]) pin() (b *block, from, to int, lost uint64, open bool) {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	s.unpin()
	lost, s.lost = s.lost, 0
	if s.closed || s.block == nil {
		return nil, 0, 0, lost, !s.closed && !h.ended
	}
	for s.line == s.block.shown && s.block.next != nil {
		s.move()
	}
	h.retire()
	b, from = s.block, s.line
	to = max(from, b.shown) // who is new stands behind what is not shown yet
	if from == to {
		return b, from, to, lost, !h.ended
	}
	s.line = to
	s.pinned = b
	b.pins++
	if b.next != nil || h.ended {
		s.wake() // there is more
	}
	return b, from, to, lost, true
}

// unpin lets go of the lines of the last Take, with the lock.
func (s *Subscription[E]) unpin() {
	if b := s.pinned; b != nil {
		s.pinned = nil
		b.pins--
		s.hub.recycle(b)
	}
}

// move goes on to the next block, with the lock.
func (s *Subscription[E]) move() {
	s.block.readers--
	s.block, s.line = s.block.next, 0
	s.block.readers++
}

func (s *Subscription[E]) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Close ends the subscription. It may be called more than once.
func (s *Subscription[E]) Close() {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.closed {
		return
	}
	s.unpin()
	s.closed = true
	for i, other := range h.open {
		if other == s {
			h.open[i] = h.open[len(h.open)-1]
			h.open[len(h.open)-1] = nil
			h.open = h.open[:len(h.open)-1]
			break
		}
	}
	if s.block != nil {
		s.block.readers--
		s.block = nil
	}
	if len(h.open) == 0 {
		h.free = nil
	}
	if h.newest != nil {
		h.retire()
	}
	h.changed.Store(true)
	h.listening.Add(-1)
}
