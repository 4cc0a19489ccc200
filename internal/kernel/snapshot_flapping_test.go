package kernel

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	flapping      = 60 // sockets
	flappingLooks = 8  // snapshots
)

// Sockets that a process holds all the time, and that go into CLOSE and out of it while a snapshot looks here and there,
// are in it once.
func TestPrivilegedSnapshotOfFlappingSockets(t *testing.T) {
	ns := nettest.NewNS(t)
	cookies := map[uint64]bool{}
	var sockets []*nettest.Socket
	for range flapping {
		s, err := ns.Socket(unix.AF_INET)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sockets = append(sockets, s)
		cookies[cookieOf(t, s)] = true
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- flap(sockets, stop) }()

	snapshots, err := OpenSnapshots(SnapshotOptions{NetNS: []uint32{ns.Inode()}})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshots.Close()
	states := map[tcp.State]int{}
	for range flappingLooks {
		snapshot, err := snapshots.Take()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[uint64]int{}
		for i := range snapshot.Sockets {
			if s := &snapshot.Sockets[i]; cookies[s.Cookie] {
				seen[s.Cookie]++
				states[s.State]++
			}
		}
		for cookie := range cookies {
			if seen[cookie] != 1 {
				t.Errorf("socket %#x is there %d times", cookie, seen[cookie])
			}
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	t.Logf("seen in %v", states)
}

func cookieOf(t *testing.T, s *nettest.Socket) uint64 {
	t.Helper()
	identity, err := s.Identify()
	if err != nil {
		t.Fatal(err)
	}
	return identity.Cookie
}

// flap connects each to where nobody listens, again and again: CLOSE to SYN_SENT and back.
func flap(sockets []*nettest.Socket, stop <-chan struct{}) error {
	nobody := netip.MustParseAddrPort("127.0.0.1:9")
	for {
		for _, s := range sockets {
			if err := s.Connect(nobody); !errors.Is(err, unix.ECONNREFUSED) {
				return err
			}
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
}
