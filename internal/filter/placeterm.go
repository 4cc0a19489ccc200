package filter

import "github.com/tcptrail/tcptrail/internal/tcp"

// uidTerm compares the socket's user. Minisocks and requests do not keep it.
type uidTerm struct {
	is  comparison
	uid uint32
}

func (t uidTerm) matchEvent(e *tcp.Event, _ Host) bool { return holds(t.is, e.UID, t.uid) }

func (t uidTerm) matchSocket(s *tcp.Socket, _ Host) bool {
	return s.Kind == tcp.Full && holds(t.is, s.UID, t.uid)
}

func (t uidTerm) appendTo(text []byte) []byte {
	return appendNumber(appendComparison(text, "uid", t.is), t.uid)
}

// netnsTerm compares the network namespace.
type netnsTerm struct {
	is    comparison // equal or notEqual
	inode uint32
	arg   string // as written
}

func (t netnsTerm) matchEvent(e *tcp.Event, _ Host) bool { return t.match(e.NetNS) }

func (t netnsTerm) matchSocket(s *tcp.Socket, _ Host) bool { return t.match(s.NetNS) }

func (t netnsTerm) match(inode uint32) bool { return inode != 0 && holds(t.is, inode, t.inode) }

func (t netnsTerm) appendTo(text []byte) []byte {
	return appendWord(appendComparison(text, "netns", t.is), t.arg)
}

// cgroupTerm holds in a cgroup and everything below it, where ss wants the very cgroup. As in ss, `!=` holds for
// sockets without one.
type cgroupTerm struct {
	is  comparison // equal or notEqual
	id  uint64
	arg string // as written
}

func (t cgroupTerm) matchEvent(e *tcp.Event, h Host) bool { return t.match(e.CgroupID, h) }

func (t cgroupTerm) matchSocket(s *tcp.Socket, h Host) bool { return t.match(s.CgroupID, h) }

func (t cgroupTerm) match(id uint64, h Host) bool {
	return isUnder(id, t.id, h) == (t.is == equal)
}

// isUnder asks the Host only for what is not plain.
func isUnder(id, root uint64, h Host) bool {
	return id != 0 && (id == root || h != nil && h.CgroupUnder(id, root))
}

func (t cgroupTerm) appendTo(text []byte) []byte {
	return appendWord(appendComparison(text, "cgroup", t.is), t.arg)
}

// namespacesOf returns the network namespaces outside of which n cannot hold; false: it may anywhere.
func namespacesOf(n node) ([]uint32, bool) {
	switch n := n.(type) {
	case netnsTerm:
		return []uint32{n.inode}, n.is == equal
	case and:
		return namespacesOfAll(n)
	case or:
		var all []uint32
		for _, kid := range n {
			some, ok := namespacesOf(kid)
			if !ok {
				return nil, false
			}
			all = unite(all, some)
		}
		return all, true
	}
	return nil, false
}

func namespacesOfAll(list and) (all []uint32, known bool) {
	for _, kid := range list {
		some, ok := namespacesOf(kid)
		switch {
		case !ok:
		case !known:
			all, known = some, true
		default:
			all = intersect(all, some)
		}
	}
	return all, known
}
