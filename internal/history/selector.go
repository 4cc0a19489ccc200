package history

import "github.com/tcptrail/tcptrail/internal/record"

// MaxSockets is how many sockets are followed at once: about 150 MB of them, and more than anybody reads.
const MaxSockets = 50_000

// Selector finds out which sockets are meant, of lines in their order. It is for one goroutine.
type Selector struct {
	query  Query
	boots  boots
	picked map[key]struct{}
	order  []key // those that are picked, and before first some that were
	first  int
	more   uint64
	most   int
}

// NewSelector returns a Selector that has picked none.
func NewSelector(q Query) *Selector {
	return &Selector{query: q, picked: map[key]struct{}{}, most: MaxSockets}
}

// Add takes in a line. Of too many sockets those are left that were met last.
func (s *Selector) Add(r *record.Record) {
	if r.Kind == record.Session {
		s.boots.begin(&r.Session)
		return
	}
	f, ok := factOf(r)
	if !ok || !s.query.matches(&f) {
		return
	}
	k := keyOf(s.boots.current, &f)
	if _, ok := s.picked[k]; ok {
		return
	}
	s.picked[k] = struct{}{}
	s.order = append(s.order, k)
	if len(s.picked) <= s.most {
		return
	}
	s.more++
	delete(s.picked, s.order[s.first])
	if s.first++; s.first > len(s.order)/2 {
		s.order = append(s.order[:0], s.order[s.first:]...)
		s.first = 0
	}
}

// Cookies returns those of the sockets that were picked; ok is false when some have none, and so cannot be found by it.
func (s *Selector) Cookies() (cookies []uint64, ok bool) {
	ok = true
	for _, k := range s.order[s.first:] {
		if k.socket.Cookie == 0 {
			ok = false
			continue
		}
		cookies = append(cookies, k.socket.Cookie)
	}
	return cookies, ok
}

// Empty says whether none was picked.
func (s *Selector) Empty() bool { return len(s.picked) == 0 }

// More returns how many sockets were meant, too, and are left out: they came before the others.
func (s *Selector) More() uint64 { return s.more }
