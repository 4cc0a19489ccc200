package census

import (
	"bytes"
	"math"
	"net/netip"
	"strconv"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// NoUID stands for a user that is unknown: the kernel's INVALID_UID (include/linux/uidgid.h), which nobody can have. 0
// is root.
const NoUID = math.MaxUint32

// zombieName is the state of a zombie, which is more than the kernel's CLOSE.
const zombieName = "ZOMBIE"

// Traits are what the sockets of a group have in common. Fields whose key was not asked for are zero.
type Traits struct {
	LocalAddr  netip.Addr
	RemoteAddr netip.Addr
	Comm       tcp.Comm // padded with zeros; hostile until escaped
	CgroupID   uint64   // 0: none
	NetNS      uint32
	PID        uint32 // 0: no owner
	UID        uint32 // or NoUID
	LocalPort  uint16
	RemotePort uint16
	State      tcp.State
	Zombie     bool // and State is Close
	Owned      bool // by process: there is an owner, although its name may be empty
}

// Names gives names to numbers, "" to one without. A nil function knows none.
type Names struct {
	NetNS  func(inode uint32) string
	Cgroup func(id uint64) string
}

// Number returns the value of a key whose Number is true; false when it is unknown or there is none.
func (t *Traits) Number(k Key) (uint64, bool) {
	var n uint64
	switch k {
	case ByRemotePort:
		n = uint64(t.RemotePort)
	case ByLocalPort:
		n = uint64(t.LocalPort)
	case ByPID:
		n = uint64(t.PID)
	case ByUID:
		return uint64(t.UID), t.UID != NoUID
	case ByCgroup:
		n = t.CgroupID
	case ByNetNS:
		n = uint64(t.NetNS)
	}
	return n, n != 0
}

// Value returns the value of k as text for a table: a state in the kernel's spelling or ZOMBIE, a namespace or cgroup by
// its name or else its number, a process with an empty name as two quotes, what is unknown as "". All of it is printable
// ASCII: another byte of a name is a question mark.
func (t *Traits) Value(k Key, names Names) string {
	switch k {
	case ByState:
		if t.Zombie {
			return zombieName
		}
		return t.State.String()
	case ByRemoteAddr:
		return addrText(t.RemoteAddr)
	case ByLocalAddr:
		return addrText(t.LocalAddr)
	case ByProcess:
		if name := printable(t.Comm.Bytes()); name != "" || !t.Owned {
			return name
		}
		return `""`
	}
	n, ok := t.Number(k)
	name := ""
	switch {
	case !ok:
		return ""
	case k == ByNetNS && names.NetNS != nil:
		name = names.NetNS(t.NetNS)
	case k == ByCgroup && names.Cgroup != nil:
		name = names.Cgroup(t.CgroupID)
	}
	if name != "" {
		return printable([]byte(name))
	}
	return strconv.FormatUint(n, 10)
}

// Values returns the value of each key: see Value.
func (t *Traits) Values(keys []Key, names Names) []string {
	values := make([]string, len(keys))
	for i, k := range keys {
		values[i] = t.Value(k, names)
	}
	return values
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// printable returns name with a question mark for each byte that is not printable ASCII.
func printable(name []byte) string {
	clean := bytes.Clone(name)
	for i, c := range clean {
		if c < ' ' || c > '~' {
			clean[i] = '?'
		}
	}
	return string(clean)
}
