package nettest

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	sockDestroy = 21 // include/uapi/linux/sock_diag.h, SOCK_DESTROY
	sockIDAt    = headerSize + 8
)

// Destroy ends a connection as ss -K does. It fails with EOPNOTSUPP on a kernel without CONFIG_INET_DIAG_DESTROY.
func (ns *NS) Destroy(c *Conn) error {
	return ns.Do(func() error {
		if err := order(unix.NETLINK_SOCK_DIAG, destroyRequest(c)); err != nil {
			return fmt.Errorf("destroy socket %#x: %w", c.Cookie(), err)
		}
		return nil
	})
}

// destroyRequest names one IPv4 socket by its addresses and its cookie (struct inet_diag_req_v2).
func destroyRequest(c *Conn) []byte {
	b := dumpRequest(unix.AF_INET, 1)
	binary.NativeEndian.PutUint16(b[4:], sockDestroy)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	id := b[sockIDAt:]
	put := func(port, address []byte, of netip.AddrPort) {
		binary.BigEndian.PutUint16(port, of.Port())
		ip := of.Addr().As4()
		copy(address, ip[:])
	}
	put(id[0:], id[4:], c.Local())
	put(id[2:], id[20:], c.Remote())
	binary.NativeEndian.PutUint32(id[40:], uint32(c.Cookie()))
	binary.NativeEndian.PutUint32(id[44:], uint32(c.Cookie()>>32))
	return b
}
