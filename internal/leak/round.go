package leak

import (
	"slices"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// round is one report in the making.
type round struct {
	*Reporter
	now       int64
	snapshot  *tcp.Snapshot
	listeners listeners
	ends      otherEnds
	suspects  []suspect
	groups    map[Key]*group
	endpoints map[Key]int  // by family
	muted     map[Key]bool // of sockets that are muted, and their families
	fdLimits  map[uint32]fdLimit
	byCookie  map[uint64]*group // of the stuck ones in CLOSE_WAIT, for those that they keep in FIN_WAIT2
	tally     Tally
}

// Tally is what became of the sockets of the last snapshot that are in a condition with a limit.
type Tally struct {
	Stuck   int // in findings
	Fresh   int // within their limit
	Quiet   int // past it, but bytes flow
	Muted   int
	Orphans int // in FIN_WAIT2, minisocks included: the kernel ends them
	// OrphansEnd is when the kernel will have ended the last of them whose timer is known, from then on.
	OrphansEnd time.Duration
	Omitted    int // sockets of findings that are not shown, because there are more than MaxFindings
}

// judge finds out about each socket whether it is stuck, and when to look at it again.
func (r *round) judge() {
	for i := range r.snapshot.Sockets {
		s := &r.snapshot.Sockets[i]
		if isOrphan(s) {
			r.tally.Orphans++
			r.tally.OrphansEnd = max(r.tally.OrphansEnd, s.Timer.Left)
			continue
		}
		c := conditionOf(s)
		limit, ok := r.watcher.limits.Of(c)
		if !ok {
			continue
		}
		r.judgeOne(s, c, limit)
	}
}

func (r *round) judgeOne(s *tcp.Socket, c Condition, limit Limit) {
	w := r.watcher
	var known *slot
	place := uint32(nowhere)
	if s.Cookie != 0 {
		place = w.index.find(s.Cookie, &w.pool)
	}
	v := suspect{socket: s, entered: enteredBy(s, r.now), exact: s.Age.Exact(), proven: true}
	if place == nowhere && w.left.since(s.Cookie, w.asOf) {
		return
	}
	if place != nowhere {
		known = w.pool.at(place)
		if known.condition != c || known.look != w.look {
			return // an event is younger than the snapshot
		}
		if known.entered < v.entered || known.flags&isExact != 0 {
			v.entered, v.exact = known.entered, known.flags&isExact != 0
		}
	}
	v.start = w.start(s, c, known, v.entered, r.now)
	v.level = limit.level(time.Duration(r.now - v.start))
	possible := r.options.Unproven && r.isPossible(&v, c, known, limit)
	if known != nil {
		w.settle(place, s, v.start, v.level)
	}
	switch {
	case v.level > None:
	case possible:
		v.level, v.proven = Warn, false
	case limit.level(time.Duration(r.now-v.entered)) > None:
		r.tally.Quiet++
		return
	default:
		r.tally.Fresh++
		return
	}
	v.cause, v.signs = Classify(s)
	r.place(&v, known, c)
}

// isPossible says whether a socket, which has no exact age, may be past its limit for all that is known.
func (r *round) isPossible(v *suspect, c Condition, known *slot, limit Limit) bool {
	if v.exact {
		return false
	}
	oldest := r.now - int64(maxLimit)
	if a := v.socket.Age; a.Known() && a.AtMost >= 0 {
		oldest = r.now - int64(a.AtMost)
	}
	start := r.watcher.start(v.socket, c, known, oldest, r.now)
	return limit.level(time.Duration(r.now-start)) > None
}

// place puts a stuck socket where it belongs.
func (r *round) place(v *suspect, known *slot, c Condition) {
	key := r.keyOf(v.socket, known, c, v.cause)
	if r.isMuted(v.socket) {
		r.tally.Muted++
		r.muted[key], r.muted[key.family()] = true, true
		return
	}
	r.tally.Stuck++
	v.group = r.groupFor(key)
	if c == Condition(tcp.FinWait2) {
		v.peer = r.ends.of(v.socket)
	}
	r.suspects = append(r.suspects, *v)
}

// groupFor returns the group of a key, or, if there are too many endpoints, or were before, the one of its family. So
// there are not as many groups as a process may have endpoints.
func (r *round) groupFor(k Key) *group {
	if g := r.groups[k]; g != nil {
		return g
	}
	family := k.family()
	if _, before := r.records[family]; before || r.endpoints[family] == r.options.MaxEndpoints {
		whole := r.group(family)
		whole.fold(k)
		return whole
	}
	r.endpoints[family]++
	return r.group(k)
}

func (r *round) group(k Key) *group {
	g := r.groups[k]
	if g == nil {
		g = &group{finding: Finding{ID: k.id(), Key: k}, holders: map[uint32]*Process{}}
		r.groups[k] = g
	}
	return g
}

// fold moves what came before there were too many endpoints to the others of its family.
func (r *round) fold() {
	for i := range r.suspects {
		s := &r.suspects[i]
		k := s.group.finding.Key
		if whole := r.groups[k.family()]; whole != nil && whole != s.group {
			whole.fold(k)
			s.group = whole
			delete(r.groups, k)
		}
	}
}

// collect adds up the groups.
func (r *round) collect() {
	for i := range r.suspects {
		s := &r.suspects[i]
		s.group.add(s, r.options.Sample)
		if s.socket.State == tcp.CloseWait {
			r.byCookie[s.socket.Cookie] = s.group
		}
	}
}

// relate joins findings that have to do with each other.
func (r *round) relate() {
	var closeWaits, finWaits []ending
	for i := range r.suspects {
		s := &r.suspects[i]
		if s.peer != nil {
			r.pair(s)
		}
		e := ending{s.socket.PID, s.entered, s.group}
		switch {
		case !s.exact || e.pid == 0:
		case s.socket.State == tcp.CloseWait:
			closeWaits = append(closeWaits, e)
		case s.socket.State == tcp.FinWait2 && (s.peer == nil || s.peer.PID != e.pid):
			finWaits = append(finWaits, e)
		}
	}
	joinLegs(closeWaits, finWaits)
	for _, g := range r.groups {
		for other := range g.blames {
			g.finding.Blames = append(g.finding.Blames, other.finding.ID)
		}
		slices.Sort(g.finding.Blames)
	}
}

// pair notes the other end of s, which is in FIN_WAIT2, and which of the two keeps the other waiting: the one in CLOSE_WAIT
// that does not close, or, if that has data left to send, s when it does not read.
func (r *round) pair(s *suspect) {
	f := &s.group.finding
	peer, theirs := r.peerOf(s.peer), r.byCookie[s.peer.Cookie]
	switch {
	case f.Peer == nil:
		f.Peer = &Peer{}
		fallthrough
	case s.group.sample[0].socket == s.socket:
		n := f.Peer.Sockets
		*f.Peer = *peer
		f.Peer.Sockets = n
	}
	f.Peer.Sockets++
	switch {
	case peer.AtFault:
		theirs.blame(s.group)
	case s.signs.Has(SignUnreadData):
		s.group.blame(theirs)
	}
}

// name gives findings about connections that nobody accepted, in whatever state, their listener.
func (r *round) name(g *group) {
	if g.finding.Key.Cause != NeverAccepted || len(g.sample) == 0 {
		return
	}
	if l := r.listeners.of(g.sample[0].socket); l != nil {
		g.finding.Listener = &Listener{Local: l.Local, PID: l.PID, Comm: l.Comm, Waiting: l.RecvQ, Backlog: l.SendQ}
	}
}
