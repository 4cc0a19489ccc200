// Package census counts sockets: by whatever tells them apart, in gauges that follow from the kernel's transitions, and
// it puts them in order. It is pure: what it counts comes from its caller.
package census

import (
	"cmp"
	"slices"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Breakdown counts sockets in groups that are alike in all of its keys. It holds one group for each combination of
// values that it has seen, at most one for each socket. It belongs to one goroutine.
type Breakdown struct {
	keys  []Key
	cells table
	total uint64
}

// Group is how many sockets have the same traits.
type Group struct {
	Traits
	Count  uint64
	Oldest tcp.Age // with the greatest AtLeast among them; unknown when no age of theirs is known
}

type cell struct {
	id     identity
	count  uint64
	oldest tcp.Age
}

// New returns an empty breakdown by keys, which ParseKeys returns.
func New(keys []Key) *Breakdown {
	return &Breakdown{keys: slices.Clone(keys), cells: newTable()}
}

// Add counts one socket. It allocates for a new group only, and keeps nothing of s.
func (b *Breakdown) Add(s *tcp.Socket) {
	var id identity
	for _, k := range b.keys {
		id.set(k, s)
	}
	c := b.cells.find(&id)
	c.count++
	c.oldest = older(c.oldest, s.Age)
	b.total++
}

// Keys returns the keys in the order of New. The caller must not change them.
func (b *Breakdown) Keys() []Key { return b.keys }

// Len returns how many groups there are.
func (b *Breakdown) Len() int { return b.cells.used }

// Total returns how many sockets were added.
func (b *Breakdown) Total() uint64 { return b.total }

// Top returns the n largest groups, or all when n is not positive: the largest first, equal ones by the values of the
// keys in their order. What is left is summed up in others, whose Traits are zero; ok says whether anything is.
func (b *Breakdown) Top(n int) (groups []Group, others Group, ok bool) {
	top := newSelection(n, b.Len(), b.compare)
	b.cells.each(top.add)
	chosen := top.sorted()
	groups = make([]Group, len(chosen))
	rest := b.total
	for i, c := range chosen {
		groups[i] = Group{Traits: c.id.traits(), Count: c.count, Oldest: c.oldest}
		rest -= c.count
	}
	if rest == 0 {
		return groups, Group{}, false
	}
	others.Count = rest
	last := chosen[len(chosen)-1]
	b.cells.each(func(c *cell) {
		if b.compare(c, last) > 0 {
			others.Oldest = older(others.Oldest, c.oldest)
		}
	})
	return groups, others, true
}

// compare is 0 only for a cell and itself.
func (b *Breakdown) compare(x, y *cell) int {
	if c := cmp.Compare(y.count, x.count); c != 0 {
		return c
	}
	for _, k := range b.keys {
		if c := x.id.compare(k, &y.id); c != 0 {
			return c
		}
	}
	return 0
}

// older returns the age of the socket that is older for sure. It is the same whichever comes first: of two that are
// equal at least, an exact one wins over a bound, and then a wider bound.
func older(a, b tcp.Age) tcp.Age {
	switch {
	case !b.Known():
		return a
	case !a.Known():
		return b
	}
	c := cmp.Or(
		cmp.Compare(a.AtLeast, b.AtLeast),
		compareBool(a.Exact(), b.Exact()),
		cmp.Compare(uint64(a.AtMost), uint64(b.AtMost)), // Unknown is no bound: the greatest
		cmp.Compare(b.Source, a.Source),
	)
	if c < 0 {
		return b
	}
	return a
}
