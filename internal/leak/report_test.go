package leak

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestLifeOfAFinding(t *testing.T) {
	r := newReports(ReportOptions{Repeat: 10 * time.Minute})
	start := 1000 * second
	s := stuckSocket(1, tcp.CloseWait, 0)
	id := ""
	for _, step := range []struct {
		name   string
		at     time.Duration // age of the socket
		gone   bool
		failed bool
		status Status // 0: no finding
		news   bool
		level  Level
	}{
		{name: "within the limit", at: 59 * time.Second},
		{name: "new", at: time.Minute, status: Firing, news: true, level: Warn},
		{name: "goes on", at: 2 * time.Minute, status: Firing, level: Warn},
		{name: "no snapshot", at: 3 * time.Minute, gone: true, failed: true, status: Firing, level: Warn},
		{name: "worse", at: 5 * time.Minute, status: Escalated, news: true, level: Critical},
		{name: "goes on", at: 6 * time.Minute, status: Firing, level: Critical},
		{name: "told again", at: 15 * time.Minute, status: Firing, news: true, level: Critical},
		{name: "told again without a snapshot", at: 25 * time.Minute, failed: true, status: Firing, news: true, level: Critical},
		{name: "goes on", at: 26 * time.Minute, status: Firing, level: Critical},
		{name: "over", at: 27 * time.Minute, gone: true, status: Resolved, news: true, level: Critical},
		{name: "nothing left", at: 28 * time.Minute, gone: true},
	} {
		now := start + int64(step.at)
		s.Age = tcp.ExactAge(tcp.AgeTraced, step.at)
		look := snapshot(s)
		if step.gone {
			look = snapshot()
		}
		if step.failed {
			look = nil
		}
		found := r.Report(now, look, nil)
		if step.status == 0 {
			if len(found) != 0 {
				t.Errorf("%s: %+v", step.name, found)
			}
			continue
		}
		if len(found) != 1 {
			t.Fatalf("%s: %d findings", step.name, len(found))
		}
		f := found[0]
		if f.Status != step.status || f.News != step.news || f.Level != step.level || f.FirstSeen != start+60*second {
			t.Errorf("%s: %v, news %v, %v, first seen %d; want %+v", step.name, f.Status, f.News, f.Level, f.FirstSeen, step)
		}
		if id == "" {
			id = f.ID
		}
		if f.ID != id || f.Count != 1 {
			t.Errorf("%s: ID %s, was %s; count %d", step.name, f.ID, id, f.Count)
		}
	}
	if r.Len() != 0 || r.Next() != Never {
		t.Errorf("%d findings are left, next at %d", r.Len(), r.Next())
	}
}

func TestUnseenNamespaceResolvesNothing(t *testing.T) {
	r := newReports(ReportOptions{})
	s := stuckSocket(1, tcp.CloseWait, time.Hour)
	s.NetNS = 9
	look := snapshot(s)
	look.NetNS = []uint32{9}
	r.Report(1000*second, look, nil)
	for i := range maxUnseen {
		if found := r.Report(int64(1001+i)*second, snapshot(), nil); len(found) != 0 || r.Len() != 1 {
			t.Errorf("look %d without the namespace: %+v", i, found)
		}
	}
	if found := r.Report(1010*second, snapshot(), nil); len(found) != 1 || found[0].Status != Resolved {
		t.Errorf("the namespace is gone for good: %+v", found)
	}
}

func TestGrouping(t *testing.T) {
	other := func(edit func(*tcp.Socket)) tcp.Socket {
		s := stuckSocket(50, tcp.CloseWait, time.Hour)
		edit(&s)
		return s
	}
	site := func(s *tcp.Socket) (uint64, Direction) { return uint64(s.Mark), 0 }
	tests := []struct {
		name  string
		s     tcp.Socket
		apart bool
	}{
		{"the same", other(func(*tcp.Socket) {}), false},
		{"another local port of an outgoing one", other(func(s *tcp.Socket) { s.Local = addr("10.0.0.9:1234") }), false},
		{"another remote port", other(func(s *tcp.Socket) { s.Remote = addr("10.0.0.2:444") }), true},
		{"another remote address", other(func(s *tcp.Socket) { s.Remote = addr("10.0.0.3:443") }), true},
		{"another process", other(func(s *tcp.Socket) { s.PID = 101 }), true},
		{"another name", other(func(s *tcp.Socket) { s.Comm = comm("x") }), true},
		{"a name with dirt behind its end", other(func(s *tcp.Socket) { s.Comm[9] = 'x' }), false},
		{"another cause", other(func(s *tcp.Socket) { s.RecvQ = 1 }), true},
		{"another state", other(func(s *tcp.Socket) { s.State = tcp.FinWait2 }), true},
		{"another direction", other(func(s *tcp.Socket) { s.Evidence = tcp.EvidenceAccept }), true},
		{"another call site", other(func(s *tcp.Socket) { s.Mark = 7 }), true},
	}
	for _, tt := range tests {
		r := newReports(ReportOptions{Opened: site})
		found := r.Report(10000*second, snapshot(stuckSocket(1, tcp.CloseWait, time.Hour), tt.s), nil)
		if (len(found) == 2) != tt.apart {
			t.Errorf("%s: %d findings", tt.name, len(found))
		}
	}
}

