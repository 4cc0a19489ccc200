package record

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func someSocket(cookie uint64, seen int64) tcp.Socket {
	return tcp.Socket{
		Seen: seen, Cookie: cookie, CgroupID: 5, NetNS: 4026531840, UID: 33, Family: tcp.Inet, State: tcp.CloseWait,
		Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:50000"),
		Age: tcp.ExactAge(tcp.AgeTraced, 70*time.Second), PID: 42, Comm: comm("a\xff\n\""), Evidence: tcp.EvidenceAccept,
		Holders: []tcp.Holder{{PID: 42, FD: 7, Comm: comm("a\xff")}, {PID: 43, FD: 7, Comm: comm("b")}}, RecvQ: 1, Inode: 99,
		LastSent: tcp.Unknown, LastReceived: 80 * time.Second, LastAck: 71 * time.Second, RTT: time.Millisecond, RTTVar: tcp.Unknown,
		BytesSent: 5, BytesRecv: 6, Shutdown: 1, Timer: tcp.Timer{Kind: tcp.TimerKeepalive, Left: time.Hour, Retries: 3},
	}
}

func someSnapshot() *tcp.Snapshot {
	s := &tcp.Snapshot{Time: begun, Took: 3 * time.Millisecond, NetNS: []uint32{4026531840, 4026532000}}
	s.Horizon[tcp.CloseWait], s.Horizon[tcp.FinWait2] = 17, 18
	for i := range 3 {
		s.Sockets = append(s.Sockets, someSocket(uint64(i+1), 5e9))
	}
	minisock := tcp.Socket{
		Seen: 5e9, Cookie: 3, NetNS: 4026531840, UID: tcp.NoUID, Family: tcp.Inet6, State: tcp.TimeWait, Kind: tcp.Minisock,
		Local: netip.MustParseAddrPort("[::1]:80"), Remote: netip.MustParseAddrPort("[::1]:9"), RTT: tcp.Unknown, RTTVar: tcp.Unknown,
		LastSent: tcp.Unknown, LastReceived: tcp.Unknown, LastAck: tcp.Unknown,
	}
	nameless, other := minisock, minisock // the kernel gives them no cookie before somebody asks
	nameless.Cookie, other.Cookie = 0, 0
	other.Remote = netip.MustParseAddrPort("[::1]:10")
	s.Sockets = append([]tcp.Socket{other, nameless}, append(s.Sockets, minisock)...)
	slices.SortFunc(s.Sockets, func(a, b tcp.Socket) int { return KeyOf(&a).compare(KeyOf(&b)) })
	return s
}

