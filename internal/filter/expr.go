package filter

import "github.com/tcptrail/tcptrail/internal/tcp"

// Expr is a filter in ss's language, extended. The nil Expr selects everything. It is never changed, so goroutines may
// share one as far as their Host allows.
//
// A text is a filter for states, as `state connected exclude established`, then an expression; both may be left out. An
// expression is made of predicates, joined by "and" (&, &&), "or" (|, ||) and juxtaposition, which is "and", negated by
// "not" (!), and grouped by parentheses. Blanks around symbols may be left out; words are matched with their case. Like
// ss, whose manual says otherwise, it reads from left to right: `a or b and c` is `( a or b ) and c`.
//
//	state S, exclude S     states and groups as tcp.ParseStates reads them, or zombie; several by commas
//	src|dst [OP] HOST      [inet:|inet6:]ADDRESS[/BITS][:PORT], with * for either; a name stands for all its addresses
//	sport|dport [OP] PORT  a number or a service, with or without a colon; several by commas, and ranges as 8000-8100
//	dev [OP] NAME          name or index of the interface that the socket is bound to; 0 is none
//	fwmark [OP] MARK       or MARK/MASK
//	cgroup [OP] PATH       the cgroup and all below it
//	autobound              the kernel chose the local port
//	pid [OP] PID           several by commas
//	comm [OP] NAME         a name or a pattern
//	exe [OP] PATH          a path or a pattern; one without a slash is that of the last element
//	uid [OP] USER          a number or a name
//	netns [OP] NETNS       whatever Names takes
//	age [OP] DURATION      time in the state, as 90s, 1h30m or 2d
//	recvq|sendq [OP] SIZE  bytes, or with K, M or G; of a listener connections
//
// OP is =, ==, eq or nothing; !=, ne or neq; and for what has an order <, lt, <=, le, leq, >, gt, >=, ge or geq. Values
// may be quoted by ' or ", and must be if they have blanks or are words of the language.
//
// `state` and `exclude` in a row are one predicate: each adds to or takes away from those before it, and an `exclude`
// that comes first takes away from all. At the front of the text, with no operator behind them, they apply to everything
// that follows, whatever operators it has.
//
// So a line that ss takes selects what ss selects, with these exceptions: `cgroup` has what is below; inet: and inet6:
// belong to their address and not to the whole line; and where ss errs (ss_test.go lists that) this does not. What is
// easily misread is refused: octal numbers, addresses that lack octets and a length, and IPv6 addresses without brackets
// the end of which may be a port.
//
// Every predicate holds or does not, and "not" turns that around. To those of ss `!=` is "not" and `=`, and a port that
// is not there (yet) is 0: `dport != 22` holds for listeners. The others do not hold, whatever the operator, where the
// value is unknown: `comm != x` leaves out what has no known process, `not comm = x` has it. With several processes one
// that fits is enough, and `!=` wants none of them. An age of which bounds are known compares as far as they prove it.
//
// For an event `state` holds when either side is such a state, age is the time spent in the old one, and what only
// sockets have (NeedsSocket) never holds.
type Expr struct{ root node }

// MatchEvent says whether x selects e. It allocates nothing. Without a Host (nil) programs are unknown, and a cgroup has
// none below it.
func (x *Expr) MatchEvent(e *tcp.Event, h Host) bool { return x == nil || x.root.matchEvent(e, h) }

// MatchSocket says whether x selects s. It allocates nothing. As for the Host, see MatchEvent.
func (x *Expr) MatchSocket(s *tcp.Socket, h Host) bool { return x == nil || x.root.matchSocket(s, h) }

// String returns the text of x in its one plain form, which Parse reads as the same; "" for nil. Hosts, services, users
// and interfaces have become numbers, network namespaces and cgroups are as they were written. It is printable.
func (x *Expr) String() string {
	if x == nil {
		return ""
	}
	return string(x.root.appendTo(nil))
}

// SocketStates returns states outside of which x selects no socket, for the snapshot to leave out; all when x says
// nothing of them. With the state of a request it has both, SynRecv and NewSynRecv.
func (x *Expr) SocketStates() tcp.StateSet {
	if x == nil {
		return everyState
	}
	may, _ := classesOf(x.root)
	return statesOfClasses(may)
}

// SocketNetNS returns the network namespaces outside of which x selects nothing; there may be none. With false it may
// select in any.
func (x *Expr) SocketNetNS() ([]uint32, bool) {
	if x == nil {
		return nil, false
	}
	return namespacesOf(x.root)
}

// NeedsSocket returns the first predicate that no event can answer, and the column where it was written.
func (x *Expr) NeedsSocket() (word string, column int, ok bool) {
	if x == nil {
		return "", 0, false
	}
	visit(x.root, func(term node) bool {
		switch t := term.(type) {
		case devTerm:
			word, column = t.word, t.column
		case markTerm:
			word, column = t.word, t.column
		case autoboundTerm:
			word, column = t.word, t.column
		case queueTerm:
			word, column = t.word, t.column
		case stateTerm:
			if t.zombie {
				word, column = zombieWord, t.column
			}
		}
		return word == ""
	})
	return word, column, word != ""
}

// NeedsExe says whether x asks for programs, so that the Host must be able to look at other users' processes.
func (x *Expr) NeedsExe() bool {
	if x == nil {
		return false
	}
	return !visit(x.root, func(term node) bool {
		_, ok := term.(exeTerm)
		return !ok
	})
}
