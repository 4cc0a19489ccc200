package kernel

import (
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// horizonStates are those that tests bound: in CLOSE there is more than a connection's last state.
var horizonStates = []tcp.State{
	tcp.Established, tcp.SynSent, tcp.SynRecv, tcp.FinWait1, tcp.FinWait2, tcp.CloseWait, tcp.LastAck, tcp.Closing,
}

func horizonAt(at time.Time, s *Snapshots) (h tcp.Horizon) {
	until := s.clock.Refresh() - int64(time.Since(at))
	for _, state := range horizonStates {
		h[state] = until
	}
	return h
}

// checkHorizons looks up to each of many moments. What came to its state before is seen, with all who hold it, and what is
// proven to have come later is not.
func (a *aging) checkHorizons(s *Snapshots) {
	a.t.Helper()
	time.Sleep(idle)
	whole := s.photo(a.t, a.ns)
	slack := jiffySlack(a.t)
	hidden := 0
	for _, last := range a.all {
		at := last.before.Add(idle / 2)
		h := horizonAt(at, s)
		snapshot, err := s.TakeUntil(h)
		if err != nil {
			a.t.Fatal(err)
		}
		if snapshot.Horizon != h {
			a.t.Error("the snapshot does not say how far it saw")
		}
		p := &photo{t: a.t, sockets: snapshot.Sockets}
		for _, one := range a.all {
			full := one.in(whole)
			found := p.all(one.cookie, one.kind != tcp.Full)
			if len(found) == 1 && len(found[0].Holders) != len(full.Holders) {
				a.t.Errorf("%s: %d holders, want %d", one.name, len(found[0].Holders), len(full.Holders))
			}
			isBounded := one.kind == tcp.Full && h[one.state] != 0
			switch proven := full.Age.AtMost != tcp.Unknown && whole.began.Add(-full.Age.AtMost).After(at.Add(slack)); {
			case len(found) != 1 && (one.before.Before(at) || !isBounded):
				a.t.Errorf("%v, %s: seen %d times up to %s", one.state, one.name, len(found), last.name)
			case len(found) != 0 && isBounded && proven && full.Age.Known():
				a.t.Errorf("%v, %s: seen up to %s although its age is %+v", one.state, one.name, last.name, full.Age)
			case len(found) == 0:
				hidden++
			}
		}
	}
	if hidden == 0 {
		a.t.Error("nothing was ever left out")
	}
	a.t.Logf("left out %d times", hidden)
}

func TestPrivilegedHorizon(t *testing.T) {
	ns := nettest.NewNS(t)
	a := newAging(t, ns)
	a.handshakes()
	a.closings()
	client, _ := a.pair()
	a.enter("idle", tcp.Established, client, func() {}).after = a.began
	a.checkHorizons(openSnapshots(t, SnapshotOptions{NetNS: []uint32{ns.Inode()}}))
}

func TestPrivilegedHorizonTraced(t *testing.T) {
	s := newStage(t)
	a := newAging(t, s.ns)
	older, _ := a.pair()
	s.trace(Options{})
	a.handshakes()
	a.closings()
	a.enter("older than the tracer", tcp.Established, older, func() {}).after = a.began
	a.checkHorizons(openSnapshots(t, SnapshotOptions{NetNS: []uint32{s.ns.Inode()}, Tracer: s.tracer}))
	s.end()
}

// In ESTABLISHED it is idleness that lasts.
func TestPrivilegedHorizonOfIdleness(t *testing.T) {
	ns := nettest.NewNS(t)
	a := newAging(t, ns)
	client, server := a.pair()
	time.Sleep(idle)
	at := time.Now()
	s := openSnapshots(t, SnapshotOptions{NetNS: []uint32{ns.Inode()}})
	seen := func() (n int) {
		snapshot, err := s.TakeUntil(horizonAt(at, s))
		if err != nil {
			t.Fatal(err)
		}
		p := &photo{t: t, sockets: snapshot.Sockets}
		return len(p.all(client.Cookie(), false)) + len(p.all(server.Cookie(), false))
	}
	if n := seen(); n != 2 {
		t.Errorf("idle: %d seen", n)
	}
	time.Sleep(idle)
	client.Write(1)
	server.Read(1)
	if n := seen(); n != 0 {
		t.Errorf("not idle: %d seen", n)
	}
}

func TestTicksWithin(t *testing.T) {
	ms := ticks{length: 4 * time.Millisecond}
	for d, want := range map[time.Duration]uint32{
		-time.Second: 0, 0: 0, 4 * time.Millisecond: 0, 8 * time.Millisecond: 1, time.Second: 249, time.Hour: 899_999,
	} {
		if got := ms.within(d, time.Hour); got != want {
			t.Errorf("%v: %d jiffies, want %d", d, got, want)
		}
	}
	if got := ms.within(time.Second, ms.wrap()); got != 0 {
		t.Errorf("after the wrap: %d", got)
	}
}
