package kernel

import (
	"math"
	"math/bits"
)

// identity tells a socket from all others for as long as it lives.
type identity struct {
	key  uint64 // its cookie, or, if it was never given one, its address
	bare bool   // a minisock has the cookie of the full socket that it came from, which goes on in Close if it is held
}

func identityOf(row *snapshotSocketRow) identity {
	id := identity{key: row.Cookie, bare: snapshotRowKind(row.Kind) != snapshotRowKindROW_FULL}
	if id.key == 0 {
		id.key = row.Address
	}
	return id
}

// index finds sockets by their identity: a hash table with open addressing of places in a list of extras. A map of Go's
// takes three times as long, and this is half of what it costs to take in a socket.
type index struct {
	places []uint32 // in the list, plus one; 0: free
	used   int
}

const (
	// nowhere is the place of a socket that was not found.
	nowhere = math.MaxUint32
	// leastPlaces is the size of the smallest table.
	leastPlaces = 64
)

func newIndex(expected int) index {
	return index{places: make([]uint32, max(leastPlaces, 1<<bits.Len(uint(2*expected))))}
}

// claim returns the place of a socket in the list, and whether it has one already; if not it is the next one, which the
// caller must fill.
func (x *index) claim(list []extra, id identity) (at uint32, known bool) {
	if 2*x.used >= len(x.places) {
		x.grow(list)
	}
	slot := x.slot(list, id)
	if *slot != 0 {
		return *slot - 1, true
	}
	x.used++
	*slot = uint32(len(list)) + 1
	return uint32(len(list)), false
}

// find returns the place of a socket in the list, or nowhere.
func (x *index) find(list []extra, id identity) uint32 {
	return *x.slot(list, id) - 1 // of 0: nowhere
}

// slot returns where the place of a socket is, or would be.
func (x *index) slot(list []extra, id identity) *uint32 {
	mask := uint64(len(x.places) - 1)
	// Cookies are given out by each CPU in a row of its own, addresses are multiples of a power of two: a multiplication
	// spreads both over the upper bits.
	const spread = 0x9e37_79b9_7f4a_7c15
	for i := id.key * spread >> bits.LeadingZeros64(mask); ; i++ {
		slot := &x.places[i&mask]
		if *slot == 0 || list[*slot-1].id == id {
			return slot
		}
	}
}

func (x *index) grow(list []extra) {
	x.places = make([]uint32, 2*len(x.places))
	for i := range list {
		*x.slot(list, list[i].id) = uint32(i) + 1
	}
}
