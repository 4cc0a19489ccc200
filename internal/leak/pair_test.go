package leak

import (
	"slices"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// ends returns both ends of a connection: in FIN_WAIT2 by process 100, and in CLOSE_WAIT by process 200.
func ends(cookie uint64, local, remote string, netns ...uint32) (fin, wait tcp.Socket) {
	fin, wait = stuckSocket(cookie, tcp.FinWait2, time.Hour), stuckSocket(cookie+1, tcp.CloseWait, time.Hour)
	fin.Local, fin.Remote, fin.NetNS = addr(local), addr(remote), netns[0]
	wait.Local, wait.Remote, wait.NetNS = addr(remote), addr(local), netns[1]
	wait.PID, wait.Comm, wait.Evidence, wait.Holders = 200, comm("server"), tcp.EvidenceAccept, []tcp.Holder{{PID: 200, FD: 3}}
	return fin, wait
}

func byCondition(t *testing.T, found []Finding, c Condition) *Finding {
	t.Helper()
	for i := range found {
		if found[i].Key.Condition == c {
			return &found[i]
		}
	}
	t.Fatalf("no finding about %v in %+v", c, found)
	return nil
}

func TestPairs(t *testing.T) {
	fin, wait := ends(1, "10.0.0.1:50000", "10.0.0.2:80", 1, 2)
	found := newReports(ReportOptions{}).Report(10000*second, snapshot(fin, wait), nil)
	f, w := byCondition(t, found, finWait2), byCondition(t, found, closeWait)
	want := Peer{Cookie: 2, NetNS: 2, PID: 200, Comm: comm("server"), State: tcp.CloseWait, Cause: NotClosed, AtFault: true, Finding: w.ID, Sockets: 1}
	if f.Peer == nil || *f.Peer != want {
		t.Errorf("peer %+v, want %+v", f.Peer, want)
	}
	if len(w.Blames) != 1 || w.Blames[0] != f.ID || w.Peer != nil {
		t.Errorf("%+v", w)
	}
	if p := f.Sample[0].Peer; p == nil || p.PID != 200 || p.Finding != w.ID {
		t.Errorf("of the socket: %+v", p)
	}
}

// A peer that has data left to send waits itself: for this end, if that does not read.
func TestSendingPeerIsNotBlamed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		unread uint32
		edit   func(wait *tcp.Socket)
	}{
		{"this end does not read", 128512, func(*tcp.Socket) {}},
		{"this end has read all that came", 0, func(*tcp.Socket) {}},
		{"inherited", 128512, func(wait *tcp.Socket) { wait.Holders = []tcp.Holder{{PID: 200}, {PID: 201}} }},
	} {
		fin, wait := ends(1, "10.0.0.1:50000", "10.0.0.2:80", 1, 2)
		fin.RecvQ, wait.SendQ, wait.Timer.Kind = tt.unread, 1<<20, tcp.TimerProbe
		tt.edit(&wait)
		found := newReports(ReportOptions{}).Report(10000*second, snapshot(fin, wait), nil)
		f, w := byCondition(t, found, finWait2), byCondition(t, found, closeWait)
		if f.Peer == nil || f.Peer.PID != 200 || f.Peer.AtFault || len(w.Blames) != 0 {
			t.Errorf("%s: peer %+v, blames %q", tt.name, f.Peer, w.Blames)
		}
		if blamed := slices.Equal(f.Blames, []string{w.ID}); blamed != (tt.unread > 0) {
			t.Errorf("%s: %q", tt.name, f.Blames)
		}
	}
}

func TestPeerThatIsNotStuckYet(t *testing.T) {
	fin, wait := ends(1, "10.0.0.1:50000", "10.0.0.2:80", 1, 1)
	wait.Age = tcp.ExactAge(tcp.AgeTraced, time.Second)
	found := newReports(ReportOptions{}).Report(10000*second, snapshot(fin, wait), nil)
	if len(found) != 1 || found[0].Peer == nil || found[0].Peer.Finding != "" || found[0].Peer.PID != 200 {
		t.Errorf("%+v", found)
	}
}

func TestPairsOfTheSameAddresses(t *testing.T) {
	fin1, wait1 := ends(1, "127.0.0.1:50000", "127.0.0.1:80", 1, 1)
	fin2, wait2 := ends(11, "127.0.0.1:50000", "127.0.0.1:80", 2, 2)
	fin3, _ := ends(21, "127.0.0.1:50000", "127.0.0.1:80", 3, 3)
	fin4, wait4 := ends(31, "10.0.0.1:50000", "10.0.0.2:80", 1, 2)
	_, wait5 := ends(41, "10.0.0.1:50000", "10.0.0.2:80", 1, 3)
	look := snapshot(wait2, wait1, fin1, fin2, fin3, fin4, wait4, wait5)
	ends := otherEndsOf(look.Sockets)
	for _, tt := range []struct {
		name string
		s    *tcp.Socket
		want uint64
	}{
		{"loopback", &fin1, wait1.Cookie},
		{"another loopback", &fin2, wait2.Cookie},
		{"loopback without its other end", &fin3, 0},
		{"two namespaces it may go to", &fin4, 0},
	} {
		got := uint64(0)
		if end := ends.of(tt.s); end != nil {
			got = end.Cookie
		}
		if got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestProxyLegs(t *testing.T) {
	var sockets []tcp.Socket
	for i := range uint64(3) {
		age := time.Hour + time.Duration(i)*time.Minute
		client, server := stuckSocket(10+i, tcp.CloseWait, age), stuckSocket(20+i, tcp.FinWait2, age-[]time.Duration{0, 4, 45}[i]*time.Millisecond)
		client.Evidence, client.Local, client.Remote = tcp.EvidenceAccept, addr("10.0.0.1:80"), addr("10.9.9.9:5000")
		sockets = append(sockets, client, server)
	}
	stranger := stuckSocket(30, tcp.FinWait2, time.Hour)
	stranger.PID = 300
	apart := stuckSocket(31, tcp.FinWait2, 2*time.Hour)
	apart.Remote = addr("10.7.7.7:1")
	found := newReports(ReportOptions{}).Report(100000*second, snapshot(append(sockets, stranger, apart)...), nil)
	w := byCondition(t, found, closeWait)
	if w.Leg == nil || w.Leg.Pairs != 3 {
		t.Fatalf("%+v", w.Leg)
	}
	for _, f := range found {
		isLeg := f.ID == w.Leg.Finding
		if isLeg != (f.Leg != nil && f.Leg.Finding == w.ID && f.Leg.Pairs == 3) || isLeg && f.Key.PID != 100 {
			t.Errorf("%+v with leg %+v", f.Key, f.Leg)
		}
	}
}

func TestBothEndsInOneProcessAreNoLegs(t *testing.T) {
	fin, wait := ends(1, "127.0.0.1:50000", "127.0.0.1:80", 1, 1)
	wait.PID, wait.Comm = fin.PID, fin.Comm
	for _, f := range newReports(ReportOptions{}).Report(10000*second, snapshot(fin, wait), nil) {
		if f.Leg != nil {
			t.Errorf("%+v", f)
		}
	}
}