func TestDirection(t *testing.T) {
	socket := func(local, remote string, evidence tcp.Evidence) tcp.Socket {
		s := stuckSocket(1, tcp.CloseWait, time.Hour)
		s.Local, s.Remote, s.Evidence = addr(local), addr(remote), evidence
		return s
	}
	listener := tcp.Socket{Cookie: 9, State: tcp.Listen, Local: addr("[::]:40000"), NetNS: 1}
	tests := []struct {
		s        tcp.Socket
		want     Direction
		endpoint string
	}{
		{socket("10.0.0.1:50000", "10.0.0.2:60000", tcp.EvidenceConnect), Outgoing, "10.0.0.2:60000"},
		{socket("10.0.0.1:50000", "10.0.0.2:443", tcp.EvidenceAccept), Incoming, "invalid AddrPort"},
		{socket("10.0.0.1:50000", "10.0.0.2:443", tcp.EvidenceFD), Outgoing, "10.0.0.2:443"},
		{socket("10.0.0.1:443", "10.0.0.2:50000", tcp.EvidenceClose), Incoming, "invalid AddrPort"},
		{socket("10.0.0.1:40000", "10.0.0.2:36000", tcp.EvidenceFD), Incoming, "invalid AddrPort"},  // there is a listener
		{socket("127.0.0.1:30000", "127.0.0.1:40000", tcp.EvidenceFD), Outgoing, "127.0.0.1:40000"}, // it is there
		{socket("10.0.0.1:30000", "10.0.0.1:40000", tcp.EvidenceFD), Outgoing, "10.0.0.1:40000"},    // and so here
		{socket("10.0.0.1:30000", "10.0.0.2:40000", tcp.EvidenceFD), Incoming, "invalid AddrPort"},  // may be another host's
		{socket("[2001:db8::1]:50000", "[2001:db8::2]:8443", tcp.EvidenceNone), Outgoing, "[2001:db8::2]:8443"},
	}
	for _, tt := range tests {
		found := newReports(ReportOptions{}).Report(10000*second, snapshot(tt.s, listener), nil)
		if len(found) != 1 || found[0].Key.Direction != tt.want || tt.want == Outgoing && found[0].Key.Endpoint.String() != tt.endpoint {
			t.Errorf("%v > %v by %v: %+v", tt.s.Local, tt.s.Remote, tt.s.Evidence, found)
		} else if p := found[0].Key.Endpoint.Port(); tt.want == Incoming && p != tt.s.Local.Port() {
			t.Errorf("%v: port %d", tt.s.Local, p)
		}
	}
}

// Who opened a socket is proof, whatever its ports look like.
func TestDirectionByOpener(t *testing.T) {
	s := stuckSocket(1, tcp.CloseWait, time.Hour)
	s.Local, s.Remote, s.Evidence = addr("10.0.0.1:80"), addr("10.0.0.2:50000"), tcp.EvidenceClose
	for _, want := range []Direction{Outgoing, Incoming} {
		opened := func(*tcp.Socket) (uint64, Direction) { return 0, want }
		if found := newReports(ReportOptions{Opened: opened}).Report(10000*second, snapshot(s), nil); len(found) != 1 || found[0].Key.Direction != want {
			t.Errorf("want %v: %+v", want, found)
		}
	}
}

func TestDirectionSurvivesLossOfEvidence(t *testing.T) {
	r := newReports(ReportOptions{})
	s := stuckSocket(1, tcp.CloseWait, time.Hour)
	s.Local = addr("10.0.0.1:500")
	first := r.Report(10000*second, snapshot(s), nil)
	s.Evidence, s.Age = tcp.EvidenceClose, tcp.ExactAge(tcp.AgeTraced, time.Hour+time.Second)
	if again := r.Report(10001*second, snapshot(s), nil); len(again) != 1 || again[0].ID != first[0].ID {
		t.Errorf("%+v", again)
	}
}

