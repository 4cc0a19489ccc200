// Package record is the language of recordings: what tcptrail log writes and tcptrail replay reads, one JSON object a line.
// Transitions are the lines of trace -o json with three more fields, so either tool reads either file; between them stand
// what was found whenever somebody looked at the sockets, so that what was concluded can be concluded again.
package record

import (
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Kind is what a line is about.
type Kind uint8

// The kinds.
const (
	Other      Kind = iota // of a later version, or none of ours: to be skipped
	Session                // somebody began to record: what follows is from one tracer on one host
	Transition             // Record.Event
	Socket                 // Record.Socket, which belongs to the look that comes next
	LookOver               // Record.Look: all its sockets have come
	Loss                   // Record.Lost events are missing before this line
	End                    // the session ended as it should
)

var kindNames = [...]string{"", "session", "transition", "watched", "look", "loss", "end"}

// String returns the name that the event field has; "" for Other.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return ""
	}
	return kindNames[k]
}

// Record is a line. What does not belong to its kind is of an earlier line.
type Record struct {
	Kind Kind
	// Seq orders the lines of a directory: it begins at a session's first nanosecond since 1970 and grows by one a line. 0 in
	// lines of trace, which are in order as they stand.
	Seq     uint64
	Time    int64 // wall clock, ns since 1970
	Event   tcp.Event
	Socket  tcp.Socket // its times are relative to Seen, its holders its own
	Look    Look
	Session SessionInfo
	Lost    uint64

	line    *socketLine // of Socket
	sockets int         // how many sockets a look had
}

// SessionInfo is under what circumstances a session was recorded.
type SessionInfo struct {
	Version string `json:"version"`
	Host    string `json:"host"`
	BootID  string `json:"boot_id"`          // /proc/sys/kernel/random/boot_id: cookies and CLOCK_MONOTONIC are of this boot
	Limits  string `json:"limits,omitempty"` // of leaks, as --limit takes them; "" when nobody looked
	Filter  string `json:"filter,omitempty"` // what was recorded alone
	// NetNS has the network namespaces that were recorded alone, by their inodes; none: all were. Looks see others, too, for the
	// other ends of connections.
	NetNS []uint32 `json:"netns,omitempty"`
	PID   int      `json:"pid"` // of the tracer
}

// Look is a snapshot without its sockets, and with what else a report was made of.
type Look struct {
	Now      int64 // CLOCK_MONOTONIC, ns, of the report
	Baseline bool  // all sockets of the host, and no report
	Time     int64 // of the snapshot, as the next three
	Took     time.Duration
	NetNS    []uint32
	Horizon  tcp.Horizon
	Gone     []Key // sockets of the look before that this has not
	FDLimits []FDLimit
}

// Key tells sockets apart: a minisock shares its cookie with the socket that it came from, or has none. One without is
// known by its addresses.
type Key struct {
	Cookie        uint64
	Kind          tcp.Kind
	NetNS         uint32 // of one without a cookie, as the next two
	Local, Remote netip.AddrPort
}

// KeyOf returns the key of a socket.
func KeyOf(s *tcp.Socket) Key {
	if s.Cookie != 0 {
		return Key{Cookie: s.Cookie, Kind: s.Kind}
	}
	return Key{Kind: s.Kind, NetNS: s.NetNS, Local: s.Local, Remote: s.Remote}
}

// FDLimit is a process's limit of descriptors, and how many it had.
type FDLimit struct {
	PID  uint32 `json:"pid"`
	Soft uint64 `json:"soft"`
	Used int    `json:"used"`
}
