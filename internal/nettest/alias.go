package nettest

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// loIndex is lo's in every network namespace (LOOPBACK_IFINDEX in include/net/flow.h).
const loIndex = 1

// AddAddr gives lo an address more: any unicast one.
func (ns *NS) AddAddr(tb testing.TB, addr netip.Addr) {
	tb.Helper()
	if err := ns.Do(func() error { return order(unix.NETLINK_ROUTE, addrRequest(addr)) }); err != nil {
		tb.Fatalf("add address %v: %v", addr, err)
	}
	ns.awaitAddr(tb, addr)
}

// awaitAddr waits until an address can be bound to and be reached: IPv6 makes its route in a work queue, later
// (addrconf_dad_work() in net/ipv6/addrconf.c).
func (ns *NS) awaitAddr(tb testing.TB, addr netip.Addr) {
	tb.Helper()
	for end := time.Now().Add(Timeout); ; time.Sleep(time.Millisecond) {
		err := ns.Do(func() error { return reach(addr) })
		if err == nil {
			return
		}
		if time.Now().After(end) {
			tb.Fatalf("address %v does not come: %v", addr, err)
		}
	}
}

// reach knocks at a port where nobody listens. To be refused is to have been there.
func reach(addr netip.Addr) error {
	c, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr, 9)))
	if err == nil {
		return c.Close()
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		return nil
	}
	return err
}

// addrRequest asks for an address of lo alone, without the network around it, and without a look at whether others have it.
func addrRequest(addr netip.Addr) []byte {
	family := uint8(unix.AF_INET)
	if addr.Is6() {
		family = unix.AF_INET6
	}
	b := make([]byte, headerSize)
	b = append(b, family, uint8(addr.BitLen()), unix.IFA_F_NODAD, unix.RT_SCOPE_UNIVERSE) // struct ifaddrmsg
	b = binary.NativeEndian.AppendUint32(b, loIndex)
	b = append(b, attribute(unix.IFA_LOCAL, addr.AsSlice())...)
	b = append(b, attribute(unix.IFA_ADDRESS, addr.AsSlice())...)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_NEWADDR)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	return b
}
