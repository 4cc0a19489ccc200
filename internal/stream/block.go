package stream

import "math/bits"

const (
	// blockBytes is enough for some hundred transitions, so that locks and blocks cost little for each, and little enough
	// to be a reader's share of memory while it is written to.
	blockBytes = 64 << 10
	// blockLines is what fits if lines are as short as they get.
	blockLines = 256
	// maxLine is far more than any transition takes; a longer one counts as lost. Less room than this is not used.
	maxLine = 8 << 10
)

// block is memory with lines. The publisher writes what is not shown yet, without a lock; readers read what is shown.
type block struct {
	buf   [blockBytes]byte
	ends  [blockLines]int32 // where each line ends in buf; one that is empty is lost to those who wanted it
	wants [blockLines]set   // who wants it
	used  int               // bytes; the publisher's
	lines int               // the publisher's

	// With the hub's lock.
	shown   int // lines
	readers int // subscriptions whose next line is here, or would be
	pins    int // subscriptions that have slices of buf
	retired bool
	next    *block
}

func (b *block) isFull() bool { return b.lines == blockLines || b.used+maxLine > blockBytes }

// room returns where to append a line. What does not fit is reallocated, and so no harm is done.
func (b *block) room() []byte { return b.buf[b.used : b.used : b.used+maxLine] }

// add makes the first n bytes of room a line.
func (b *block) add(n int, wanted set) {
	b.used += n
	b.ends[b.lines] = int32(b.used)
	b.wants[b.lines] = wanted
	b.lines++
}

// line returns a line that is shown.
func (b *block) line(i int) []byte {
	start := int32(0)
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.buf[start:b.ends[i]:b.ends[i]]
}

// count returns how many of the lines from, up to but not including to, are for the subscription.
func (b *block) count(number, from, to int) uint64 {
	n := uint64(0)
	for i := from; i < to; i++ {
		if b.wants[i].has(number) {
			n++
		}
	}
	return n
}

// clear makes a block empty that nobody uses. Bytes and sets are overwritten before they are shown.
func (b *block) clear() {
	b.used, b.lines, b.shown, b.readers, b.retired, b.next = 0, 0, 0, 0, false, nil
}

// MaxSubscriptions is as many as a set has numbers for.
const MaxSubscriptions = 256

// set is a set of subscriptions by their numbers.
type set [MaxSubscriptions / 64]uint64

func (s *set) add(number int)      { s[number/64] |= 1 << (number % 64) }
func (s *set) has(number int) bool { return s[number/64]&(1<<(number%64)) != 0 }

func (s *set) join(other *set) {
	for i := range s {
		s[i] |= other[i]
	}
}

// least returns the least number that is not in s, which must not be full.
func (s *set) least() int {
	for i, word := range s {
		if word != ^uint64(0) {
			return i*64 + bits.TrailingZeros64(^word)
		}
	}
	panic("stream: no number is left")
}
