// Package leak says which sockets are stuck, since when, why, and what to do about it. A Watcher follows the stream of
// events and says when to look; a Reporter makes findings of the snapshot that was taken then. All times are given by the
// caller, in ns of CLOCK_MONOTONIC, so that recordings and fake clocks drive the package as a host does. Nothing in it is
// safe for concurrent use.
//
// The loop of who uses it: Seed with a snapshot, Observe each event, ask Due at the time that it named or earlier; when
// something is due, take a snapshot and Report. Lost events are made up for by each Report, or by Resync alone.
package leak

import "github.com/tcptrail/tcptrail/internal/tcp"

// Condition is what may last too long: a state, by its number, or Zombie. The zero value is none.
type Condition uint8

// Zombie is a socket in CLOSE after a connection with a descriptor still open.
const Zombie Condition = conditions - 1

// conditions is the length of a table by Condition.
const conditions = tcp.States + 2

// String returns the state in the kernel's spelling, or ZOMBIE; UNKNOWN for what is neither.
func (c Condition) String() string {
	if c == Zombie {
		return "ZOMBIE"
	}
	return tcp.State(c).String()
}

// State returns the state that the kernel has the socket in.
func (c Condition) State() tcp.State {
	if c == Zombie {
		return tcp.Close
	}
	return tcp.State(c)
}

// conditionOf returns what a socket may be stuck in; 0 for what can be no leak: the kernel itself ends minisocks and
// orphans of FIN_WAIT2.
func conditionOf(s *tcp.Socket) Condition {
	switch {
	case s.Zombie:
		return Zombie
	case s.State == tcp.Close || s.Kind == tcp.Minisock || isOrphan(s):
		return 0
	}
	return Condition(s.State)
}

// conditionIn returns what a socket in a state may be stuck in, as far as an event can tell.
func conditionIn(s tcp.State) Condition {
	if s == tcp.Close {
		return Zombie
	}
	return Condition(s)
}

// isOrphan says whether s waits in FIN_WAIT2 for its timer alone.
func isOrphan(s *tcp.Socket) bool {
	return s.State == tcp.FinWait2 && (s.Orphan || s.Kind == tcp.Minisock)
}
