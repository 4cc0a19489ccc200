package leak

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// group is a finding in the making.
type group struct {
	finding   Finding
	sample    []suspect // the oldest, in order, and no more than are wanted
	holders   map[uint32]*Process
	held      int                     // sockets on which the process has a descriptor
	endpoints map[netip.AddrPort]bool // of a whole family
	netns     []uint32                // of its sockets
	blames    map[*group]bool
}

// suspect is a socket that is past its limit.
type suspect struct {
	socket  *tcp.Socket
	entered int64
	start   int64
	exact   bool
	proven  bool
	level   Level
	cause   Cause
	signs   Signs
	peer    *tcp.Socket
	group   *group
}

// compareSuspects puts the oldest first; equal ones go by cookie, so that the sample does not change by itself.
func compareSuspects(a, b suspect) int {
	return cmp.Or(cmp.Compare(a.since(), b.since()), cmp.Compare(a.socket.Cookie, b.socket.Cookie))
}

// fold notes that the group has the sockets of a key of its family.
func (g *group) fold(k Key) {
	if g.endpoints == nil {
		g.endpoints = map[netip.AddrPort]bool{}
	}
	g.endpoints[k.Endpoint] = true
}

// blame notes that the group is the cause of another. Either may be nil.
func (g *group) blame(other *group) {
	if g == nil || other == nil {
		return
	}
	if g.blames == nil {
		g.blames = map[*group]bool{}
	}
	g.blames[other] = true
}

// since returns when the age began that is shown: of an idle connection that of its silence.
func (s *suspect) since() int64 {
	if s.cause == Idle {
		return s.start
	}
	return s.entered
}

// add takes a socket in.
func (g *group) add(s *suspect, size int) {
	f := &g.finding
	f.Count++
	f.Level = max(f.Level, s.level)
	f.Signs |= s.signs
	f.RecvQ += uint64(s.socket.RecvQ)
	f.SendQ += uint64(s.socket.SendQ)
	if s.proven {
		f.Proven++
	}
	if !slices.Contains(g.netns, s.socket.NetNS) {
		g.netns = append(g.netns, s.socket.NetNS)
	}
	g.hold(s.socket)
	g.pick(s, size)
}

// pick keeps the socket if it is one of the oldest.
func (g *group) pick(s *suspect, size int) {
	if len(g.sample) == size && compareSuspects(*s, g.sample[size-1]) >= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(g.sample, *s, compareSuspects)
	if len(g.sample) == size {
		g.sample = g.sample[:size-1]
	}
	g.sample = slices.Insert(g.sample, at, *s)
}

// maxTracked bounds how many processes of a finding are counted one by one: a prefork server has hundreds.
const maxTracked = 4096

// hold counts the processes that hold a socket, each once.
func (g *group) hold(s *tcp.Socket) {
	for i := range s.Holders {
		h := &s.Holders[i]
		if i > 0 && s.Holders[i-1].PID == h.PID {
			continue
		}
		if h.PID == g.finding.Key.PID {
			g.held++
		}
		p := g.holders[h.PID]
		if p == nil {
			if len(g.holders) == maxTracked {
				continue
			}
			p = &Process{PID: h.PID, Comm: h.Comm}
			g.holders[h.PID] = p
		}
		p.Sockets++
	}
}

// MaxHolders is how many processes a finding names.
const MaxHolders = 16

// finish makes a finding of what was collected.
func (r *round) finish(g *group) {
	f := &g.finding
	f.Sample = make([]Stuck, len(g.sample))
	for i := range g.sample {
		f.Sample[i] = r.stuck(&g.sample[i])
	}
	f.Others = f.Count - len(f.Sample)
	if len(f.Sample) > 0 {
		f.Oldest, f.AtLeast = f.Sample[0].Age, f.Sample[0].AtLeast
	}
	for _, p := range g.holders {
		f.Holders = append(f.Holders, *p)
	}
	slices.SortFunc(f.Holders, func(a, b Process) int {
		return cmp.Or(cmp.Compare(b.Sockets, a.Sockets), cmp.Compare(a.PID, b.PID))
	})
	if n := len(f.Holders); n > MaxHolders {
		f.Holders, f.OtherHolders = f.Holders[:MaxHolders:MaxHolders], n-MaxHolders
	}
}

func (r *round) stuck(s *suspect) Stuck {
	socket := *s.socket
	socket.Holders = slices.Clone(socket.Holders)
	stuck := Stuck{
		Socket: socket, Age: time.Duration(r.now - s.since()), AtLeast: !s.exact && s.since() == s.entered,
		Level: s.level, Cause: s.cause, Signs: s.signs,
	}
	if s.peer != nil {
		stuck.Peer = r.peerOf(s.peer)
	}
	return stuck
}

func (r *round) peerOf(s *tcp.Socket) *Peer {
	cause, signs := Classify(s)
	p := &Peer{
		Cookie: s.Cookie, NetNS: s.NetNS, PID: s.PID, Comm: s.Comm, State: s.State, Cause: cause, AtFault: !signs.Has(SignSendQueue),
	}
	if g := r.byCookie[s.Cookie]; g != nil {
		p.Finding = g.finding.ID
	}
	return p
}
