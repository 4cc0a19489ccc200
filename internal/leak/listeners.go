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
func (l listeners) of(s *tcp.Socket) *tcp.Socket {
	if len(l) == 0 {
		return nil
	}
	port := s.Local.Port()
	for _, addr := range [...]netip.Addr{s.Local.Addr(), anyOf(s), netip.IPv6Unspecified()} {
		if found := l[listenerKey{netip.AddrPortFrom(addr, port), s.NetNS}]; found != nil {
			return found
		}
	}
	return nil
}

func anyOf(s *tcp.Socket) netip.Addr {
	if s.Local.Addr().Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}
