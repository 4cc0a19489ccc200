package leak

import (
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Finding is what there is to say about sockets that are stuck in the same process for the same reason.
type Finding struct {
	ID     string // 16 hexadecimal digits, from the key: the same as long as that is
	Key    Key
	Status Status
	// News says that this is to be told: it is new, worse, over, or was told long ago.
	News  bool
	Level Level // of its worst socket

	FirstSeen int64 // CLOCK_MONOTONIC of the report that had it first
	Count     int   // sockets; those of a resolved finding are the last that were there
	Proven    int   // of these, how many are past the limit for certain; the others may be: see ReportOptions.Unproven
	Oldest    time.Duration
	AtLeast   bool  // Oldest is a lower bound
	Signs     Signs // of any of its sockets
	RecvQ     uint64
	SendQ     uint64 // bytes, over all its sockets
	Endpoints int    // different remote endpoints or local ports, when Key.Endpoint is that of none
	Sample    []Stuck
	Others    int // sockets that are not in Sample
	// Holders are the processes with descriptors on its sockets, at most MaxHolders, by how many they have.
	Holders      []Process
	OtherHolders int // processes that are not in Holders

	Growth   Growth
	FDs      FDs
	Listener *Listener // of what was never accepted, if it was found
	Peer     *Peer     // of sockets in FIN_WAIT2 whose other end on this host is in CLOSE_WAIT
	Blames   []string  // IDs of findings about the other ends that it is the cause of
	Leg      *Leg      // other side of a proxy: a guess
	Into     string    // of a merged finding: the ID of the one that has its sockets now
}

// Status is where in its life a finding is.
type Status uint8

// The statuses.
const (
	Firing    Status = iota + 1 // there are stuck sockets
	Escalated                   // there are, and this is the report in which the level rose
	Left                        // there were, when their process ended: see Leftover
	Overdue                     // there were for too long, and were closed then: see Leftover
	Resolved                    // there are none any more
	Muted                       // all that there are were muted since
	Merged                      // there are, in another finding: see Into
)

var statusNames = [...]string{"", "firing", "escalated", "left", "overdue", "resolved", "muted", "merged"}

// String returns the name used in JSON; "" for a number that is no status.
func (s Status) String() string {
	if int(s) >= len(statusNames) {
		return ""
	}
	return statusNames[s]
}

// IsOver says whether the finding will not be in the next report.
func (s Status) IsOver() bool { return s >= Resolved }

// Key is what the sockets of a finding have in common.
type Key struct {
	PID       uint32 // 0: unknown
	Comm      tcp.Comm
	NetNS     uint32 // only where PID is unknown
	Condition Condition
	Cause     Cause
	Direction Direction
	// Endpoint is the remote one of outgoing connections, and of incoming ones the local port, with an address that is
	// not valid. It is the zero value when there are too many: see Finding.Endpoints.
	Endpoint netip.AddrPort
	CallSite uint64 // the caller's number of the place in the code that opened it; 0: unknown
}

// Direction is who opened a connection.
type Direction uint8

// The directions.
const (
	Incoming Direction = iota + 1
	Outgoing
)

var directionNames = [...]string{"", "incoming", "outgoing"}

// String returns the name used in JSON; "" for a number that is no direction.
func (d Direction) String() string {
	if int(d) >= len(directionNames) {
		return ""
	}
	return directionNames[d]
}

// Stuck is one socket of a finding. It is a copy, and keeps nothing of the snapshot.
type Stuck struct {
	Socket  tcp.Socket
	Age     time.Duration // in its condition; of an established one without payload
	AtLeast bool          // Age is a lower bound
	Level   Level
	Cause   Cause
	Signs   Signs
	Peer    *Peer // see Finding
}

// Process is a process that holds sockets of a finding.
type Process struct {
	PID     uint32
	Comm    tcp.Comm // hostile until escaped
	Sockets int
}

// FDs is what a finding means for its process's descriptors. The zero value says that nothing is known.
type FDs struct {
	Known     bool
	Limit     uint64        // soft limit
	Used      int           // in all
	Held      int           // by sockets of this finding
	Share     float64       // Held of Limit
	Exhausted time.Duration // until the limit is hit if it goes on like this, or tcp.Unknown
}

// Listener is a socket whose connections nobody accepts.
type Listener struct {
	Local   netip.AddrPort
	PID     uint32
	Comm    tcp.Comm
	Waiting uint32 // connections
	Backlog uint32 // how many may
}

// Peer is the other end of a connection, on this host. Of the peers of several sockets it is the one of the oldest.
type Peer struct {
	Cookie uint64
	NetNS  uint32
	PID    uint32 // 0: unknown
	Comm   tcp.Comm
	State  tcp.State
	Cause  Cause
	// AtFault says that the connection waits for this end. It does not while this end has data left to send: then it waits
	// for the network, or for whoever does not read.
	AtFault bool
	Finding string // ID of the one that it is in; "" if in none
	Sockets int    // of a finding: how many of its sockets have such a peer, whoever that is
}

// Leg is the finding about the other side of what may be a proxy: the same process has a connection in CLOSE_WAIT and
// one in FIN_WAIT2 that got there within milliseconds. That is a guess, and must be called one.
type Leg struct {
	Finding string // ID
	Pairs   int
}

// Facts tells what only the host knows.
type Facts interface {
	// FDLimit returns how many descriptors a process may have, and how many it has.
	FDLimit(pid uint32) (soft uint64, used int, ok bool)
}

// Mute keeps sockets out of findings for a while.
type Mute struct {
	Match func(*tcp.Socket) bool // must not keep the socket
	Until int64                  // CLOCK_MONOTONIC; Never for good
}
