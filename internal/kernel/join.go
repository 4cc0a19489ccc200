package kernel

import (
	"cmp"
	"slices"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// found are the sockets that passes have come upon, each once. It is for one goroutine.
type found struct {
	ticks   ticks
	sockets []tcp.Socket
	extras  []extra // of the socket with the same index
	index   index   // into both
}

// extra is what tells a socket from others, and joins it with them.
type extra struct {
	id       identity
	nowNs    uint64 // of the look
	mptcp    uint64 // address of the MPTCP socket that it serves
	listener uint64 // of a request: cookie
}

// newFound makes room for so many sockets.
func newFound(t ticks, expected int) *found {
	return &found{
		ticks: t, sockets: make([]tcp.Socket, 0, expected), extras: make([]extra, 0, expected), index: newIndex(expected),
	}
}

func (f *found) full(row *snapshotFullRow) {
	x := extra{id: identityOf(&row.Head), nowNs: row.Head.NowNs, mptcp: row.Mptcp}
	if s := f.place(&x); s != nil {
		socketOfFull(s, row, f.ticks)
	}
}

func (f *found) bare(row *snapshotSocketRow) {
	x := extra{id: identityOf(row), nowNs: row.NowNs, listener: row.Listener}
	if s := f.place(&x); s != nil {
		socketOfBare(s, row, f.ticks)
	}
}

// place returns where to put a socket, or nil if a younger look at it is there: kernels before 6.17 may show one twice,
// and a socket in Close is shown once for each of its descriptors.
func (f *found) place(x *extra) *tcp.Socket {
	at, known := f.index.claim(f.extras, x.id)
	if !known {
		f.extras = append(f.extras, *x)
		f.sockets = append(f.sockets, tcp.Socket{})
		return &f.sockets[at]
	}
	if x.nowNs <= f.extras[at].nowNs {
		return nil
	}
	f.extras[at] = *x
	return &f.sockets[at]
}

// merge adds what another pass has found.
func (f *found) merge(other *found) {
	for i := range other.sockets {
		if s := f.place(&other.extras[i]); s != nil {
			*s = other.sockets[i]
		}
	}
}

// held is one descriptor, and by what it is known whose.
type held struct {
	cookie  uint64 // of a TCP socket; 0 for an MPTCP one
	address uint64 // of an MPTCP socket
	holder  tcp.Holder
}

// missing returns the descriptors' TCP sockets that no pass has come upon: born since, or elsewhere whenever one looked.
func (f *found) missing(descriptors []held) map[uint64]bool {
	cookies := map[uint64]bool{}
	for i := range descriptors {
		if c := descriptors[i].cookie; c != 0 && f.index.find(f.extras, identity{key: c}) == nowhere {
			cookies[c] = true
		}
	}
	return cookies
}

// join gives each socket its holders and its owner.
func (f *found) join(descriptors []held) {
	f.giveHolders(descriptors)
	for i := range f.sockets {
		chooseOwner(&f.sockets[i])
	}
	f.inheritFromListeners()
}

// giveHolders lays all holders into one array, in the order of the sockets.
func (f *found) giveHolders(descriptors []held) {
	subflows := f.subflows()
	at := make([]uint32, len(descriptors))
	counts := make([]uint32, len(f.sockets)+1)
	for i := range descriptors {
		at[i] = f.locate(&descriptors[i], subflows)
		if at[i] != nowhere {
			counts[at[i]]++
		}
	}
	holders := make([]tcp.Holder, 0, len(descriptors))
	for i := range f.sockets {
		start := len(holders)
		holders = holders[:start+int(counts[i])]
		f.sockets[i].Holders = holders[start:start:len(holders)]
	}
	for i := range descriptors {
		if at[i] != nowhere {
			s := &f.sockets[at[i]]
			s.Holders = append(s.Holders, descriptors[i].holder)
		}
	}
	for i := range f.sockets {
		if h := f.sockets[i].Holders; len(h) > 1 {
			slices.SortFunc(h, func(a, b tcp.Holder) int {
				return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.FD, b.FD))
			})
			f.sockets[i].Holders = slices.Compact(h)
		}
	}
	f.shareSubflows()
}

// subflows returns one TCP subflow of each MPTCP socket, by the address of that.
func (f *found) subflows() map[uint64]uint32 {
	subflows := map[uint64]uint32{}
	for i := range f.extras {
		if address := f.extras[i].mptcp; address != 0 {
			if _, known := subflows[address]; !known {
				subflows[address] = uint32(i)
			}
		}
	}
	return subflows
}

// shareSubflows gives all subflows of an MPTCP socket the holders that one of them got.
func (f *found) shareSubflows() {
	subflows := f.subflows()
	for i := range f.extras {
		if address := f.extras[i].mptcp; address != 0 {
			first := &f.sockets[subflows[address]]
			f.sockets[i].Holders = first.Holders
			f.sockets[i].Unaccepted = f.sockets[i].Unaccepted && len(first.Holders) == 0
		}
	}
}

func (f *found) locate(d *held, subflows map[uint64]uint32) uint32 {
	if d.cookie == 0 {
		if at, ok := subflows[d.address]; ok {
			return at
		}
		return nowhere
	}
	return f.index.find(f.extras, identity{key: d.cookie})
}

// chooseOwner names the process responsible: whom a tracer has seen to act on the socket, as long as it holds it or
// nobody does; else the one that holds it, of several the oldest descriptor of the lowest pid.
func chooseOwner(s *tcp.Socket) {
	if len(s.Holders) == 0 {
		return
	}
	for i := range s.Holders {
		if h := &s.Holders[i]; h.PID == s.PID && s.Evidence != tcp.EvidenceNone {
			return
		}
	}
	s.PID, s.Comm, s.Evidence = s.Holders[0].PID, s.Holders[0].Comm, tcp.EvidenceFD
}

// inheritFromListeners gives connections that were not accepted yet the owner of their listener.
func (f *found) inheritFromListeners() {
	listeners := f.listeners()
	for i := range f.sockets {
		s := &f.sockets[i]
		var from *tcp.Socket
		switch {
		case s.Kind == tcp.Request:
			if at := f.index.find(f.extras, identity{key: f.extras[i].listener}); at != nowhere {
				from = &f.sockets[at]
			}
		case s.Unaccepted && s.Evidence == tcp.EvidenceNone:
			from = listeners.of(s)
		}
		if from != nil && from.PID != 0 {
			s.PID, s.Comm, s.Evidence = from.PID, from.Comm, tcp.EvidenceListen
		}
	}
}
