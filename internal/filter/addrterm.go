package filter

import (
	"net/netip"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// side is an end of a connection.
type side bool

const (
	local  side = false
	remote side = true
)

// addr and port name the side's predicates.
func (s side) addr() string {
	if s == remote {
		return "dst"
	}
	return "src"
}

func (s side) port() string {
	if s == remote {
		return "dport"
	}
	return "sport"
}

func (s side) ofEvent(e *tcp.Event) netip.AddrPort {
	if s == remote {
		return e.Remote
	}
	return e.Local
}

func (s side) ofSocket(sk *tcp.Socket) netip.AddrPort {
	if s == remote {
		return sk.Remote
	}
	return sk.Local
}

// addrTerm holds for an address in a network. As in ss, an IPv4 network has the addresses of v4-mapped sockets, too; an
// IPv6 network has those of AF_INET6 sockets, of v4-mapped ones in their long form: ::/0 has them, 2001:db8::/32 has not.
type addrTerm struct {
	side   side
	family tcp.Family   // of the socket; 0: any
	prefix netip.Prefix // zero: any address
}

func (t addrTerm) matchEvent(e *tcp.Event, _ Host) bool {
	return t.match(e.Family, t.side.ofEvent(e).Addr())
}

func (t addrTerm) matchSocket(s *tcp.Socket, _ Host) bool {
	return t.match(s.Family, t.side.ofSocket(s).Addr())
}

func (t addrTerm) match(family tcp.Family, addr netip.Addr) bool {
	if t.family != 0 && t.family != family {
		return false
	}
	if !t.prefix.IsValid() {
		return true
	}
	if addr.Is4() && !t.prefix.Addr().Is4() && family == tcp.Inet6 {
		addr = netip.AddrFrom16(addr.As16())
	}
	return t.prefix.Contains(addr)
}

func (t addrTerm) appendTo(text []byte) []byte {
	text = append(append(text, t.side.addr()...), ' ')
	if t.family != 0 {
		text = append(append(text, t.family.String()...), ':')
	}
	if !t.prefix.IsValid() {
		return append(text, '*')
	}
	isV6 := !t.prefix.Addr().Is4()
	if isV6 {
		text = append(text, '[')
	}
	if t.prefix.IsSingleIP() {
		text = append(text, t.prefix.Addr().String()...)
	} else {
		text = append(text, t.prefix.String()...)
	}
	if isV6 {
		text = append(text, ']')
	}
	return text
}

// impliesV4 says whether n can hold for IPv4 on the wire alone.
func impliesV4(n node) bool {
	switch n := n.(type) {
	case addrTerm:
		return n.prefix.IsValid() && n.prefix.Addr().Is4()
	case and:
		for _, kid := range n {
			if impliesV4(kid) {
				return true
			}
		}
	case or:
		for _, kid := range n {
			if !impliesV4(kid) {
				return false
			}
		}
		return true
	}
	return false
}

// portTerm compares a port. One that is not there (yet) is 0 and is compared as such: `dport != :22` holds for
// listeners, as in ss.
type portTerm struct {
	side side
	is   comparison
	port uint16
}

func (t portTerm) matchEvent(e *tcp.Event, _ Host) bool {
	return holds(t.is, t.side.ofEvent(e).Port(), t.port)
}

func (t portTerm) matchSocket(s *tcp.Socket, _ Host) bool {
	return holds(t.is, t.side.ofSocket(s).Port(), t.port)
}

func (t portTerm) appendTo(text []byte) []byte {
	return appendNumber(append(appendComparison(text, t.side.port(), t.is), ':'), t.port)
}
