package census

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Order is an order of sockets. The zero value is the order in which they come.
type Order struct {
	by       column
	reversed bool
}

// column is what an Order looks at.
type column uint8

const (
	byAge column = iota + 1
	byRecvQ
	bySendQ
	byState
	byLocal
	byRemote
	byPID
	byComm
	byRTT
	byRetrans
)

var columnNames = [...]string{
	byAge: "age", byRecvQ: "recvq", bySendQ: "sendq", byState: "state", byLocal: "local", byRemote: "remote",
	byPID: "pid", byComm: "comm", byRTT: "rtt", byRetrans: "retrans",
}

// ParseOrder reads the name of an order: age (the oldest first, by how old a socket is at least), recvq, sendq, rtt,
// retrans (the greatest first), state, local, remote, pid, comm (ascending). A - or an r before it turns it round.
func ParseOrder(text string) (Order, error) {
	name := strings.ToLower(text)
	if by, ok := findColumn(name); ok {
		return Order{by: by}, nil
	}
	if name != "" && (name[0] == '-' || name[0] == 'r') {
		if by, ok := findColumn(name[1:]); ok {
			return Order{by: by, reversed: true}, nil
		}
	}
	return Order{}, fmt.Errorf("unknown order %q: use one of %s; a - before it turns it round",
		text, strings.Join(columnNames[1:], ", "))
}

func findColumn(name string) (column, bool) {
	for by := byAge; int(by) < len(columnNames); by++ {
		if columnNames[by] == name {
			return by, true
		}
	}
	return 0, false
}

// String returns the name as ParseOrder reads it, as "-age"; "" for the zero value.
func (o Order) String() string {
	if o.reversed {
		return "-" + columnNames[o.by]
	}
	return columnNames[o.by]
}

// Sort returns pointers to all sockets, in order. What is unknown comes last, in a reversed order too. Equal ones are
// ordered by cookie, and by where they stand if they have none, so that the result is always the same.
func (o Order) Sort(sockets []tcp.Socket) []*tcp.Socket { return o.Top(sockets, 0) }

// Top returns the first n of what Sort returns, or all when n is not positive. It looks at each socket once and keeps no
// more than 2n of them.
func (o Order) Top(sockets []tcp.Socket, n int) []*tcp.Socket {
	top := newSelection(n, len(sockets), comparePlaces)
	for i := range sockets {
		top.add(o.place(&sockets[i], i))
	}
	places := top.sorted()
	ordered := make([]*tcp.Socket, len(places))
	for i := range places {
		ordered[i] = &sockets[places[i].at]
	}
	return ordered
}

// place is where a socket belongs, smallest first. Sorting these and not sockets keeps it to memory in a row.
type place struct {
	hi, lo uint64 // the value: 16 bytes, big-endian
	cookie uint64
	class  uint32 // before the value: classFirst or classSecond, which a reversed order swaps, or classUnknown
	port   uint32 // after it
	at     int32  // index of the socket: a host has fewer than an int32 counts
}

const (
	classFirst   = 0
	classSecond  = 1 // IPv6, behind IPv4
	classUnknown = 2
)

func comparePlaces(a, b place) int {
	switch {
	case a.class != b.class:
		return cmp.Compare(a.class, b.class)
	case a.hi != b.hi:
		return cmp.Compare(a.hi, b.hi)
	case a.lo != b.lo:
		return cmp.Compare(a.lo, b.lo)
	case a.port != b.port:
		return cmp.Compare(a.port, b.port)
	case a.cookie != b.cookie:
		return cmp.Compare(a.cookie, b.cookie)
	}
	return cmp.Compare(a.at, b.at)
}

func (o Order) place(s *tcp.Socket, at int) place {
	p := place{at: int32(at)}
	if o.by == 0 {
		return p
	}
	p.rank(o.by, s)
	if o.reversed && p.class != classUnknown {
		p.class ^= classFirst ^ classSecond
		p.hi, p.lo, p.port = ^p.hi, ^p.lo, ^p.port
	}
	p.cookie = s.Cookie
	return p
}

// rank sets class and value.
func (p *place) rank(by column, s *tcp.Socket) {
	switch by {
	case byAge:
		if s.Age.Known() {
			p.descend(s.Age.AtLeast)
		} else {
			p.class = classUnknown
		}
	case byRecvQ:
		p.descend(time.Duration(s.RecvQ))
	case bySendQ:
		p.descend(time.Duration(s.SendQ))
	case byRTT:
		p.descend(s.RTT)
	case byRetrans:
		p.descend(time.Duration(s.Retrans))
	case byState:
		p.hi = uint64(s.State)
		if s.Zombie {
			p.lo = 1
		}
	case byLocal:
		p.address(s.Local)
	case byRemote:
		p.address(s.Remote)
	case byPID:
		if p.hi = uint64(s.PID); s.PID == 0 {
			p.class = classUnknown
		}
	case byComm:
		p.name(s)
	}
}

// descend puts greater values first, and a negative one, which is unknown, last.
func (p *place) descend(v time.Duration) {
	if v < 0 {
		p.class = classUnknown
		return
	}
	p.hi = math.MaxUint64 - uint64(v)
}

func (p *place) address(a netip.AddrPort) {
	addr := a.Addr()
	switch {
	case !addr.IsValid():
		p.class = classUnknown
		return
	case !addr.Is4():
		p.class = classSecond
	}
	raw := addr.As16()
	p.hi, p.lo = binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
	p.port = uint32(a.Port())
}

func (p *place) name(s *tcp.Socket) {
	if s.PID == 0 {
		p.class = classUnknown
		return
	}
	var raw tcp.Comm
	copy(raw[:], s.Comm.Bytes())
	p.hi, p.lo = binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
}
