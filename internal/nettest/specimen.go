package nettest

import (
	"slices"
	"testing"
)

// Kind is which of the kernel's structures stands for a socket, and where it keeps it.
type Kind uint8

// The kinds.
const (
	FullSocket    Kind = iota // struct sock, in a table that sock_diag and /proc/net/tcp show
	Minisock                  // struct inet_timewait_sock: TIME_WAIT, or the FIN_WAIT2 of an orphan
	RequestSocket             // struct request_sock: half of a handshake; NEW_SYN_RECV to the kernel, SYN_RECV to ss
	Untabled                  // struct sock in Close: a descriptor leads to it, and no table
)

// String returns "full", "minisock", "request" or "untabled".
func (k Kind) String() string {
	names := [...]string{"full", "minisock", "request", "untabled"}
	if int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// Specimen is a socket that stays in its state, and what there is to find out about it.
type Specimen struct {
	// Name is its state in the kernel's spelling and, in lower case, what is special about it.
	Name string
	// SocketInfo is what sock_diag said when the socket had got there; of an Untabled one, what its process knows of it,
	// with addresses that are invalid when it had none.
	SocketInfo
	Kind Kind
	// Holders are all descriptors that lead to it. An orphan, a minisock, a request and a connection not yet accepted
	// have none.
	Holders    []*Conn
	Orphan     bool // FullSocket that its process has closed
	Unaccepted bool // waits in its listener's queue
	Zombie     bool // Untabled after a connection
}

// PIDs returns the processes that hold it, ascending, each once.
func (s *Specimen) PIDs() (pids []int) {
	for _, c := range s.Holders {
		pids = append(pids, c.Actor().PID())
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// States is the collection that EveryState makes.
type States struct {
	All []*Specimen // every socket of the namespace, each once

	Client   *Actor // holds what connected
	Server   *Actor // holds what listens and what was accepted
	Heir     *Actor // Server's child, which inherited a descriptor
	Receiver *Actor // got a descriptor from Server by SCM_RIGHTS
	TUN      *TUN

	tb    testing.TB
	ns    *NS
	peers uint16 // made so far
}

// Named returns the specimen with the name, and ends the test if there is none.
func (s *States) Named(name string) *Specimen {
	s.tb.Helper()
	for _, one := range s.All {
		if one.Name == name {
			return one
		}
	}
	s.tb.Fatalf("no specimen %q", name)
	return nil
}

// Count returns how many of the kernel's tables' sockets are in each state, as [NS.CountStates] does. Those in Close
// are in no table, and not in the count.
func (s *States) Count() map[State]int {
	var tabled []SocketInfo
	for _, one := range s.All {
		if one.Kind != Untabled {
			tabled = append(tabled, one.SocketInfo)
		}
	}
	return countStates(tabled)
}

// add waits until the socket is in the state in the kernel's tables, and notes it.
func (s *States) add(name string, state State, cookie uint64, holders ...*Conn) *Specimen {
	s.tb.Helper()
	info, err := s.ns.WaitSocket(cookie, state)
	if err != nil {
		s.tb.Fatalf("%s: %v", name, err)
	}
	return s.append(&Specimen{Name: name, SocketInfo: info, Holders: holders})
}

// addHeld is add for a socket with the one descriptor that it was made with.
func (s *States) addHeld(name string, state State, c *Conn) {
	s.tb.Helper()
	s.add(name, state, c.Cookie(), c)
}

// addOrphan is add for a socket that its process has closed.
func (s *States) addOrphan(name string, state State, c *Conn) {
	s.tb.Helper()
	s.add(name, state, c.Cookie()).Orphan = true
}

// addMinisock is add for what is left of a socket that was closed or finished.
func (s *States) addMinisock(name string, state State, c *Conn) {
	s.tb.Helper()
	s.add(name, state, c.Cookie()).Kind = Minisock
}

// addUntabled notes a socket in Close.
func (s *States) addUntabled(name string, c *Conn) *Specimen {
	s.tb.Helper()
	c.WaitState(Close)
	return s.append(&Specimen{
		Name: name, Kind: Untabled, Holders: []*Conn{c},
		SocketInfo: SocketInfo{State: Close, Local: c.Local(), Remote: c.Remote(), Cookie: c.Cookie(), Inode: c.Inode()},
	})
}

func (s *States) append(one *Specimen) *Specimen {
	s.All = append(s.All, one)
	return one
}
