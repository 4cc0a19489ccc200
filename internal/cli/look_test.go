package cli

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// fakeLook is how the host's sockets are looked at, whichever way: by a snapshot, by a count or by sock_diag.
type fakeLook struct {
	openErr  error
	lookErr  error // of Take, Count and Watch
	quickErr error // of CountStates
	closeErr error
	hold     chan struct{} // while not nil and open, Take and Count wait
	then     func(n int)   // called after the nth Take or Count, from 1

	mu      sync.Mutex
	sockets []tcp.Socket
	tallies []tcp.Tally // for one Count each, but the last, which stays
	ways    []string    // what was opened, in order
	options []kernel.SnapshotOptions
	kept    [][]privilege.Set // what had been kept by then
	looks   int
	watched int
	closed  int
}

func (f *fakeLook) opened(way string, kept []privilege.Set, o kernel.SnapshotOptions) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ways, f.options, f.kept = append(f.ways, way), append(f.options, o), append(f.kept, slices.Clone(kept))
}

// look counts a Take or a Count.
func (f *fakeLook) look() error {
	if f.hold != nil {
		<-f.hold
	}
	f.mu.Lock()
	f.looks++
	n := f.looks
	f.mu.Unlock()
	if f.then != nil {
		f.then(n)
	}
	return f.lookErr
}

// count returns how often somebody has looked.
func (f *fakeLook) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.looks
}

// tally returns the next one.
func (f *fakeLook) tally() (t tcp.Tally) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.tallies) > 0 {
		t = f.tallies[0]
	}
	if len(f.tallies) > 1 {
		f.tallies = f.tallies[1:]
	}
	return t
}

func (f *fakeLook) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	return f.closeErr
}

type fakeSnapshots struct{ *fakeLook }

func (f fakeSnapshots) Take() (*tcp.Snapshot, error) {
	if err := f.look(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return &tcp.Snapshot{Time: 1_700_000_000_000_000_000, Sockets: slices.Clone(f.sockets)}, nil
}

func (f fakeSnapshots) TakeUntil(h tcp.Horizon) (*tcp.Snapshot, error) {
	snapshot, err := f.Take()
	if err == nil {
		snapshot.Horizon = h
	}
	return snapshot, err
}

func (f fakeSnapshots) Close() error { return f.close() }

type fakeCounter struct{ *fakeLook }

func (f fakeCounter) Watch() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watched++
	return f.lookErr
}

func (f fakeCounter) Count() (tcp.Tally, error) {
	tally := f.tally()
	return tally, f.look()
}

func (f fakeCounter) Close() error { return f.close() }

// socket returns a connection of process 4242 in a state, for that many seconds.
func socket(state tcp.State, seconds int) tcp.Socket {
	s := tcp.Socket{
		Cookie: uint64(seconds), Local: netip.MustParseAddrPort("10.0.0.1:40000"),
		Remote: netip.MustParseAddrPort("10.0.0.2:443"), Age: tcp.ExactAge(tcp.AgeTraced, time.Duration(seconds)*time.Second),
		RTT: tcp.Unknown, RTTVar: tcp.Unknown, LastSent: tcp.Unknown, LastReceived: tcp.Unknown, LastAck: tcp.Unknown,
		NetNS: 4026532001, Family: tcp.Inet, State: state, PID: 4242, Evidence: tcp.EvidenceFD,
		Holders: []tcp.Holder{{PID: 4242, FD: 5, Comm: tcp.Comm{'w', 'e', 'b'}}},
	}
	s.Comm = s.Holders[0].Comm
	return s
}

// zombie returns a socket whose connection is over.
func zombie(seconds int) tcp.Socket {
	s := socket(tcp.Close, seconds)
	s.Zombie = true
	return s
}

// halfOpen returns a request.
func halfOpen() tcp.Socket {
	s := socket(tcp.SynRecv, 1)
	s.Kind, s.PID, s.Evidence, s.Holders, s.Comm = tcp.Request, 0, tcp.EvidenceNone, nil, tcp.Comm{}
	return s
}

// put lets these be the sockets that there are from now on.
func (f *fakeLook) put(sockets ...tcp.Socket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sockets = sockets
}
