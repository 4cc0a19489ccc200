package census

import (
	"bytes"
	"cmp"
	"net/netip"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// identity is Traits without pointers: comparing and hashing it is one run over memory, and the garbage collector has
// nothing to look at.
type identity struct {
	cgroup     uint64
	netns      uint32
	pid        uint32
	uid        uint32
	localPort  uint16
	remotePort uint16
	local      address
	remote     address
	comm       tcp.Comm
	state      tcp.State
	zombie     bool
	owned      bool
}

// address is a netip.Addr without its zone, which the kernel's addresses do not have.
type address struct {
	family uint8 // 0: not valid
	raw    [16]byte
}

func addressOf(a netip.Addr) address {
	if !a.IsValid() {
		return address{}
	}
	return address{family: uint8(a.BitLen()), raw: a.As16()}
}

func (a *address) addr() netip.Addr {
	switch a.family {
	case 0:
		return netip.Addr{}
	case 32:
		return netip.AddrFrom16(a.raw).Unmap()
	}
	return netip.AddrFrom16(a.raw)
}

func (a *address) compare(b *address) int {
	return cmp.Or(cmp.Compare(a.family, b.family), bytes.Compare(a.raw[:], b.raw[:]))
}

// set fills in what s has for k.
func (id *identity) set(k Key, s *tcp.Socket) {
	switch k {
	case ByState:
		id.state, id.zombie = s.State, s.Zombie
	case ByRemoteAddr:
		id.remote = addressOf(s.Remote.Addr())
	case ByRemotePort:
		id.remotePort = s.Remote.Port()
	case ByLocalAddr:
		id.local = addressOf(s.Local.Addr())
	case ByLocalPort:
		id.localPort = s.Local.Port()
	case ByProcess:
		if id.owned = s.PID != 0; id.owned {
			copy(id.comm[:], s.Comm.Bytes()) // without what a longer name may have left behind the terminator
		}
	case ByPID:
		id.pid = s.PID
	case ByUID:
		if id.uid = s.UID; s.Kind == tcp.Minisock {
			id.uid = NoUID // struct inet_timewait_sock has none, and 0 would be root
		}
	case ByCgroup:
		id.cgroup = s.CgroupID
	case ByNetNS:
		id.netns = s.NetNS
	}
}

// compare orders by one key: numbers by value, addresses with IPv4 first, names by their bytes; what is unknown first,
// a user last.
func (id *identity) compare(k Key, other *identity) int {
	switch k {
	case ByState:
		return cmp.Or(cmp.Compare(id.state, other.state), compareBool(id.zombie, other.zombie))
	case ByRemoteAddr:
		return id.remote.compare(&other.remote)
	case ByRemotePort:
		return cmp.Compare(id.remotePort, other.remotePort)
	case ByLocalAddr:
		return id.local.compare(&other.local)
	case ByLocalPort:
		return cmp.Compare(id.localPort, other.localPort)
	case ByProcess:
		return cmp.Or(compareBool(id.owned, other.owned), bytes.Compare(id.comm[:], other.comm[:]))
	case ByPID:
		return cmp.Compare(id.pid, other.pid)
	case ByUID:
		return cmp.Compare(id.uid, other.uid)
	case ByCgroup:
		return cmp.Compare(id.cgroup, other.cgroup)
	case ByNetNS:
		return cmp.Compare(id.netns, other.netns)
	}
	return 0
}

func (id *identity) traits() Traits {
	return Traits{
		LocalAddr: id.local.addr(), RemoteAddr: id.remote.addr(), Comm: id.comm, CgroupID: id.cgroup, NetNS: id.netns,
		PID: id.pid, UID: id.uid, LocalPort: id.localPort, RemotePort: id.remotePort,
		State: id.state, Zombie: id.zombie, Owned: id.owned,
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