// read takes lines, and returns the looks among them.
func read(t *testing.T, sockets *Sockets, lines []byte) (looks []Look, snapshots []*tcp.Snapshot, fresh int) {
	t.Helper()
	var d Decoder
	for line := range bytes.Lines(lines) {
		var r Record
		if err := d.Decode(line, &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch r.Kind {
		case Socket:
			fresh++
			if err := sockets.Add(&r); err != nil {
				t.Fatal(err)
			}
		case LookOver:
			s, missing, err := sockets.Snapshot(&r)
			if err != nil || missing != 0 {
				t.Fatalf("%d missing, %v", missing, err)
			}
			looks, snapshots = append(looks, r.Look), append(snapshots, s)
		}
	}
	return looks, snapshots, fresh
}

func TestLookSurvives(t *testing.T) {
	want := someSnapshot()
	limits := []FDLimit{{42, 1024, 700}}
	lines, err := NewLooks(NewEncoder(begun)).Append(nil, begun, want, &Look{Now: 5e9 + 1000, FDLimits: limits})
	if err != nil {
		t.Fatal(err)
	}
	looks, snapshots, _ := read(t, NewSockets(), lines)
	if len(snapshots) != 1 || !reflect.DeepEqual(snapshots[0], want) {
		t.Fatalf("got  %+v\nwant %+v", snapshots, want)
	}
	if l := looks[0]; l.Now != 5e9+1000 || l.Baseline || !slices.Equal(l.FDLimits, limits) || l.Took != want.Took {
		t.Errorf("%+v", l)
	}
}

// A look has lines for what is new and what has changed, and is whole again when it is read.
func TestLooksAreDifferences(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	w, sockets := NewLooks(NewEncoder(begun)), NewSockets()
	now, all := int64(100e9), map[uint64]tcp.Socket{}
	cookie, written, there, changed := uint64(0), 0, 0, 0
	for look := range 300 {
		now += int64(2 * time.Second)
		if look != 151 { // a baseline stands for itself: what changed since the look before is told after it
			changed = 0
		}
		for range random.IntN(3) {
			cookie++
			s := someSocket(cookie, now)
			all[cookie] = s
			changed++
		}
		for c := range all {
			s := all[c]
			passed := time.Duration(now - s.Seen)
			jitter := time.Duration(random.IntN(8)) * time.Millisecond
			s.Age = tcp.ExactAge(tcp.AgeTraced, s.Age.AtLeast+passed)
			s.LastReceived = 80*time.Second + s.Age.AtLeast - 70*time.Second + jitter - 4*time.Millisecond
			s.LastAck += passed
			s.Timer.Left -= passed
			s.RTT = time.Duration(random.IntN(1e6))
			s.Seen = now
			switch random.IntN(50) {
			case 0:
				delete(all, c)
				continue
			case 1:
				s.RecvQ += 10
				changed++
			}
			all[c] = s
		}
		snapshot := &tcp.Snapshot{Time: begun + now, Took: time.Millisecond}
		for _, s := range all {
			snapshot.Sockets = append(snapshot.Sockets, s)
		}
		lines, err := w.Append(nil, begun+now, snapshot, &Look{Now: now + 1000, Baseline: look == 150})
		if err != nil {
			t.Fatal(err)
		}
		_, got, fresh := read(t, sockets, lines)
		if len(got) != 1 || len(got[0].Sockets) != len(all) {
			t.Fatalf("look %d: %d sockets, want %d", look, len(got[0].Sockets), len(all))
		}
		if look != 150 {
			written, there = written+fresh, there+len(all)
			if fresh > changed {
				t.Errorf("look %d: %d lines for %d changes", look, fresh, changed)
			}
		}
		for i := range got[0].Sockets {
			s := got[0].Sockets[i]
			want := all[s.Cookie]
			if d := s.LastReceived - want.LastReceived - time.Duration(s.Seen-now); d > driftOfTimes || d < -driftOfTimes {
				t.Errorf("look %d: received %v ago, want %v", look, s.LastReceived, want.LastReceived)
			}
			if s.RecvQ != want.RecvQ || s.Age.AtLeast-time.Duration(s.Seen-now) != want.Age.AtLeast || len(s.Holders) != 2 {
				t.Errorf("look %d: %+v, want %+v", look, s, want)
			}
		}
	}
	if written*5 > there {
		t.Errorf("%d lines for %d sockets", written, there)
	}
	if len(w.known) != len(all) {
		t.Errorf("%d kept for %d sockets", len(w.known), len(all))
	}
}

func TestMissingSocketsAreCounted(t *testing.T) {
	lines, err := NewLooks(NewEncoder(begun)).Append(nil, begun, someSnapshot(), &Look{Now: 6e9})
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	var r Record
	sockets := NewSockets()
	n := 0
	for line := range bytes.Lines(lines) {
		if err := d.Decode(line, &r); err != nil {
			t.Fatal(err)
		}
		if r.Kind == Socket && n < 2 { // the others were in a file that is gone
			n++
			if err := sockets.Add(&r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s, missing, err := sockets.Snapshot(&r); err != nil || missing != 4 || len(s.Sockets) != 2 {
		t.Errorf("%d missing, %v", missing, err)
	}
}

func TestSessionSurvives(t *testing.T) {
	e := NewEncoder(begun)
	want := SessionInfo{Version: "v1", Host: "h\n", BootID: "b", Limits: "CLOSE_WAIT=1m", Filter: "dport = 80", NetNS: []uint32{4}, PID: 7}
	line, err := e.Session(nil, begun, &want)
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	if err := new(Decoder).Decode(line, &r); err != nil || r.Kind != Session || !reflect.DeepEqual(r.Session, want) || r.Time != begun {
		t.Errorf("%+v, %v", r, err)
	}
	if err := new(Decoder).Decode(e.Loss(nil, begun, 9), &r); err != nil || r.Kind != Loss || r.Lost != 9 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := new(Decoder).Decode(e.End(nil, begun+1), &r); err != nil || r.Kind != End || r.Time != begun+1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// FuzzSocket: lines about sockets and looks, whatever they say, are refused or make a look.
func FuzzSocket(f *testing.F) {
	lines, err := NewLooks(NewEncoder(begun)).Append(nil, begun, someSnapshot(), &Look{Now: 6e9})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(lines)
	f.Fuzz(func(_ *testing.T, lines []byte) {
		var d Decoder
		sockets := NewSockets()
		for line := range bytes.Lines(lines) {
			var r Record
			if d.Decode(line, &r) != nil {
				continue
			}
			switch r.Kind {
			case Socket:
				_ = sockets.Add(&r)
			case LookOver:
				_, _, _ = sockets.Snapshot(&r)
			}
		}
	})
}
