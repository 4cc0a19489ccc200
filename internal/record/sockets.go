package record

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// maxSockets is how many sockets a look may have: some GB of them, more than a host has.
const maxSockets = 4 << 20

// Sockets puts looks together again from their lines. It is not safe for concurrent use.
type Sockets struct {
	known map[Key]*socketLine
	fresh []*socketLine // of the look that is not over
}

// NewSockets returns a Sockets that knows none.
func NewSockets() *Sockets { return &Sockets{known: map[Key]*socketLine{}} }

// Add takes in a line about a socket.
func (s *Sockets) Add(r *Record) error {
	if len(s.fresh)+len(s.known) >= maxSockets {
		return fmt.Errorf("more than %d sockets in a look", maxSockets)
	}
	s.fresh = append(s.fresh, r.line)
	return nil
}

// Snapshot returns what a look saw, by the line that ends it, and how many of its sockets are missing: they were in lines
// that are not there any more.
func (s *Sockets) Snapshot(r *Record) (snapshot *tcp.Snapshot, missing int, err error) {
	l := &r.Look
	snapshot = &tcp.Snapshot{Time: l.Time, Took: l.Took, NetNS: l.NetNS, Horizon: l.Horizon}
	known := s.known
	if l.Baseline {
		known = map[Key]*socketLine{}
	}
	began := l.Now - int64(l.Took)
	for _, line := range s.fresh {
		socket, err := line.socket(line.Seen)
		if err != nil {
			return nil, 0, err
		}
		known[KeyOf(&socket)] = line
	}
	s.fresh = s.fresh[:0]
	for _, k := range l.Gone {
		delete(known, k)
	}
	snapshot.Sockets = make([]tcp.Socket, 0, len(known))
	for _, k := range slices.SortedFunc(maps.Keys(known), Key.compare) {
		line := known[k]
		socket, err := line.socket(max(line.Seen, began))
		if err != nil {
			return nil, 0, err
		}
		snapshot.Sockets = append(snapshot.Sockets, socket)
	}
	return snapshot, max(0, r.sockets-len(known)), nil
}

func (k Key) compare(other Key) int {
	return cmp.Or(cmp.Compare(k.Cookie, other.Cookie), cmp.Compare(k.Kind, other.Kind), cmp.Compare(k.NetNS, other.NetNS),
		k.Local.Compare(other.Local), k.Remote.Compare(other.Remote))
}
