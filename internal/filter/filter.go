// Package filter is the user's choice of which transitions and sockets to see: Filter, plain data from flags with a pure
// predicate that says the same as bpf/filter.h does in the kernel for the conditions that the kernel decides, and Expr,
// an expression in ss's language, of which Push moves into a Filter what the kernel can decide.
package filter

import (
	"net/netip"
	"slices"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Filter selects transitions; the zero value selects all. Its conditions are joined by "and", the values inside one by
// "or". Matching only reads it, so goroutines may share one that nobody changes.
//
// The kernel decides all but Comms, Local and Remote, before a record is made. What it decides there must be loaded so
// that both sides agree: a state set of 0 as all bits, and PID 0 not at all.
type Filter struct {
	PIDs        []uint32       // owner; one that is unknown (0) never matches
	Comms       []string       // owner's name: exact, or a pattern as in path.Match; an unknown owner never matches
	LocalPorts  *Ports         // nil: any; a port that is not known yet (0) never matches
	RemotePorts *Ports         // nil: any; a listener has none (0) and never matches
	Local       []netip.Prefix // as ParsePrefix returns them: an IPv4 one selects v4-mapped connections too
	Remote      []netip.Prefix // likewise
	Version     IPVersion
	NetNS       []uint32     // inode numbers of network namespaces
	Cgroups     []uint64     // cgroup v2 ids, each with everything under it; decided in the kernel only, see Match
	States      tcp.StateSet // either side of the transition; 0: any
	Zombies     bool         // and, beside States, into and out of CLOSE what may be held there; the kernel alone can tell
	Old         tcp.StateSet // 0: any
	New         tcp.StateSet // 0: any
}

// IPVersion is the version of IP that travels on the wire, which for a v4-mapped connection of an AF_INET6 socket is 4.
// A listener on [::] is V6, although clients may come over IPv4: those connections are V4.
type IPVersion uint8

// The versions. V6 is whatever is not V4, as in the kernel.
const (
	Any IPVersion = iota
	V4
	V6
)

// Match says whether f selects e. It does not look at Cgroups: an event carries the id of its own cgroup and not those
// above it, so only the kernel, which sees the hierarchy, decides them. It allocates nothing.
func (f *Filter) Match(e *tcp.Event) bool { return f.matchPushed(e) && f.MatchRest(e) }

// MatchRest says whether f selects e, which the kernel let through: it decides Comms, Local and Remote alone. It
// allocates nothing and costs next to nothing when none of them is set.
func (f *Filter) MatchRest(e *tcp.Event) bool {
	return len(f.Comms)+len(f.Local)+len(f.Remote) == 0 || f.matchRest(e)
}

func (f *Filter) matchRest(e *tcp.Event) bool {
	return (len(f.Local) == 0 || containsAddr(f.Local, e.Local.Addr())) &&
		(len(f.Remote) == 0 || containsAddr(f.Remote, e.Remote.Addr())) &&
		(len(f.Comms) == 0 || e.PID != 0 && matchComm(f.Comms, &e.Comm))
}

// matchPushed is is_wanted() of bpf/filter.h without its cgroups.
func (f *Filter) matchPushed(e *tcp.Event) bool {
	return f.matchStates(e) &&
		(f.LocalPorts == nil || f.LocalPorts.Has(e.Local.Port())) &&
		(f.RemotePorts == nil || f.RemotePorts.Has(e.Remote.Port())) &&
		(f.Version == Any || (f.Version == V4) == e.IsIPv4()) &&
		(len(f.PIDs) == 0 || e.PID != 0 && slices.Contains(f.PIDs, e.PID)) &&
		(len(f.NetNS) == 0 || slices.Contains(f.NetNS, e.NetNS))
}

func (f *Filter) matchStates(e *tcp.Event) bool {
	return (f.Old == 0 || f.Old.Has(e.Old)) &&
		(f.New == 0 || f.New.Has(e.New)) &&
		(f.States == 0 && !f.Zombies || f.States.Has(e.Old) || f.States.Has(e.New) ||
			f.Zombies && (e.Old == tcp.Close || e.New == tcp.Close))
}
