package census

import "hash/maphash"

// table has a cell for each identity: a hash table with open addressing and linear probing. With as many groups as
// sockets it takes half the time and 40% of the memory of a map, whose slots would hold the identities themselves. The
// seed keeps peers, who choose their addresses, from choosing slots.
type table struct {
	seed   maphash.Seed
	slots  []slot   // a power of two, at most half of them taken
	chunks [][]cell // full ones but for the last; cells stay where they are, so that growing copies none
	used   int      // cells
}

// slot is a cell's number from 1, and part of its hash, to look at other cells in vain rarely; 0 where there is none. A
// host has fewer sockets than 32 bits count.
type slot struct{ number, hash uint32 }

// chunkSize is how many cells are allocated at once: not too many for a breakdown by state, nor too few for one by
// address.
const chunkSize = 64

func newTable() table {
	return table{seed: maphash.MakeSeed(), slots: make([]slot, 2*chunkSize)}
}

// find returns the cell of id, a new one if there is none. The pointer is good for as long as the table.
func (t *table) find(id *identity) *cell {
	hash := maphash.Comparable(t.seed, *id)
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		taken := t.slots[i]
		if taken.number == 0 {
			t.used++
			t.slots[i] = slot{number: uint32(t.used), hash: uint32(hash >> 32)}
			return t.grow(id)
		}
		if taken.hash != uint32(hash>>32) {
			continue
		}
		if c := t.cell(taken.number); c.id == *id {
			return c
		}
	}
}

func (t *table) cell(number uint32) *cell {
	at := number - 1
	return &t.chunks[at/chunkSize][at%chunkSize]
}

// grow makes the last cell, and room for the next.
func (t *table) grow(id *identity) *cell {
	at := t.used - 1
	if at%chunkSize == 0 {
		t.chunks = append(t.chunks, make([]cell, 0, chunkSize))
	}
	chunk := &t.chunks[at/chunkSize]
	*chunk = append(*chunk, cell{id: *id})
	if 2*t.used >= len(t.slots) {
		t.rehash()
	}
	return t.cell(uint32(t.used))
}

func (t *table) rehash() {
	t.slots = make([]slot, 2*len(t.slots))
	mask := uint64(len(t.slots) - 1)
	for number := uint32(1); number <= uint32(t.used); number++ {
		hash := maphash.Comparable(t.seed, t.cell(number).id)
		i := hash & mask
		for t.slots[i].number != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = slot{number: number, hash: uint32(hash >> 32)}
	}
}

func (t *table) each(visit func(c *cell)) {
	for _, chunk := range t.chunks {
		for i := range chunk {
			visit(&chunk[i])
		}
	}
}