func TestSampleIsTheOldest(t *testing.T) {
	r := newReports(ReportOptions{Sample: 3})
	var sockets []tcp.Socket
	for i := range uint64(100) {
		s := stuckSocket(i+1, tcp.CloseWait, time.Duration(100+(i*37)%100)*time.Second)
		s.SendQ = 0
		sockets = append(sockets, s)
	}
	look := snapshot(sockets...)
	f := r.Report(10000*second, look, nil)[0]
	var ages []time.Duration
	for _, s := range f.Sample {
		ages = append(ages, s.Age/time.Second)
	}
	if !slices.Equal(ages, []time.Duration{199, 198, 197}) || f.Others != 97 || f.Count != 100 || f.Oldest != 199*time.Second {
		t.Errorf("ages %v, %d others of %d, oldest %v", ages, f.Others, f.Count, f.Oldest)
	}
	look.Sockets[0].Holders[0].PID = 9
	for i := range f.Sample {
		if f.Sample[i].Socket.Holders[0].PID != 100 {
			t.Error("the sample shares memory with the snapshot")
		}
	}
}

func TestBoundedAgeIsShownAsOne(t *testing.T) {
	s := stuckSocket(1, tcp.CloseWait, 0)
	s.Age = tcp.Age{Source: tcp.AgeLastAck, AtLeast: 2 * time.Minute, AtMost: time.Hour}
	f := newReports(ReportOptions{}).Report(10000*second, snapshot(s), nil)[0]
	if f.Oldest != 2*time.Minute || !f.AtLeast || !f.Sample[0].AtLeast || f.Proven != 1 {
		t.Errorf("%+v", f)
	}
	s.Age.AtLeast = 59 * time.Second
	if found := newReports(ReportOptions{}).Report(10000*second, snapshot(s), nil); len(found) != 0 {
		t.Errorf("not proven: %+v", found)
	}
}

func TestHoldersAreNamed(t *testing.T) {
	s := stuckSocket(1, tcp.CloseWait, time.Hour)
	s.Holders = nil
	for i := range uint32(20) {
		s.Holders = append(s.Holders, tcp.Holder{PID: 100 + i, FD: 3}, tcp.Holder{PID: 100 + i, FD: 4})
	}
	f := newReports(ReportOptions{}).Report(10000*second, snapshot(s), fakeFacts{1024, 100})[0]
	if f.Key.Cause != Inherited || len(f.Holders) != MaxHolders || f.OtherHolders != 4 || f.Holders[0].Sockets != 1 {
		t.Errorf("%+v", f)
	}
	if f.FDs.Held != 1 || f.FDs.Share != 1./1024 {
		t.Errorf("%+v", f.FDs)
	}
}

func TestNeverAcceptedNamesItsListener(t *testing.T) {
	s := stuckSocket(1, tcp.CloseWait, time.Hour)
	s.Local, s.Remote, s.Unaccepted, s.Holders, s.Evidence = addr("10.0.0.1:80"), addr("10.0.0.2:5555"), true, nil, tcp.EvidenceListen
	listener := tcp.Socket{Cookie: 9, State: tcp.Listen, Local: addr("0.0.0.0:80"), NetNS: 1, RecvQ: 129, SendQ: 128, PID: 100, Comm: comm("app")}
	elsewhere := listener
	elsewhere.NetNS, elsewhere.Local, elsewhere.RecvQ = 2, addr("10.0.0.1:80"), 1
	f := newReports(ReportOptions{}).Report(10000*second, snapshot(s, elsewhere, listener), fakeFacts{1024, 100})[0]
	want := Listener{Local: listener.Local, PID: 100, Comm: comm("app"), Waiting: 129, Backlog: 128}
	if f.Key.Cause != NeverAccepted || f.Listener == nil || *f.Listener != want {
		t.Errorf("%+v, listener %+v", f.Key, f.Listener)
	}
	if f.FDs.Known {
		t.Error("what was never accepted takes no descriptor")
	}
}

// A connection that was never accepted is nobody's to keep alive, and its clock runs whatever its peer sends.
func TestNeverAcceptedIsNotIdle(t *testing.T) {
	s := stuckSocket(1, tcp.Established, time.Hour)
	s.Local, s.Unaccepted, s.Holders, s.Evidence = addr("10.0.0.1:80"), true, nil, tcp.EvidenceListen
	s.LastReceived, s.RecvQ = time.Second, 512
	listener := tcp.Socket{Cookie: 9, State: tcp.Listen, Local: addr("0.0.0.0:80"), NetNS: 1, RecvQ: 3, SendQ: 128, PID: 100, Comm: comm("app")}
	r := NewReporter(NewWatcher(WatchOptions{Limits: limitsOf("ESTABLISHED=10s")}), ReportOptions{})
	found := r.Report(10000*second, snapshot(s, listener), nil)
	if len(found) != 1 {
		t.Fatalf("%+v", found)
	}
	f := found[0]
	if f.Key.Cause != NeverAccepted || f.Listener == nil || f.Listener.Waiting != 3 || f.Oldest != time.Hour || f.Key.Direction != Incoming {
		t.Errorf("%+v", f)
	}
}

