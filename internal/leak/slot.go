package leak

// slot is what is kept of a watched socket: 56 bytes, and 16 to 32 in the index.
type slot struct {
	cookie   uint64
	entered  int64  // when it came into its condition; the latest possible time unless isExact
	deadline int64  // when it reaches the level after the one that it has
	progress uint64 // of its bytes, at the last look
	netns    uint32
	prev     uint32 // in its list; in the heap its position
	next     uint32 // in its list
	look     uint32 // number of the look that last had it

	condition Condition
	level     Level // as of the last look
	where     whereabouts
	flags     slotFlags
}

type slotFlags uint8

const (
	isLive     slotFlags = 1 << iota // known from an event, and so of the very time entered; else from the last look
	isExact                          // entered is the time, and no bound
	isLooked                         // progress is known
	isIncoming                       // the direction, once it was proven
	isOutgoing
)

// whereabouts says which queue a slot is in.
type whereabouts uint8

const (
	inNone  whereabouts = iota // critical, and nothing left to wait for
	inList                     // of its condition and level
	inHeap                     // came out of order
	inQueue                    // passed its deadline and waits for a look
)

const (
	blockBits = 10
	blockSize = 1 << blockBits
)

// pool gives out slots. They lie in blocks, so that they need not move as they grow in number.
type pool struct {
	blocks []*[blockSize]slot
	free   uint32 // first of a list through next
	used   int
}

func newPool() pool { return pool{free: nowhere} }

func (p *pool) at(place uint32) *slot { return &p.blocks[place>>blockBits][place&(blockSize-1)] }

// take returns the place of a slot whose content is anything.
func (p *pool) take() uint32 {
	if p.free == nowhere {
		first := uint32(len(p.blocks)) << blockBits
		p.blocks = append(p.blocks, new([blockSize]slot))
		for i := range uint32(blockSize) {
			p.at(first + i).next = first + i + 1
		}
		p.at(first + blockSize - 1).next = nowhere
		p.free = first
	}
	place := p.free
	p.free = p.at(place).next
	p.used++
	return place
}

func (p *pool) put(place uint32) {
	s := p.at(place)
	*s = slot{next: p.free}
	p.free = place
	p.used--
}
