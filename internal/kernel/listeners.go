package kernel

import "github.com/tcptrail/tcptrail/internal/tcp"

// listeners are the sockets in Listen by where they listen.
type listeners map[listenKey][]*tcp.Socket

type listenKey struct {
	netns uint32
	port  uint16
}

func (f *found) listeners() listeners {
	all := listeners{}
	for i := range f.sockets {
		if s := &f.sockets[i]; s.State == tcp.Listen {
			key := listenKey{s.NetNS, s.Local.Port()}
			all[key] = append(all[key], s)
		}
	}
	return all
}

// of returns the listener in whose queue a connection waits. Of several that could be it, as with SO_REUSEPORT, one
// stands for all if they belong to the same process; else none can be told.
func (l listeners) of(s *tcp.Socket) *tcp.Socket {
	var best *tcp.Socket
	torn := false
	for _, candidate := range l[listenKey{s.NetNS, s.Local.Port()}] {
		if candidate.RecvQ == 0 { // nobody waits there
			continue
		}
		if !hears(candidate, s) {
			continue
		}
		switch {
		case best == nil || isNearer(candidate, best):
			best, torn = candidate, false
		case isNearer(best, candidate):
		case best.PID != candidate.PID:
			torn = true
		}
	}
	if torn {
		return nil
	}
	return best
}

// hears says whether a connection may be a listener's child: that has the listener's family, even where IPv4 comes to a
// listener of AF_INET6 (net/ipv6/tcp_ipv6.c, tcp_v6_syn_recv_sock).
func hears(listener, child *tcp.Socket) bool {
	at, to := listener.Local.Addr(), child.Local.Addr()
	return listener.Family == child.Family && (at == to || at.IsUnspecified() && (at.Is6() || to.Is4()))
}

// isNearer says whether the kernel prefers listener a to b: the one with an address to the one on any
// (net/ipv4/inet_hashtables.c, compute_score).
func isNearer(a, b *tcp.Socket) bool {
	return !a.Local.Addr().IsUnspecified() && b.Local.Addr().IsUnspecified()
}
