package nettest

import (
	"fmt"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Loopback4 returns 127.0.0.1 with the port; port 0 lets the kernel choose.
func Loopback4(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

// Loopback6 returns ::1 with the port.
func Loopback6(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.IPv6Loopback(), port) }

// Any6 returns :: with the port: a listener there takes IPv4 clients, too.
func Any6(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.IPv6Unspecified(), port) }

// Mapped4 returns ::ffff:127.0.0.1 with the port: an AF_INET6 socket that connects there speaks IPv4.
func Mapped4(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(Loopback4(0).Addr().As16()), port)
}

// family returns the address family of the socket that takes addr. A v4-mapped address wants AF_INET6.
func family(addr netip.AddrPort) int {
	if addr.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func toSockaddr(addr netip.AddrPort) (unix.Sockaddr, error) {
	if !addr.IsValid() {
		return nil, fmt.Errorf("no address given: %w", unix.EINVAL)
	}
	if addr.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	if zone := addr.Addr().Zone(); zone != "" {
		index, err := strconv.ParseUint(zone, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("zone of %v: give the interface's index", addr)
		}
		sa.ZoneId = uint32(index)
	}
	return sa, nil
}

// fromSockaddr keeps v4-mapped addresses as they are, and returns the zero AddrPort for other families.
func fromSockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(sa.ZoneId), 10))
		}
		return netip.AddrPortFrom(addr, uint16(sa.Port))
	}
	return netip.AddrPort{}
}
