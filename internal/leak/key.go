package leak

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// ephemeral is the first port that Linux chooses for who does not bind (net.ipv4.ip_local_port_range).
const ephemeral = 32768

// family is a key without its endpoint: when a process leaks connections to many endpoints it is one fault.
func (k Key) family() Key {
	k.Endpoint = netip.AddrPort{}
	return k
}

// id returns a name that says nothing, but is the same for the same key in every run.
func (k Key) id() string {
	b := make([]byte, 0, 64)
	b = binary.LittleEndian.AppendUint32(b, k.PID)
	b = append(b, k.Comm[:]...)
	b = binary.LittleEndian.AppendUint32(b, k.NetNS)
	b = append(b, byte(k.Condition), byte(k.Cause), byte(k.Direction))
	b = k.Endpoint.Addr().AppendTo(b)
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint16(b, k.Endpoint.Port())
	b = binary.LittleEndian.AppendUint64(b, k.CallSite)
	h := fnv.New64a()
	_, _ = h.Write(b)
	return fmt.Sprintf("%016x", h.Sum64())
}

// keyOf returns where a stuck socket belongs.
func (r *round) keyOf(s *tcp.Socket, slot *slot, c Condition, cause Cause) Key {
	k := Key{PID: s.PID, Condition: c, Cause: cause}
	if r.options.Opened != nil {
		k.CallSite, k.Direction = r.options.Opened(s)
	}
	if k.Direction == 0 {
		k.Direction = r.direction(s, slot)
	}
	copy(k.Comm[:], s.Comm.Bytes()) // what follows the terminator makes no difference
	if s.PID == 0 {
		k.NetNS = s.NetNS
	}
	if k.Direction == Outgoing {
		k.Endpoint = s.Remote
	} else {
		k.Endpoint = netip.AddrPortFrom(netip.Addr{}, s.Local.Port())
	}
	return k
}

// direction tells who opened the connection: by evidence, which a socket may lose later and which is therefore kept; by a
// listener on its port, or on that of its other end; and else by the ports, of which the server's is the lower one.
func (r *round) direction(s *tcp.Socket, slot *slot) Direction {
	switch {
	case s.Evidence == tcp.EvidenceConnect || s.State == tcp.SynSent:
		return remember(slot, Outgoing)
	case s.Evidence == tcp.EvidenceAccept || s.Evidence == tcp.EvidenceListen || s.Unaccepted || s.Kind == tcp.Request:
		return remember(slot, Incoming)
	case slot != nil && slot.flags&isOutgoing != 0:
		return Outgoing
	case slot != nil && slot.flags&isIncoming != 0:
		return Incoming
	case r.listeners.of(s) != nil:
		return remember(slot, Incoming)
	case r.listeners.ofRemote(s) != nil:
		return remember(slot, Outgoing)
	}
	local, remote := s.Local.Port(), s.Remote.Port()
	if local >= ephemeral && remote < local {
		return Outgoing
	}
	return Incoming
}

func remember(slot *slot, d Direction) Direction {
	if slot != nil {
		slot.flags &^= isIncoming | isOutgoing
		if d == Outgoing {
			slot.flags |= isOutgoing
		} else {
			slot.flags |= isIncoming
		}
	}
	return d
}