func TestMutes(t *testing.T) {
	r := newReports(ReportOptions{})
	s := stuckSocket(1, tcp.CloseWait, time.Hour)
	r.Report(1000*second, snapshot(s), nil)
	r.Mute(Mute{Match: func(s *tcp.Socket) bool { return s.PID == 100 }, Until: 1100 * second})
	found := r.Report(1001*second, snapshot(s), nil)
	if len(found) != 1 || found[0].Status != Muted || r.Tally().Muted != 1 {
		t.Errorf("%+v, %+v", found, r.Tally())
	}
	if found := r.Report(1002*second, snapshot(s), nil); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	if found := r.Report(1100*second, snapshot(s), nil); len(found) != 1 || found[0].Status != Firing || !found[0].News {
		t.Errorf("after it expired: %+v", found)
	}
}

func TestManyEndpointsAreOneFinding(t *testing.T) {
	r := newReports(ReportOptions{MaxEndpoints: 3})
	at := func(n int) *tcp.Snapshot {
		var sockets []tcp.Socket
		for i := range n {
			s := stuckSocket(uint64(i+1), tcp.CloseWait, time.Hour)
			s.Remote = addr(fmt.Sprintf("10.0.1.%d:443", i))
			sockets = append(sockets, s)
		}
		return snapshot(sockets...)
	}
	if found := r.Report(1000*second, at(3), nil); len(found) != 3 {
		t.Fatalf("%d findings", len(found))
	}
	found := r.Report(1001*second, at(4), nil)
	if len(found) != 4 || found[0].Count != 4 || found[0].Endpoints != 4 || found[0].Key.Endpoint.Port() != 0 {
		t.Fatalf("%+v", found)
	}
	for _, f := range found[1:] {
		if f.Status != Merged || f.Into != found[0].ID || !f.News {
			t.Errorf("%+v", f)
		}
	}
	if found := r.Report(1002*second, at(2), nil); len(found) != 1 || found[0].Endpoints != 2 {
		t.Errorf("it falls apart: %+v", found)
	}
	if found := r.Report(1003*second, at(0), nil); len(found) != 1 || found[0].Status != Resolved {
		t.Errorf("%+v", found)
	}
}

func TestTooManyFindingsAreCounted(t *testing.T) {
	r := newReports(ReportOptions{MaxFindings: 2})
	var sockets []tcp.Socket
	for i := range 5 {
		s := stuckSocket(uint64(i+1), tcp.CloseWait, time.Duration(i+1)*100*time.Second)
		s.PID = uint32(i + 1)
		sockets = append(sockets, s)
	}
	first := r.Report(10000*second, snapshot(sockets[:2]...), nil)
	found := r.Report(10001*second, snapshot(sockets...), nil)
	if len(found) != 2 || r.Tally().Omitted != 3 || r.Tally().Stuck != 5 {
		t.Errorf("%d findings, %+v", len(found), r.Tally())
	}
	for _, f := range first {
		if !slices.ContainsFunc(found, func(g Finding) bool { return g.ID == f.ID && g.Status == Firing }) {
			t.Errorf("%s was shown, and is not any more: %+v", f.ID, found)
		}
	}
}

func TestWorstFirst(t *testing.T) {
	few, many := stuckSocket(1, tcp.CloseWait, 10*time.Minute), stuckSocket(2, tcp.FinWait2, 2*time.Minute)
	third := stuckSocket(3, tcp.FinWait2, 2*time.Minute)
	found := newReports(ReportOptions{}).Report(10000*second, snapshot(third, many, few), nil)
	if len(found) != 2 || found[0].Level != Critical || found[1].Count != 2 {
		t.Errorf("%+v", found)
	}
}

func TestIdle(t *testing.T) {
	w := NewWatcher(WatchOptions{Limits: limitsOf("ESTABLISHED=1h")})
	r := NewReporter(w, ReportOptions{})
	s := stuckSocket(1, tcp.Established, 24*time.Hour)
	s.LastSent, s.LastReceived = 2*time.Hour, 50*time.Minute
	if found := r.Report(100000*second, snapshot(s), nil); len(found) != 0 {
		t.Errorf("%+v", found)
	}
	if _, next := w.Due(100000 * second); next != 100600*second {
		t.Errorf("next look at %d", next/second)
	}
	s.LastSent += 10 * time.Minute
	s.LastReceived += 10 * time.Minute
	if found := r.Report(100600*second, snapshot(s), nil); len(found) != 1 || found[0].Oldest != time.Hour || found[0].Key.Cause != Idle {
		t.Errorf("%+v", found)
	}
}
