package history

import (
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// lookLag is for how long a look may still show the state before a transition that it met on its way, or whose line came
// first.
const lookLag = int64(time.Second)

// seen takes in what a look says.
func (w *weaver) seen(f *fact) {
	e, from := &f.event, entryOf(f)
	switch {
	case w.c == nil:
		w.begin(f, false)
		w.enter(f, e.New, from)
	case w.c.End != nil:
		if e.New != tcp.Close {
			if e.Mono <= w.c.End.Mono+lookLag {
				return
			}
			w.put() // it lives again, and how that began was not seen
			w.begin(f, false)
			w.enter(f, e.New, from)
		}
	case w.state().State != e.New && w.been.Has(e.New) && e.Mono <= w.entered.latest+lookLag:
		return
	case w.state().State != e.New, from.earliest != 0 && w.entered.latest != 0 && from.earliest > w.entered.latest+sameTime:
		w.missed(f, from)
		w.enter(f, e.New, from)
	}
	w.c.Zombie = e.New == tcp.Close
	w.identify(f)
	w.sure = max(w.sure, e.Mono)
}

// entryOf returns what a look says of when the state was entered: that it was in it, at the least.
func entryOf(f *fact) entry {
	if !f.age.Known() {
		return entry{latest: f.event.Mono, source: tcp.AgeTraced}
	}
	from := entry{latest: max(1, f.event.Mono-int64(f.age.AtLeast)), source: f.age.Source}
	if f.age.AtMost != tcp.Unknown {
		from.earliest = max(1, f.event.Mono-int64(f.age.AtMost))
	}
	return from
}
