package kernel

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf/btf"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// slowEnv says that everything takes 25 times longer here, as in a virtual machine without KVM.
const slowEnv = "TCPTRAIL_SLOW"

func isSlow() bool { return os.Getenv(slowEnv) != "" }

// scaled returns n, or less where everything is slow.
func scaled(n, slow int) int {
	if isSlow() {
		return slow
	}
	return n
}

// jiffySlack is by how much a time that is counted in jiffies may be wrong beyond their length: they stand still while
// the processor that counts them does.
func jiffySlack(t *testing.T) time.Duration {
	t.Helper()
	ticks, err := ticksOfKernel()
	if err != nil {
		t.Fatal(err)
	}
	return 2*ticks.length + time.Duration(scaled(30, 300))*time.Millisecond
}

func openSnapshots(t *testing.T, o SnapshotOptions) *Snapshots {
	t.Helper()
	s, err := OpenSnapshots(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close snapshots: %v", err)
		}
	})
	return s
}

func openCounter(t *testing.T, o SnapshotOptions) *Counter {
	t.Helper()
	c, err := OpenCounter(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close counter: %v", err)
		}
	})
	return c
}

// photo is what a snapshot has of one namespace, with the moments around it.
type photo struct {
	t            *testing.T
	sockets      []tcp.Socket
	began, ended time.Time
}

func (s *Snapshots) photo(t *testing.T, ns *nettest.NS) *photo {
	t.Helper()
	p := &photo{t: t, began: time.Now()}
	snapshot, err := s.Take()
	if err != nil {
		t.Fatal(err)
	}
	p.ended = time.Now()
	if !contains(snapshot.NetNS, ns.Inode()) {
		t.Errorf("network namespace %d was not looked at", ns.Inode())
	}
	for i := range snapshot.Sockets {
		if snapshot.Sockets[i].NetNS == ns.Inode() {
			p.sockets = append(p.sockets, snapshot.Sockets[i])
		}
	}
	return p
}

// look takes one photo of a namespace.
func look(t *testing.T, ns *nettest.NS, o SnapshotOptions) *photo {
	t.Helper()
	o.NetNS = []uint32{ns.Inode()}
	return openSnapshots(t, o).photo(t, ns)
}

// all returns the sockets with the cookie, the minisock of a zombie being the other one.
func (p *photo) all(cookie uint64, bare bool) (found []*tcp.Socket) {
	for i := range p.sockets {
		if s := &p.sockets[i]; s.Cookie == cookie && (s.Kind != tcp.Full) == bare {
			found = append(found, s)
		}
	}
	return found
}

// one returns a full socket that has to be there once.
func (p *photo) one(cookie uint64) *tcp.Socket {
	p.t.Helper()
	return p.only(p.all(cookie, false), cookie)
}

func (p *photo) only(found []*tcp.Socket, cookie uint64) *tcp.Socket {
	p.t.Helper()
	if len(found) != 1 {
		p.t.Fatalf("socket %#x is in the snapshot %d times", cookie, len(found))
	}
	return found[0]
}

// moment is when something happened, as far as who made it happen can tell.
type moment struct{ after, before time.Time }

func momentOf(f func()) (m moment) {
	m.after = time.Now()
	f()
	m.before = time.Now()
	return m
}

// checkBounds wants the true age within the bounds, as far as can be told with the given slack.
func (p *photo) checkBounds(name string, a tcp.Age, m moment, slack time.Duration) {
	p.t.Helper()
	checkAge(p.t, a)
	if !a.Known() {
		return
	}
	if most := p.ended.Sub(m.after) + slack; a.AtLeast > most {
		p.t.Errorf("%s: at least %v by %v, and in truth at most %v", name, a.AtLeast, a.Source, most)
	}
	if least := p.began.Sub(m.before) - slack; a.AtMost != tcp.Unknown && a.AtMost < least {
		p.t.Errorf("%s: at most %v by %v, and in truth at least %v", name, a.AtMost, a.Source, least)
	}
}

// checkExact is checkBounds for an age that has to be exact.
func (p *photo) checkExact(name string, a tcp.Age, source tcp.AgeSource, m moment, slack time.Duration) {
	p.t.Helper()
	if a.Source != source || !a.Exact() {
		p.t.Errorf("%s: age %+v, want an exact one by %v", name, a, source)
	}
	p.checkBounds(name, a, m, slack)
}

// kernelHas says whether this kernel's struct has the member.
func kernelHas(t *testing.T, name, member string) bool {
	t.Helper()
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	var c *btf.Struct
	if err := spec.TypeByName(name, &c); err != nil {
		t.Fatal(err)
	}
	for _, m := range c.Members {
		if m.Name == member {
			return true
		}
	}
	return false
}

// unmapped is an address as the domain has it.
func unmapped(addr netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}

// commIs says whether a name is what a test called its actor, of which the kernel keeps 15 bytes.
func commIs(comm tcp.Comm, name string) bool {
	return string(comm.Bytes()) == name[:min(len(name), len(comm)-1)]
}
