package leak

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const second = int64(time.Second)

// closeWait and finWait2 are the conditions that most tests are about.
const (
	closeWait = Condition(tcp.CloseWait)
	finWait2  = Condition(tcp.FinWait2)
)

func addr(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

func comm(name string) (c tcp.Comm) {
	copy(c[:], name)
	return c
}

// event is a transition of a socket at a time in ns.
func event(cookie uint64, at int64, old, now tcp.State) *tcp.Event {
	return &tcp.Event{Cookie: cookie, Mono: at, Old: old, New: now, NetNS: 1}
}

// stuckSocket is a full socket that a process opened and holds.
func stuckSocket(cookie uint64, state tcp.State, age time.Duration) tcp.Socket {
	return tcp.Socket{
		Cookie: cookie, State: state, NetNS: 1, Family: tcp.Inet,
		Local: addr(fmt.Sprintf("10.0.0.1:%d", 40000+cookie%20000)), Remote: addr("10.0.0.2:443"),
		Age: tcp.ExactAge(tcp.AgeTraced, age), PID: 100, Comm: comm("app"), Evidence: tcp.EvidenceConnect, Inode: 77,
		Holders:  []tcp.Holder{{PID: 100, FD: uint32(cookie), Comm: comm("app")}},
		LastSent: tcp.Unknown, LastReceived: tcp.Unknown, LastAck: tcp.Unknown,
	}
}

func zombie(cookie uint64, age time.Duration) tcp.Socket {
	s := stuckSocket(cookie, tcp.Close, age)
	s.Zombie = true
	return s
}

func snapshot(sockets ...tcp.Socket) *tcp.Snapshot {
	return &tcp.Snapshot{Sockets: sockets, NetNS: []uint32{1, 2, 3}, Took: 10 * time.Millisecond}
}

func newReports(o ReportOptions) *Reporter {
	return NewReporter(NewWatcher(WatchOptions{Limits: DefaultLimits()}), o)
}

// limitsOf are the limits of a text that is right.
func limitsOf(text string) Limits {
	var l Limits
	if err := l.Set(text); err != nil {
		panic(err)
	}
	return l
}

type noFacts struct{}

func (noFacts) FDLimit(uint32) (uint64, int, bool) { return 0, 0, false }

type fakeFacts struct {
	soft uint64
	used int
}

func (f fakeFacts) FDLimit(uint32) (uint64, int, bool) { return f.soft, f.used, true }
