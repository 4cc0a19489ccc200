package filter

import (
	"slices"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// MatchSocket says whether f selects s: States are the socket's own, PIDs and Comms those of the owner or of a holder,
// Cgroups decided by h. Old and New mean nothing to a socket and are not looked at. It allocates nothing.
func (f *Filter) MatchSocket(s *tcp.Socket, h Host) bool {
	return (f.States == 0 || f.States&s.States() != 0) &&
		(f.LocalPorts == nil || f.LocalPorts.Has(s.Local.Port())) &&
		(f.RemotePorts == nil || f.RemotePorts.Has(s.Remote.Port())) &&
		(f.Version == Any || (f.Version == V4) == s.IsIPv4()) &&
		(len(f.NetNS) == 0 || slices.Contains(f.NetNS, s.NetNS)) &&
		(len(f.Local) == 0 || containsAddr(f.Local, s.Local.Addr())) &&
		(len(f.Remote) == 0 || containsAddr(f.Remote, s.Remote.Addr())) &&
		(len(f.Cgroups) == 0 || f.matchCgroups(s.CgroupID, h)) &&
		(len(f.PIDs)+len(f.Comms) == 0 || f.matchProcesses(s))
}

func (f *Filter) matchCgroups(id uint64, h Host) bool {
	for _, root := range f.Cgroups {
		if isUnder(id, root, h) {
			return true
		}
	}
	return false
}

// matchProcesses looks for PIDs and Comms apart: with both, as pid and comm in an Expr, two processes may answer.
func (f *Filter) matchProcesses(s *tcp.Socket) bool {
	pid, comm := len(f.PIDs) == 0, len(f.Comms) == 0
	look := func(number uint32, name *tcp.Comm) {
		if number != 0 {
			pid = pid || slices.Contains(f.PIDs, number)
			comm = comm || matchComm(f.Comms, name)
		}
	}
	look(s.PID, &s.Comm)
	for i := range s.Holders {
		look(s.Holders[i].PID, &s.Holders[i].Comm)
	}
	return pid && comm
}
