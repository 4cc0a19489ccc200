// Package stream hands events, encoded once, to any number of readers that come, go and fall behind as they like. Who
// publishes never waits for them.
package stream

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
)

// Why there is no subscription.
var (
	ErrFull   = errors.New("subscribe: there are as many subscriptions as there may be; close one, or try again later")
	ErrClosed = errors.New("subscribe: no more events come")
)

// DefaultMemory is how many bytes of lines a hub holds for readers that fall behind: 20,000 transitions, which is a pause
// of a second at 20,000 a second.
const DefaultMemory = 8 << 20

// Hub encodes each event once, if a reader wants it, into memory that all readers share. The memory is bounded; when it
// is used up, whoever is furthest behind loses its oldest lines, and is told how many. Others lose none by that.
//
// Publish, Lose, Flush and Close are for one goroutine. All else is safe for concurrent use.
type Hub[E any] struct {
	encode    func(line []byte, e *E) []byte
	maxBlocks int
	listening atomic.Int32 // subscriptions that are open
	changed   atomic.Bool  // so that Publish must see who listens: settle

	// The publisher's own: what settle has found, and who has lines that Flush is yet to show.
	choosy []*Subscription[E]
	all    set // those without a condition
	fresh  set

	mu     sync.Mutex
	open   []*Subscription[E] // the publisher knows those that have a block
	oldest *block
	newest *block // the publisher writes it; it alone moves this pointer, and may read it without the lock
	blocks int    // from oldest to newest
	free   []*block
	lost   uint64
	ended  bool
}

// NewHub returns a hub without readers. The function appends an event's line, which may end with a line feed, to what it
// is given. 0 bytes of memory are DefaultMemory; what is written to readers at the moment comes on top, a block (see
// blockBytes) each. While nobody listens there is one block at most.
func NewHub[E any](encode func(line []byte, e *E) []byte, memory int) *Hub[E] {
	if memory <= 0 {
		memory = DefaultMemory
	}
	return &Hub[E]{encode: encode, maxBlocks: max(memory/blockBytes, 2)}
}

// Listening returns how many subscriptions are open.
func (h *Hub[E]) Listening() int { return int(h.listening.Load()) }

// Lost returns how many lines slow readers have lost, all together.
func (h *Hub[E]) Lost() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

// Publish takes an event for those who want it. They see it after Flush, or when a block is full. The event is the
// caller's again afterwards. It allocates nothing once there is enough memory, and costs a look at an integer when nobody
// listens.
func (h *Hub[E]) Publish(e *E) {
	if h.listening.Load() == 0 {
		return
	}
	if h.changed.Load() {
		h.settle()
	}
	wanted := h.all
	for _, s := range h.choosy {
		if s.match(e) {
			wanted.add(s.number)
		}
	}
	if wanted == (set{}) {
		return
	}
	if h.newest.isFull() {
		h.turn()
	}
	b := h.newest
	room := b.room()
	line := h.encode(room, e)
	if len(line) > maxLine {
		line = line[:0] // which says that it is lost
	}
	b.add(len(bytes.TrimSuffix(line, []byte{'\n'})), wanted)
	h.fresh.join(&wanted)
}

// Lose tells every reader that so many events did not come to the hub at all. Whether it would have wanted them nobody
// knows. They are not among those that slow readers have lost.
func (h *Hub[E]) Lose(n uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.open {
		s.lost += n
		s.wake()
	}
}

// Flush lets readers see what was published. It is for the end of a batch of events: it may wake every reader.
func (h *Hub[E]) Flush() {
	if h.fresh == (set{}) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.show()
}

// Close ends all subscriptions once they have taken what is left.
func (h *Hub[E]) Close() {
	h.Flush()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for _, s := range h.open {
		s.wake()
	}
}

// show is called by the publisher, with the lock.
func (h *Hub[E]) show() {
	h.newest.shown = h.newest.lines
	for _, s := range h.open {
		if s.block != nil && h.fresh.has(s.number) {
			s.wake()
		}
	}
	h.fresh = set{}
}

// turn begins a new block. The publisher calls it.
func (h *Hub[E]) turn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.show()
	if h.blocks == h.maxBlocks {
		h.evict()
	}
	b := h.take()
	h.newest.next, h.newest = b, b
	h.blocks++
	h.retire()
}

// evict takes the oldest block from whoever has not read it to the end, with the lock.
func (h *Hub[E]) evict() {
	b := h.oldest
	for _, s := range h.open {
		if s.block == b {
			n := b.count(s.number, s.line, b.shown)
			s.lost += n
			h.lost += n
			s.move()
		}
	}
	h.retire()
}

// retire puts blocks aside that everybody has read, with the lock. One that somebody still writes from is put aside when
// that is over.
func (h *Hub[E]) retire() {
	for h.oldest != h.newest && h.oldest.readers == 0 {
		b := h.oldest
		h.oldest, b.next, b.retired = b.next, nil, true
		h.blocks--
		h.recycle(b)
	}
}

// recycle keeps a block for later if nobody uses it any more, with the lock.
func (h *Hub[E]) recycle(b *block) {
	if b.retired && b.pins == 0 && h.blocks+len(h.free) < h.maxBlocks && len(h.open) > 0 {
		h.free = append(h.free, b)
	}
}

// take returns an empty block, with the lock.
func (h *Hub[E]) take() *block {
	n := len(h.free)
	if n == 0 {
		return &block{}
	}
	b := h.free[n-1]
	h.free = h.free[:n-1]
	b.clear()
	return b
}
