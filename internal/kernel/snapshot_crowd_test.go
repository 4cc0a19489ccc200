package kernel

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// onceOnly is the first kernel whose iterator shows a socket that stays exactly once, whatever comes and goes around it
// (net/ipv4/tcp_ipv4.c, bpf_iter_tcp_batch).
var onceOnly = release{6, 17}

// skipsAllowed is how many of n sockets an older kernel may not show when others come and go.
func skipsAllowed(n int) int {
	if version, ok := parseRelease(Release()); ok && version.before(onceOnly) {
		return 1 + n/100
	}
	return 0
}

// 50,000 sockets stay while others come and go and processes end: each of them is in every snapshot once, with its holder.
func TestPrivilegedSnapshotCrowd(t *testing.T) {
	const snapshots = 5
	ns := nettest.NewNS(t)
	if err := ns.Sysctl("net.ipv4.tcp_max_tw_buckets", "2000"); err != nil {
		t.Fatal(err)
	}
	crowd := ns.Crowd(t, scaled(25_000, 200))
	all, err := ns.Sockets()
	if err != nil || len(all) != 2*crowd.Len() {
		t.Fatalf("%d sockets, want %d (%v)", len(all), 2*crowd.Len(), err)
	}
	inodes := make(map[uint64]uint32, len(all))
	for _, info := range all {
		inodes[info.Cookie] = info.Inode
	}
	pids := crowd.PIDs()
	mayflies := startMayflies(t, ns, 2*snapshots)
	stop := ns.Churn(t, 2)
	s := openSnapshots(t, SnapshotOptions{NetNS: []uint32{ns.Inode()}})
	for i := range snapshots {
		ended := make(chan error, 1)
		go func() { ended <- mayflies.end(2 * i) }()
		p := s.photo(t, ns)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		checkCrowd(t, p, inodes, pids)
		t.Logf("%d sockets in %v", len(p.sockets), p.ended.Sub(p.began))
	}
	if made := stop(); made == 0 {
		t.Error("nobody came or went")
	}
}

func checkCrowd(t *testing.T, p *photo, inodes map[uint64]uint32, pids []int) {
	t.Helper()
	seen := make(map[uint64]bool, len(inodes))
	for i := range p.sockets {
		s := &p.sockets[i]
		inode, ours := inodes[s.Cookie]
		if !ours {
			continue
		}
		if seen[s.Cookie] {
			t.Fatalf("socket %#x is there twice", s.Cookie)
		}
		seen[s.Cookie] = true
		if s.State != tcp.Established || s.Inode != inode || len(s.Holders) != 1 || !slices.Contains(pids, int(s.PID)) || s.Evidence != tcp.EvidenceFD {
			t.Fatalf("socket %#x: %v, inode %d, holders %v, owner %d by %v", s.Cookie, s.State, s.Inode, s.Holders, s.PID, s.Evidence)
		}
		if len(seen)%97 == 0 { // a sample
			checkDescriptor(t, s)
		}
	}
	switch missing := len(inodes) - len(seen); {
	case missing > skipsAllowed(len(inodes)):
		t.Errorf("%d of %d sockets are missing", missing, len(inodes))
	case missing > 0:
		t.Logf("%d of %d sockets were skipped by kernel %s", missing, len(inodes), Release())
	}
}

func checkDescriptor(t *testing.T, s *tcp.Socket) {
	t.Helper()
	h := s.Holders[0]
	got, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", h.PID, h.FD))
	if want := fmt.Sprintf("socket:[%d]", s.Inode); err != nil || got != want {
		t.Errorf("descriptor %d of %d leads to %q (%v), want %q", h.FD, h.PID, got, err, want)
	}
}

// mayflies are processes with sockets, which end before the test.
type mayflies []*nettest.Actor

func startMayflies(t *testing.T, ns *nettest.NS, n int) (all mayflies) {
	t.Helper()
	for range n {
		a := nettest.StartActor(t, ns, "mayfly")
		l := a.Listen(nettest.Loopback4(0), 64)
		for range 20 {
			a.Dial(l.Local())
			l.Accept()
		}
		all = append(all, a)
	}
	return all
}

// end ends two of them, the second a while after the first; their parent buries them later.
func (m mayflies) end(first int) error {
	if err := unix.Kill(m[first].PID(), unix.SIGKILL); err != nil {
		return err
	}
	time.Sleep(20 * time.Millisecond)
	return unix.Kill(m[first+1].PID(), unix.SIGKILL)
}
