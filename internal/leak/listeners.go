package leak

import (
	"net/netip"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// listeners finds the listener that a connection came from.
type listeners map[listenerKey]*tcp.Socket

type listenerKey struct {
	local netip.AddrPort
	netns uint32
}

func listenersOf(sockets []tcp.Socket) listeners {
	l := listeners{}
	for i := range sockets {
		if s := &sockets[i]; s.State == tcp.Listen {
			k := listenerKey{s.Local, s.NetNS}
			if known := l[k]; known == nil || known.RecvQ < s.RecvQ { // of several with SO_REUSEPORT the fullest
				l[k] = s
			}
		}
	}
	return l
}

// of returns the listener on the local end of s: on its very address, or on any. Nil if there is none.
func (l listeners) of(s *tcp.Socket) *tcp.Socket { return l.at(s.Local, s.NetNS) }

// ofRemote returns the listener on the remote end of s, or nil if there is none or that end is not known to be in the same
// namespace: it is if the connection goes over loopback, and if both ends have the same address.
func (l listeners) ofRemote(s *tcp.Socket) *tcp.Socket {
	if addr := s.Remote.Addr(); !addr.IsLoopback() && addr != s.Local.Addr() {
		return nil
	}
	return l.at(s.Remote, s.NetNS)
}

func (l listeners) at(end netip.AddrPort, netns uint32) *tcp.Socket {
	if len(l) == 0 {
		return nil
	}
	for _, addr := range [...]netip.Addr{end.Addr(), anyOf(end.Addr()), netip.IPv6Unspecified()} {
		if found := l[listenerKey{netip.AddrPortFrom(addr, end.Port()), netns}]; found != nil {
			return found
		}
	}
	return nil
}

func anyOf(addr netip.Addr) netip.Addr {
	if addr.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
