package census

import "slices"

// minBatch is how many items a selection takes in before it sorts, at least: for a few places, sorting must stay rare.
const minBatch = 256

// selection keeps the n first of all items that it is given. It sorts whenever it has twice as many as it needs, and
// takes nothing in that comes behind the n first so far.
type selection[T any] struct {
	n       int
	batch   int // items to sort at
	compare func(a, b T) int
	items   []T
	full    bool // the first n of items are the n first, sorted
}

// newSelection returns a selection of n out of total items, of all when n is not positive.
func newSelection[T any](n, total int, compare func(a, b T) int) *selection[T] {
	if n <= 0 || n >= total {
		return &selection[T]{n: total, batch: total + 1, compare: compare, items: make([]T, 0, total)}
	}
	batch := min(max(2*min(n, total), minBatch), total)
	return &selection[T]{n: n, batch: batch, compare: compare, items: make([]T, 0, batch)}
}

func (s *selection[T]) add(item T) {
	if s.full && s.compare(item, s.items[s.n-1]) >= 0 {
		return
	}
	if s.items = append(s.items, item); len(s.items) == s.batch {
		s.cut()
	}
}

func (s *selection[T]) cut() {
	slices.SortFunc(s.items, s.compare)
	if len(s.items) >= s.n {
		s.items, s.full = s.items[:s.n], true
	}
}

// sorted returns the items; no more may be added.
func (s *selection[T]) sorted() []T {
	s.cut()
	return s.items
}
