package tcp

import (
	"bytes"
	"net/netip"
	"time"
)

// Unknown is the duration that nobody knows; it is never shown as zero.
const Unknown time.Duration = -1

// Event is one transition of one socket. Its fields hold whatever the kernel knew at that moment; it has no pointers
// of its own, so it may be kept by copying it.
type Event struct {
	Time       int64         // wall clock, ns since 1970
	Mono       int64         // CLOCK_MONOTONIC, ns: orders events and measures between them, whatever the wall clock does
	InOld      time.Duration // time spent in Old while the host was awake; Unknown for a newborn, an older socket, or after a missed transition
	Cookie     uint64        // as `ss -e` prints it after sk:, there in hexadecimal; 0 when unknown
	CgroupID   uint64        // cgroup v2 id (inode number of its directory); 0 when there is none
	BytesSent  uint64        // payload without retransmissions; set when New is Close
	BytesRecv  uint64        // payload; set when New is Close
	SRTT       time.Duration // smoothed round-trip time, or Unknown; set when New is Close
	Local      netip.AddrPort
	Remote     netip.AddrPort
	NetNS      uint32 // inode number of its network namespace
	UID        uint32
	PID        uint32 // owner; 0 when unknown, and then Evidence is EvidenceNone
	RunningPID uint32 // whom the event interrupted, for what it is worth; 0 is an idle CPU
	Retrans    uint32 // segments sent again; set when New is Close
	Stack      uint32 // number of the stack that opened it; 0 when unknown
	RecvQ      uint32 // bytes not read, the peer's FIN counted as one; set when Left is
	Errno      uint16 // sk_err, what the next system call on the socket will fail with; 0 when there is none
	Family     Family
	Old        State
	New        State
	Next       State // state of the minisock that carries the connection on after Close, or 0
	Evidence   Evidence
	Reason     Reason // why New is Close; ReasonNone when unknown or not at its end
	Missed     bool   // at least one transition before this one was not seen
	Late       bool   // comes after younger ones: its ports were not known yet, its end was missed, or its CPU stood still; RunningPID may be unknown
	// Left says that the last process that held it ended without closing it, and so the kernel does. A zombie is left by an
	// event from Close to Close, which is no transition.
	Left bool
	// Overdue says that its holder closed it, after longer in Old than a tracer was told to wait for; a zombie likewise.
	Overdue    bool
	Unaccepted bool // Left or Overdue, and its listener's process never accepted it
	Comm       Comm // owner's name
}

// IsIPv4 says whether IPv4 travels on the wire; a v4-mapped connection of an AF_INET6 socket does.
func (e *Event) IsIPv4() bool { return e.Local.Addr().Is4() || e.Remote.Addr().Is4() }

// Comm is a process's name as the kernel keeps it: up to 15 bytes, which the process chose, so hostile until escaped.
type Comm [16]byte

// Bytes returns the name without its terminator, as a slice of c.
func (c *Comm) Bytes() []byte {
	if n := bytes.IndexByte(c[:], 0); n >= 0 {
		return c[:n]
	}
	return c[:]
}

// Family is the address family of a socket. Addresses are shown as they travel on the wire: an Inet6 socket with an
// IPv4 address is v4-mapped.
type Family uint8

// The families.
const (
	Inet  Family = 2  // AF_INET
	Inet6 Family = 10 // AF_INET6
)

// String returns inet or inet6.
func (f Family) String() string {
	switch f {
	case Inet:
		return "inet"
	case Inet6:
		return "inet6"
	}
	return "unknown"
}
