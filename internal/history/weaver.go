package history

import (
	"math"
	"time"

	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// weaver makes of what is known of one socket, in order, the connections that it had: most have one, but connect() can be
// called again.
type weaver struct {
	marks *marks
	done  []output.Connection
	c     *output.Connection // the current one; nil: none
	match bool               // it is meant
	been  tcp.StateSet       // the states that it was in
	last  *fact              // about the socket

	// Of the last state of c:
	at      int // its place in Steps
	entered entry
	sure    int64 // CLOCK_MONOTONIC, ns: until when it was in it without doubt
	holed   bool  // something is not known since it was entered
}

// entry is when a state was entered (CLOCK_MONOTONIC, ns): between the two. 0: that bound is not known.
type entry struct {
	earliest, latest int64
	source           tcp.AgeSource
}

func at(mono int64) entry { return entry{mono, mono, tcp.AgeTraced} }

func (e *entry) isExact() bool { return e.latest != 0 && e.earliest == e.latest }

// sameTime is by how much two times of one transition may differ: one was taken at the transition, and the other is what the
// next one says.
const sameTime = int64(time.Millisecond)

func (w *weaver) add(f *fact) {
	before := 0
	if w.last != nil {
		before = w.last.marks
	}
	f.marks = max(min(f.marks, len(w.marks.all)), before) // a line may have come late
	if w.c != nil && w.c.End == nil {
		w.gaps(w.marks.between(before, f.marks))
	}
	if f.look {
		w.seen(f)
	} else {
		w.moved(f)
	}
	w.last = f
	if w.c != nil {
		w.match = w.match || f.match
	}
}

// gaps adds what is not known to the current connection.
func (w *weaver) gaps(gaps []output.Step) {
	if len(gaps) > 0 {
		w.c.Steps = append(w.c.Steps, gaps...)
		w.holed = true
	}
}

// moved follows a transition.
func (w *weaver) moved(f *fact) {
	e := &f.event
	newborn := e.Old == tcp.Close && e.New != tcp.Close || e.Old == tcp.Listen && e.New != tcp.Listen && e.New != tcp.Close
	switch {
	case newborn:
		if w.c != nil && w.c.End == nil { // how it ended was not seen
			w.missed(f, at(e.Mono))
		}
		w.put()
		w.begin(f, true)
	case w.c != nil && w.c.End == nil:
		w.leave(f)
	default:
		if e.Old == e.New && e.New == tcp.Close {
			return // a zombie that was closed at last
		}
		w.put()
		w.begin(f, false)
		w.enter(f, e.Old, w.before(e))
		w.stayed(f, e.InOld)
	}
	w.identify(f)
	switch {
	case e.Old == e.New:
		w.sure = max(w.sure, e.Mono)
	case e.New == tcp.Close:
		end := *e
		w.c.End = &end
	default:
		w.enter(f, e.New, at(e.Mono))
	}
}

// before returns when the old state of a transition was entered, as far as the transition says so.
func (w *weaver) before(e *tcp.Event) entry {
	if e.InOld == tcp.Unknown || e.Missed {
		return entry{}
	}
	return at(max(1, e.Mono-int64(e.InOld)))
}

// leave says how long the last state lasted, by the transition out of it; or, if that is out of another, that there were
// others in between.
func (w *weaver) leave(f *fact) {
	e, said := &f.event, w.before(&f.event)
	s := w.state()
	isSame := s.State == e.Old && !e.Missed
	if isSame && said.latest != 0 && w.entered.isExact() && said.latest > w.entered.latest+sameTime {
		isSame = false // it has been elsewhere meanwhile
	}
	if !isSame {
		w.missed(f, said)
		w.enter(f, e.Old, said)
		s = w.state()
	}
	switch {
	case e.Old == e.New:
	case said.latest != 0:
		if !w.entered.isExact() {
			w.entered, s.NoLater, s.Time = said, false, w.wall(f, said.latest)
		}
		w.stayed(f, e.InOld)
	case w.holed:
		w.close(e.Mono, w.sure)
	default:
		w.close(e.Mono, e.Mono)
	}
}

// stayed says exactly how long the last state lasted, if that is known.
func (w *weaver) stayed(f *fact, d time.Duration) {
	if d != tcp.Unknown && !f.event.Missed && f.event.Old != f.event.New {
		w.state().Stay = tcp.ExactAge(tcp.AgeTraced, d)
	}
}

// close says how long the last state lasted at the least, from when it was entered at the latest, until sure; and at the
// most, until left.
func (w *weaver) close(left, sure int64) {
	s := w.state()
	age := tcp.Age{AtMost: tcp.Unknown}
	if w.entered.latest != 0 && sure > w.entered.latest {
		age.Source, age.AtLeast = w.entered.source, passed(w.entered.latest, sure)
	}
	if w.entered.earliest != 0 && left != 0 {
		age.Source, age.AtMost = w.entered.source, passed(w.entered.earliest, left)
		age.AtLeast = min(age.AtLeast, age.AtMost)
	}
	if age.Source == tcp.AgeUnknown {
		age = tcp.Age{}
	}
	s.Stay = age
}

// missed says that the last state was left by a transition that was not seen, at the latest before the present one was
// entered, or when the line was written.
func (w *weaver) missed(f *fact, present entry) {
	until := f.event.Mono
	if present.latest != 0 {
		until = present.latest
	}
	w.close(until, w.sure)
	if !w.holed {
		w.gaps([]output.Step{{Gap: output.GapMissed, Time: w.wall(f, until)}})
	}
}

// passed returns how long it is from one moment to a later one; what a file says of them may be anything.
func passed(from, to int64) time.Duration {
	d := to - from
	switch {
	case to < from:
		return 0
	case d < 0:
		return math.MaxInt64
	}
	return time.Duration(d)
}

// begin begins a connection.
func (w *weaver) begin(f *fact, born bool) {
	s := w.marks.sessionOf(f.marks)
	w.c = &output.Connection{Host: s.host, BootID: s.boot, Kind: f.kind, Born: born, UID: tcp.NoUID}
	w.match, w.been = false, 0
}

// enter adds a state.
func (w *weaver) enter(f *fact, state tcp.State, from entry) {
	s := output.Step{State: state, NoLater: from.latest != 0 && !from.isExact()}
	if from.latest != 0 {
		s.Time = w.wall(f, from.latest)
	}
	s.PID, s.Comm, s.Evidence = f.event.PID, f.event.Comm, f.event.Evidence
	w.at, w.been = len(w.c.Steps), w.been|tcp.SetOf(state)
	w.c.Steps = append(w.c.Steps, s)
	w.entered, w.sure, w.holed = from, f.event.Mono, false
}

// state returns the last state. There is one.
func (w *weaver) state() *output.Step { return &w.c.Steps[w.at] }

// wall returns the wall clock's time of a moment, by a line's two times.
func (w *weaver) wall(f *fact, mono int64) int64 { return f.event.Time + mono - f.event.Mono }

// identify takes over what a line says of who it is, which later ones know better: a port is chosen, an owner accepts.
func (w *weaver) identify(f *fact) {
	c, e := w.c, &f.event
	c.Cookie, c.CgroupID, c.NetNS, c.Family = e.Cookie, e.CgroupID, e.NetNS, e.Family
	if e.UID != tcp.NoUID {
		c.UID = e.UID
	}
	if e.PID != 0 {
		c.PID, c.Comm, c.Evidence = e.PID, e.Comm, e.Evidence
	}
	if e.Local.Port() != 0 || !c.Local.IsValid() {
		c.Local = e.Local
	}
	if e.Remote.Port() != 0 || !c.Remote.IsValid() {
		c.Remote = e.Remote
	}
}

// put ends the current connection's history, of which no more is to come.
func (w *weaver) put() {
	if w.c != nil && w.match {
		w.done = append(w.done, *w.c)
	}
	w.c = nil
}

// finish returns the histories. The last may go on when the recording ends.
func (w *weaver) finish() []output.Connection {
	if w.c != nil && w.c.End == nil {
		w.goOn()
	}
	w.put()
	return w.done
}

// goOn says for how long the last state has lasted when the recording ends.
func (w *weaver) goOn() {
	if w.c.Kind != tcp.Full { // its end makes no transition
		w.close(0, w.sure)
		return
	}
	s, m := w.state(), w.marks
	from, session := w.last.marks, m.sessionOf(w.last.marks)
	until, resumed := m.nextSession(from)
	if from == until { // nothing was lost
		w.sure = max(w.sure, w.last.event.Mono+session.last-w.last.event.Time)
		s.Open = !resumed
	}
	w.close(0, w.sure)
	w.gaps(m.between(from, until))
	if resumed {
		w.gaps([]output.Step{{Gap: output.GapUnrecorded, Time: session.last, Until: m.all[until].time}})
	}
}
