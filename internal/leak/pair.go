package leak

import (
	"net/netip"
	"slices"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// tuple is a connection as one of its ends has it.
type tuple struct{ local, remote netip.AddrPort }

// otherEnds finds for sockets in FIN_WAIT2 the end in CLOSE_WAIT, across namespaces.
type otherEnds map[tuple][]*tcp.Socket

// otherEndsOf keeps of the sockets in CLOSE_WAIT those that are wanted by one in FIN_WAIT2.
func otherEndsOf(sockets []tcp.Socket) otherEnds {
	ends := otherEnds{}
	for i := range sockets {
		if s := &sockets[i]; conditionOf(s) == Condition(tcp.FinWait2) {
			ends[tuple{s.Remote, s.Local}] = nil
		}
	}
	if len(ends) == 0 {
		return ends
	}
	for i := range sockets {
		s := &sockets[i]
		if s.State != tcp.CloseWait || s.Kind != tcp.Full {
			continue
		}
		if found, wanted := ends[tuple{s.Local, s.Remote}]; wanted {
			ends[tuple{s.Local, s.Remote}] = append(found, s)
		}
	}
	return ends
}

// of returns the other end of s, or nil. Several namespaces may have connections with the same addresses: the one of s
// itself goes first, a loopback connection never leaves it, and among several others nobody can tell.
func (o otherEnds) of(s *tcp.Socket) *tcp.Socket {
	ends := o[tuple{s.Remote, s.Local}]
	for _, end := range ends {
		if end.NetNS == s.NetNS && end.Cookie != s.Cookie {
			return end
		}
	}
	if len(ends) != 1 || ends[0].NetNS == s.NetNS || s.Remote.Addr().IsLoopback() {
		return nil
	}
	return ends[0]
}

// legTolerance is how far apart the two sides of a proxy may be: it passes an end of data on when it reads it, and FIN_WAIT2
// begins with the acknowledgement of that, which a busy receiver delays by TCP_DELACK_MIN, 40 ms (net/tcp.h).
const legTolerance = 60 * time.Millisecond

// ending is one stuck socket that may be a side of a proxy.
type ending struct {
	pid     uint32
	entered int64
	group   *group
}

// joinLegs pairs each CLOSE_WAIT with a FIN_WAIT2 of the same process that was entered at nearly the same time, and gives
// findings the one that they share most pairs with.
func joinLegs(closeWaits, finWaits []ending) {
	order := func(a, b ending) int {
		if a.pid != b.pid {
			return int(int64(a.pid) - int64(b.pid))
		}
		return int(max(-1, min(1, a.entered-b.entered)))
	}
	slices.SortFunc(closeWaits, order)
	slices.SortFunc(finWaits, order)
	pairs := map[[2]*group]int{}
	for i, j := 0, 0; i < len(closeWaits) && j < len(finWaits); {
		c, f := &closeWaits[i], &finWaits[j]
		apart := f.entered - c.entered
		switch {
		case c.pid < f.pid || c.pid == f.pid && apart > int64(legTolerance):
			i++
		case c.pid > f.pid || apart < -int64(legTolerance):
			j++
		default:
			pairs[[2]*group{c.group, f.group}]++
			i++
			j++
		}
	}
	for p, n := range pairs {
		p[0].offerLeg(p[1], n)
		p[1].offerLeg(p[0], n)
	}
}

// offerLeg keeps the leg with the most pairs; of two with as many, the one with the lower ID, so that it does not change
// from one report to the next.
func (g *group) offerLeg(other *group, pairs int) {
	id := other.finding.ID
	if leg := g.finding.Leg; leg == nil || pairs > leg.Pairs || pairs == leg.Pairs && id < leg.Finding {
		g.finding.Leg = &Leg{Finding: id, Pairs: pairs}
	}
}
