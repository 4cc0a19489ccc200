package leak

import "math/bits"

// index finds places by cookies: a hash table with open addressing and linear probing. An entry has the upper half of
// the hash, which says where it belongs, and the place plus one; so what is not there is found out without a look at any
// slot, and that is what most events come to.
type index struct {
	entries []uint64
	shift   uint // of a hash, to its home
	used    int
}

const (
	// nowhere is the place of what is not there.
	nowhere = 1<<32 - 1
	// leastEntries is the size of the smallest table, a power of two.
	leastEntries = 64
	placeMask    = 1<<32 - 1
)

// hash spreads cookies, which each CPU counts up in a row of its own, over all 64 bits (Fibonacci hashing).
func hash(cookie uint64) uint64 { return cookie * 0x9e37_79b9_7f4a_7c15 }

func newIndex() index { return sizedIndex(leastEntries) }

func sizedIndex(n int) index {
	return index{entries: make([]uint64, n), shift: 64 - uint(bits.TrailingZeros(uint(n)))}
}

func (x *index) mask() uint64 { return uint64(len(x.entries) - 1) }

// find returns the place of a cookie; cookieAt tells the cookie at a place.
func (x *index) find(cookie uint64, p *pool) uint32 {
	h := hash(cookie)
	for i := h >> x.shift; ; i++ {
		e := x.entries[i&x.mask()]
		if e == 0 {
			return nowhere
		}
		if place := uint32(e&placeMask) - 1; e>>32 == h>>32 && p.at(place).cookie == cookie {
			return place
		}
	}
}

// insert adds a cookie that is not there. At most half of the table is used, so that a search is short.
func (x *index) insert(cookie uint64, place uint32) {
	if 2*(x.used+1) > len(x.entries) {
		larger := sizedIndex(2 * len(x.entries))
		for _, e := range x.entries {
			if e != 0 {
				larger.put(e)
			}
		}
		*x = larger
	}
	x.put(hash(cookie)&^placeMask | uint64(place+1))
}

func (x *index) put(e uint64) {
	i := e >> x.shift
	for x.entries[i&x.mask()] != 0 {
		i++
	}
	x.entries[i&x.mask()] = e
	x.used++
}

// remove takes a cookie out that is at a place, and closes the gap, so that no searches grow longer with time.
func (x *index) remove(cookie uint64, place uint32) {
	want := hash(cookie)&^placeMask | uint64(place+1)
	i := want >> x.shift & x.mask()
	for x.entries[i] != want {
		i = (i + 1) & x.mask()
	}
	x.used--
	for j := i; ; {
		j = (j + 1) & x.mask()
		e := x.entries[j]
		if e == 0 {
			x.entries[i] = 0
			return
		}
		if home := e >> x.shift & x.mask(); (j-home)&x.mask() >= (j-i)&x.mask() {
			x.entries[i] = e
			i = j
		}
	}
}
