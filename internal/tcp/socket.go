package tcp

import (
	"net/netip"
	"time"
)

// NoUID is the user of a socket of which the kernel keeps none: a minisock, a request.
const NoUID uint32 = 1<<32 - 1

// Socket is one TCP socket as a snapshot found it. Of a minisock or a request the kernel keeps a few fields only: what
// it does not keep is zero, or Unknown where zero would mean something.
type Socket struct {
	Seen     int64  // when it was looked at (CLOCK_MONOTONIC, ns), to which what follows refers; 0 when unknown
	Cookie   uint64 // as `ss -e` prints it after sk:, there in hexadecimal
	CgroupID uint64 // cgroup v2 id (inode number of its directory); 0 when there is none
	Local    netip.AddrPort
	Remote   netip.AddrPort // of a listener, and of an unconnected socket, unspecified with port 0
	Age      Age
	Holders  []Holder // processes with a descriptor on it, by pid and descriptor
	Timer    Timer
	RTT      time.Duration // smoothed, or Unknown
	RTTVar   time.Duration // or Unknown
	// LastSent, LastReceived and LastAck are how long ago payload was last sent, payload and any ACK received; Unknown
	// when the kernel does not say, as for listeners and minisocks.
	LastSent     time.Duration
	LastReceived time.Duration
	LastAck      time.Duration
	BytesSent    uint64 // payload without retransmissions
	BytesRecv    uint64 // payload
	NetNS        uint32 // inode number of its network namespace
	UID          uint32 // or NoUID
	Inode        uint32 // of the descriptor's file, as in /proc/PID/fd; 0 when there is none
	// RecvQ and SendQ are bytes: not yet read by the process, the peer's FIN counted as one, and not yet acknowledged by
	// the peer. Of a listener they are connections: waiting for accept(), and how many may (sk_max_ack_backlog).
	RecvQ    uint32
	SendQ    uint32
	Retrans  uint32 // segments sent again in all
	Mark     uint32 // SO_MARK
	Device   uint32 // index of the interface that it is bound to; 0: none
	PID      uint32 // owner; 0 when unknown, and then Evidence is EvidenceNone
	Stack    uint32 // number of the stack that opened it; 0 when unknown
	Errno    uint16 // sk_err, what the next system call on the socket will fail with
	Family   Family
	State    State // of a minisock the state that ss shows: TimeWait or FinWait2; of a request SynRecv: see Kind
	Kind     Kind
	Evidence Evidence
	Shutdown Shutdown
	Comm     Comm // owner's name

	Orphan     bool // full socket without descriptor, closed by its process: the kernel ends it by itself
	Unaccepted bool // complete connection that waits in its listener's queue for accept()
	Zombie     bool // in Close after a connection, and a descriptor still open
	Autobound  bool // its local port was chosen by the kernel, not by bind()
}

// States returns the states by which a filter finds the socket: its own, and for a request NewSynRecv, too.
func (s *Socket) States() StateSet {
	if s.Kind == Request {
		return SetOf(s.State, NewSynRecv)
	}
	return SetOf(s.State)
}

// Kind is which of the kernel's structures stands for the socket.
type Kind uint8

// The kinds.
const (
	Full     Kind = iota // struct sock
	Minisock             // struct inet_timewait_sock: TIME_WAIT, or the FIN_WAIT2 of an orphan
	Request              // struct request_sock: half of a handshake, NEW_SYN_RECV to the kernel and SYN_RECV to ss
)

var kindNames = [...]string{"full", "minisock", "request"}

// String returns the name used in JSON, as "minisock".
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// Shutdown says which directions are shut: bit 0 receiving, bit 1 sending (include/net/sock.h, RCV_SHUTDOWN).
type Shutdown uint8

// Holder is a descriptor of a process on a socket.
type Holder struct {
	PID  uint32 // thread group
	FD   uint32
	Comm Comm // of the thread group leader, which chose it: hostile until escaped
}

// Timer is the kernel's timer that is pending on a socket, as `ss -o` shows it.
type Timer struct {
	Kind    TimerKind
	Left    time.Duration // until it expires; 0 when overdue
	Retries uint8         // how often it expired before without an answer
}

// TimerKind is what a timer is for.
type TimerKind uint8

// The timers.
const (
	TimerNone       TimerKind = iota
	TimerRetransmit           // ss calls it on
	TimerKeepalive            // or the wait of an orphaned FIN_WAIT2 that is longer than a minute
	TimerTimeWait             // of a minisock
	TimerProbe                // of a window that the peer has shut; ss calls it persist
)

var timerNames = [...]string{"", "retransmit", "keepalive", "timewait", "probe"}

// String returns the name used in JSON; "" for TimerNone and for a number that is none.
func (k TimerKind) String() string {
	if int(k) >= len(timerNames) {
		return ""
	}
	return timerNames[k]
}

// IsIPv4 says whether IPv4 travels on the wire; a v4-mapped connection of an AF_INET6 socket does.
func (s *Socket) IsIPv4() bool { return s.Local.Addr().Is4() || s.Remote.Addr().Is4() }

// Snapshot is every TCP socket of a host, or of what was asked for, within the moment that it took to look.
type Snapshot struct {
	Sockets []Socket
	Time    int64         // wall clock at its begin, ns since 1970
	Took    time.Duration // from its begin to its end: the uncertainty of all that is said about "now"
	NetNS   []uint32      // the network namespaces that were looked at, by inode number, ascending
	Horizon Horizon       // what is beyond was left out
}

// Horizon is, by state, until when a socket must have come to be in it to be looked at (CLOCK_MONOTONIC, ns); 0: whenever.
// Of a socket of which that is not known, and which was not idle in ESTABLISHED, all that matters is what is proven.
type Horizon [States + 1]int64

// Counts is how many sockets are in each state, as ss counts them: minisocks by the state that they stand for, requests
// as SynRecv. Close does not include zombies.
type Counts struct {
	States  [States + 1]uint64 // by State; index 0 is unused
	Zombies uint64
}

// Count counts one socket.
func (c *Counts) Count(s *Socket) {
	switch {
	case s.Zombie:
		c.Zombies++
	case s.State.Valid():
		c.States[s.State]++
	}
}

// Total returns how many sockets there are in all.
func (c *Counts) Total() uint64 {
	total := c.Zombies
	for _, n := range c.States {
		total += n
	}
	return total
}

// Of returns how many sockets are in any of the states. Zombies are not counted.
func (c *Counts) Of(states StateSet) uint64 {
	var n uint64
	for s := Established; s <= NewSynRecv; s++ {
		if states.Has(s) {
			n += c.States[s]
		}
	}
	return n
}

// Keep forgets what is in other states. Zombies go with Close, and requests with NewSynRecv or SynRecv.
func (c *Counts) Keep(states StateSet) {
	if states.Has(NewSynRecv) {
		states |= SetOf(SynRecv)
	}
	for s := range c.States {
		if !states.Has(State(s)) {
			c.States[s] = 0
		}
	}
	if !states.Has(Close) {
		c.Zombies = 0
	}
}

// Tally is how many sockets of each of the kernel's structures are in each state.
type Tally struct {
	Full    [States + 1]uint64 // by State; Close has those that were never connected
	Bare    [States + 1]uint64 // minisocks and requests, by the state that they stand for
	Zombies uint64
}

// Counts sums it up.
func (t *Tally) Counts() Counts {
	c := Counts{Zombies: t.Zombies}
	for s := range c.States {
		c.States[s] = t.Full[s] + t.Bare[s]
	}
	return c
}
