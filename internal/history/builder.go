package history

import (
	"cmp"
	"slices"

	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/record"
)

// MaxLines is how many lines about the sockets that are meant are kept: about 150 MB.
const MaxLines = 500_000

// Builder makes histories of lines in their order. It is for one goroutine.
type Builder struct {
	query   Query
	picked  map[key]struct{}
	boots   boots
	marks   *marks
	facts   map[key][]fact
	lines   int
	most    int
	stopped int64 // the time of the first line that there was no room for; 0: there was for all
}

// NewBuilder returns a Builder of the sockets that a Selector has picked.
func NewBuilder(s *Selector) *Builder {
	return &Builder{query: s.query, picked: s.picked, marks: newMarks(), facts: map[key][]fact{}, most: MaxLines}
}

// Add takes in a line. Those that are missing may be about other sockets alone: all that are about none have to come.
func (b *Builder) Add(r *record.Record) {
	if b.stopped != 0 {
		return
	}
	if len(b.marks.all) >= maxMarks || b.lines >= b.most {
		b.stopped = max(r.Time, 1)
		return
	}
	isBehind := b.query.Until != 0 && r.Time > b.query.Until
	switch {
	case r.Kind == record.Session:
		b.boots.begin(&r.Session)
		b.marks.begin(r)
		return
	case isBehind:
	case r.Kind == record.Loss:
		b.marks.loss(r)
	default:
		b.socket(r)
	}
	b.marks.alive(r.Time)
}

func (b *Builder) socket(r *record.Record) {
	f, ok := factOf(r)
	if !ok {
		return
	}
	k := keyOf(b.boots.current, &f)
	if _, ok := b.picked[k]; !ok {
		return
	}
	f.match, f.marks = b.query.matches(&f), len(b.marks.all)
	b.facts[k] = append(b.facts[k], f)
	b.lines++
}

// Alive says that there were lines at a time, ns since 1970, which did not come: of sockets that are not meant.
func (b *Builder) Alive(at int64) {
	s := b.marks.sessionAt(at)
	s.last = max(s.last, at)
}

// Stopped returns the time of the first line that there was no room for: the histories are those up to there. 0: there was
// room for all.
func (b *Builder) Stopped() int64 { return b.stopped }

// Connections returns the histories, the oldest first. The Builder is not used afterwards.
func (b *Builder) Connections() []output.Connection {
	b.end()
	var all []output.Connection
	for k, facts := range b.facts {
		delete(b.facts, k)
		slices.SortStableFunc(facts, func(x, y fact) int { return cmp.Compare(x.event.Mono, y.event.Mono) })
		w := weaver{marks: b.marks}
		for i := range facts {
			w.add(&facts[i])
		}
		all = append(all, w.finish()...)
	}
	slices.SortFunc(all, func(x, y output.Connection) int {
		return cmp.Or(cmp.Compare(x.Began(), y.Began()), cmp.Compare(x.Cookie, y.Cookie), cmp.Compare(x.BootID, y.BootID), cmp.Compare(x.Kind, y.Kind),
			x.Local.Compare(y.Local), x.Remote.Compare(y.Remote))
	})
	return all
}

// end makes the sessions end where the histories do.
func (b *Builder) end() {
	limit := b.query.Until
	if b.stopped != 0 && (limit == 0 || b.stopped < limit) {
		limit = b.stopped
	}
	if limit == 0 {
		return
	}
	m := b.marks
	m.all = m.all[:len(m.all)-m.behind(limit)]
	for i := range m.sessions {
		m.sessions[i].last = min(m.sessions[i].last, limit)
	}
}
