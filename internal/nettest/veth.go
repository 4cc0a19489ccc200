package nettest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// vethName is the name of both ends: each is the only one in its namespace.
const vethName = "link0"

// vethPeer is VETH_INFO_PEER (include/uapi/linux/veth.h).
const vethPeer = 1

// Link joins two namespaces by a pair of veth devices named link0, and returns the addresses of a, 10.9.7.1, and b,
// 10.9.7.2. A namespace has one link at most; it is gone when either namespace is.
func Link(tb testing.TB, a, b *NS) (addrA, addrB netip.Addr) {
	tb.Helper()
	addrA = netip.AddrFrom4([4]byte{10, 9, 7, 1})
	addrB = addrA.Next()
	err := a.Do(func() error { return addVeth(b) })
	if err == nil {
		err = errors.Join(a.setUpVeth(addrA), b.setUpVeth(addrB))
	}
	if err == nil {
		err = errors.Join(a.awaitVeth(), b.awaitVeth())
	}
	if err != nil {
		tb.Fatalf("link two namespaces: %v", err)
	}
	return addrA, addrB
}

func (ns *NS) setUpVeth(addr netip.Addr) error {
	return ns.Do(func() error {
		if err := setAddr(vethName, netip.PrefixFrom(addr, 24)); err != nil {
			return err
		}
		return setUp(vethName)
	})
}

// awaitVeth waits until the device carries packets. A carrier that has come is dealt with later, by a work item
// (linkwatch_do_dev in net/core/link_watch.c), which says IFF_RUNNING before it lets packets through; it holds the lock
// (RTNL) all the while that setting the flags again has to wait for.
func (ns *NS) awaitVeth() error {
	return ns.Do(func() error {
		running, err := poll(func() (bool, error) {
			flags, err := interfaceFlags(vethName)
			return flags&unix.IFF_RUNNING != 0, err
		})
		if err == nil && !running {
			err = fmt.Errorf("wait for the carrier of %s: %w", vethName, os.ErrDeadlineExceeded)
		}
		if err != nil {
			return err
		}
		return setUp(vethName)
	})
}

// interfaceFlags returns the flags of an interface of the thread's namespace.
func interfaceFlags(name string) (uint16, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, fmt.Errorf("interface %q: %w", name, err)
	}
	err = configure(unix.SIOCGIFFLAGS, ifr)
	return ifr.Uint16(), err
}

// addVeth makes a pair, one end in the thread's namespace and one in the other.
func addVeth(other *NS) error {
	if err := order(unix.NETLINK_ROUTE, vethRequest(other.fd)); err != nil {
		return fmt.Errorf("add veth devices %s: %w", vethName, err)
	}
	return nil
}

// vethRequest asks for a pair of which one end goes to the namespace that the descriptor is of.
func vethRequest(otherNS int) []byte {
	info := make([]byte, unix.SizeofIfInfomsg)
	name := attribute(unix.IFLA_IFNAME, []byte(vethName+"\x00"))
	where := attribute(unix.IFLA_NET_NS_FD, binary.NativeEndian.AppendUint32(nil, uint32(otherNS)))
	kind := attribute(unix.IFLA_INFO_KIND, []byte("veth"))
	peer := attribute(unix.IFLA_INFO_DATA, attribute(vethPeer, info, name, where))

	b := make([]byte, headerSize)
	b = append(b, info...)
	b = append(b, name...)
	b = append(b, attribute(unix.IFLA_LINKINFO, kind, peer)...)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_NEWLINK)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	return b
}

// attribute makes a struct rtattr with its value, padded to four bytes; the values of a nested one are attributes.
func attribute(kind uint16, values ...[]byte) []byte {
	b := make([]byte, unix.SizeofRtAttr)
	for _, value := range values {
		b = append(b, value...)
	}
	binary.NativeEndian.PutUint16(b[0:], uint16(len(b)))
	binary.NativeEndian.PutUint16(b[2:], kind)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
