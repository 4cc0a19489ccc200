// Package history says what connections did, of the lines of a recording that are about them: each state, when it was
// entered, and for how long it is known to have lasted. Nothing is papered over: where events were lost, or nobody recorded,
// a connection's history has a gap. It reads no files: who does gives it the lines twice, first to a Selector, which finds out
// what is asked for, and then to a Builder, which puts that together.
package history

import (
	"net/netip"
	"slices"

	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Query is what is asked for. Of each list one has to fit, and an empty one asks for nothing. A connection is meant
// if there is a line about it that answers all.
type Query struct {
	PIDs          []uint32 // owners
	Cookies       []uint64
	Local, Remote []Endpoint
	Since         int64 // ns since 1970: the line is not before; 0: whenever
	Until         int64 // nor behind, and nothing that is counts; 0: whenever
}

// Endpoint is addresses and a port.
type Endpoint struct {
	Prefix netip.Prefix // the zero one: any address
	Port   uint16       // 0: any
}

func (e *Endpoint) has(a netip.AddrPort) bool {
	return (e.Port == 0 || e.Port == a.Port()) && (!e.Prefix.IsValid() || e.Prefix.Contains(a.Addr().Unmap()))
}

func oneHas(endpoints []Endpoint, a netip.AddrPort) bool {
	if len(endpoints) == 0 {
		return true
	}
	for i := range endpoints {
		if endpoints[i].has(a) {
			return true
		}
	}
	return false
}

// matches says whether a line answers all.
func (q *Query) matches(f *fact) bool {
	e := &f.event
	return (len(q.PIDs) == 0 || e.PID != 0 && slices.Contains(q.PIDs, e.PID)) &&
		(len(q.Cookies) == 0 || e.Cookie != 0 && slices.Contains(q.Cookies, e.Cookie)) &&
		oneHas(q.Local, e.Local) && oneHas(q.Remote, e.Remote) && e.Time >= q.Since && (q.Until == 0 || e.Time <= q.Until)
}

// fact is what a line says of a socket.
type fact struct {
	event tcp.Event // of a look: New is the state that it was seen in, and Old is none
	kind  tcp.Kind
	age   tcp.Age // in New, of a look
	look  bool
	match bool
	marks int // how many marks were before it
}

// factOf returns what a line says of a socket, if it is about one.
func factOf(r *record.Record) (f fact, ok bool) {
	switch r.Kind {
	case record.Transition:
		return fact{event: r.Event}, r.Event.Old.Valid() && r.Event.New.Valid()
	case record.Socket:
	default:
		return f, false
	}
	s := &r.Socket
	if !s.State.Valid() || s.State == tcp.Close && !s.Zombie { // one that was never connected has no history
		return f, false
	}
	f = fact{look: true, kind: s.Kind, age: s.Age}
	f.event = tcp.Event{
		Time: r.Time, Mono: s.Seen, InOld: tcp.Unknown, SRTT: tcp.Unknown, Cookie: s.Cookie, CgroupID: s.CgroupID, NetNS: s.NetNS,
		UID: s.UID, Family: s.Family, Local: s.Local, Remote: s.Remote, PID: s.PID, Comm: s.Comm, Evidence: s.Evidence, New: s.State,
	}
	return f, true
}

// key tells sockets apart, of all boots.
type key struct {
	boot   int
	socket record.Key
}

func keyOf(boot int, f *fact) key {
	e := &f.event
	k := key{boot: boot, socket: record.Key{Cookie: e.Cookie, Kind: f.kind}}
	if e.Cookie == 0 {
		k.socket.NetNS, k.socket.Local, k.socket.Remote = e.NetNS, e.Local, e.Remote
	}
	return k
}
