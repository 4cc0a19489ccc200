package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// scene is rows for a snapshot, and what comes of them.
type scene struct {
	t     *testing.T
	found *found
	held  []held
}

func newScene(t *testing.T) *scene { return &scene{t: t, found: newFound(testTicks, 0)} }

// full adds a full socket in the state, and lets the caller change it before.
func (s *scene) full(cookie uint64, state tcp.State, change func(*snapshotFullRow)) {
	row := sampleFull()
	row.Head.Cookie, row.Head.State, row.Head.Family = cookie, uint8(state), uint16(tcp.Inet)
	if change != nil {
		change(&row)
	}
	s.found.full(&row)
}

func (s *scene) request(cookie, listener uint64) {
	s.found.bare(&snapshotSocketRow{
		Kind: uint8(snapshotRowKindROW_REQUEST), State: uint8(tcp.SynRecv), Cookie: cookie, Listener: listener,
	})
}

func (s *scene) hold(cookie uint64, pid, fd uint32) {
	s.held = append(s.held, held{cookie: cookie, holder: tcp.Holder{PID: pid, FD: fd, Comm: commOf(pid)}})
}

func (s *scene) holdMPTCP(address uint64, pid, fd uint32) {
	s.held = append(s.held, held{address: address, holder: tcp.Holder{PID: pid, FD: fd, Comm: commOf(pid)}})
}

func commOf(pid uint32) tcp.Comm { return tcp.Comm{'p', byte('0' + pid%10)} }

func (s *scene) join() {
	s.found.join(s.held)
	checkFound(s.t, s.found)
}

func (s *scene) socket(cookie uint64) *tcp.Socket {
	s.t.Helper()
	for i := range s.found.sockets {
		if s.found.sockets[i].Cookie == cookie {
			return &s.found.sockets[i]
		}
	}
	s.t.Fatalf("socket %d is missing", cookie)
	return nil
}

// expect compares owner and holders, those as pid, fd, pid, fd.
func (s *scene) expect(cookie uint64, pid uint32, evidence tcp.Evidence, holders ...uint32) {
	s.t.Helper()
	got := s.socket(cookie)
	if got.PID != pid || got.Evidence != evidence || pid != 0 && got.Comm != commOf(pid) {
		s.t.Errorf("socket %d: owner %d (%v, %q), want %d (%v)", cookie, got.PID, got.Evidence, got.Comm.Bytes(), pid, evidence)
	}
	var flat []uint32
	for _, h := range got.Holders {
		flat = append(flat, h.PID, h.FD)
		if h.Comm != commOf(h.PID) {
			s.t.Errorf("socket %d: holder %d is called %q", cookie, h.PID, h.Comm.Bytes())
		}
	}
	if !slices.Equal(flat, holders) {
		s.t.Errorf("socket %d: holders %v, want %v", cookie, flat, holders)
	}
}

func by(pid uint32, evidence tcp.Evidence) func(*snapshotFullRow) {
	return func(r *snapshotFullRow) { r.Pid, r.Evidence, r.Comm = pid, uint8(evidence), commOf(pid) }
}

func TestPlaceKeepsTheYoungerLook(t *testing.T) {
	s := newScene(t)
	at := func(now uint64, state tcp.State) func(*snapshotFullRow) {
		return func(r *snapshotFullRow) { r.Head.NowNs, r.Head.State = now, uint8(state) }
	}
	s.full(1, 0, at(10, tcp.Established))
	s.full(1, 0, at(20, tcp.CloseWait))
	s.full(1, 0, at(20, tcp.LastAck)) // as young is not younger
	s.full(1, 0, at(15, tcp.FinWait1))
	later := newScene(t)
	later.full(1, 0, at(30, tcp.Close)) // found by the other pass
	later.full(2, 0, at(5, tcp.Close))
	s.full(2, 0, at(6, tcp.SynSent))
	if got := s.socket(1).State; got != tcp.CloseWait {
		t.Errorf("%v, want CLOSE_WAIT", got)
	}
	s.found.merge(later.found)
	if len(s.found.sockets) != 2 || s.socket(1).State != tcp.Close || s.socket(2).State != tcp.SynSent {
		t.Errorf("%d sockets, %v and %v, want 2, CLOSE and SYN_SENT", len(s.found.sockets), s.socket(1).State, s.socket(2).State)
	}
}

// The minisock of a socket that is still held has its cookie, and both are there.
func TestPlaceKeepsMinisockAndZombie(t *testing.T) {
	s := newScene(t)
	s.full(1, tcp.Close, nil)
	s.found.bare(&snapshotSocketRow{Kind: uint8(snapshotRowKindROW_MINISOCK), State: uint8(tcp.TimeWait), Cookie: 1})
	s.hold(1, 7, 3)
	s.join()
	if len(s.found.sockets) != 2 {
		t.Fatalf("%d sockets, want 2", len(s.found.sockets))
	}
	zombie, minisock := &s.found.sockets[0], &s.found.sockets[1]
	if !zombie.Zombie || len(zombie.Holders) != 1 || minisock.Kind != tcp.Minisock || len(minisock.Holders) != 0 || minisock.PID != 0 {
		t.Errorf("%+v\n%+v", *zombie, *minisock)
	}
}

// Without cookies addresses tell minisocks apart.
func TestPlaceWithoutCookies(t *testing.T) {
	s := newScene(t)
	for _, address := range []uint64{0x1000, 0x2000, 0x1000} {
		s.found.bare(&snapshotSocketRow{Kind: uint8(snapshotRowKindROW_MINISOCK), State: uint8(tcp.TimeWait), Address: address})
	}
	if len(s.found.sockets) != 2 {
		t.Errorf("%d sockets, want 2", len(s.found.sockets))
	}
}

func TestJoinHolders(t *testing.T) {
	s := newScene(t)
	s.full(1, tcp.Established, nil)
	s.full(2, tcp.CloseWait, nil)
	s.full(3, tcp.FinWait1, nil)
	s.full(4, tcp.Listen, nil)
	s.hold(2, 12, 9)
	s.hold(4, 9, 3)
	s.hold(2, 5, 100)
	s.hold(2, 5, 8)
	s.hold(99, 5, 4) // born after the look at its table
	s.hold(2, 5, 8)  // descriptor tables are shared by threads
	s.join()
	s.expect(1, 0, tcp.EvidenceNone)
	s.expect(2, 5, tcp.EvidenceFD, 5, 8, 5, 100, 12, 9)
	s.expect(3, 0, tcp.EvidenceNone)
	s.expect(4, 9, tcp.EvidenceFD, 9, 3)
	if holders := append(s.socket(4).Holders, tcp.Holder{}); len(holders) != 2 { // and who appends spoils no other's
		t.Error(holders)
	}
	s.expect(2, 5, tcp.EvidenceFD, 5, 8, 5, 100, 12, 9)
}

func TestChooseOwner(t *testing.T) {
	for _, evidence := range []tcp.Evidence{
		tcp.EvidenceConnect, tcp.EvidenceListen, tcp.EvidenceAccept, tcp.EvidenceClose, tcp.EvidenceFD,
	} {
		s := newScene(t)
		s.full(1, tcp.Established, by(8, evidence)) // a holder still
		s.full(2, tcp.Established, by(7, evidence)) // passed on
		s.full(3, tcp.FinWait1, by(7, evidence))    // an orphan
		s.full(4, tcp.Established, nil)
		for cookie := range uint64(5) {
			if cookie != 3 {
				s.hold(cookie, 8, 30)
				s.hold(cookie, 6, 20)
			}
		}
		s.join()
		s.expect(1, 8, evidence, 6, 20, 8, 30)
		s.expect(2, 6, tcp.EvidenceFD, 6, 20, 8, 30)
		s.expect(3, 7, evidence)
		s.expect(4, 6, tcp.EvidenceFD, 6, 20, 8, 30)
	}
	s := newScene(t) // a pid without evidence is nobody's word
	s.full(1, tcp.Established, by(8, tcp.EvidenceNone))
	s.hold(1, 8, 3)
	s.join()
	s.expect(1, 8, tcp.EvidenceFD, 8, 3)
}

// Every subflow of an MPTCP socket has its holders, and is owned like any other.
func TestJoinSubflows(t *testing.T) {
	const first, second, unheld = 0xffff_0001, 0xffff_0002, 0xffff_0003
	serves := func(address uint64) func(*snapshotFullRow) {
		return func(r *snapshotFullRow) {
			r.Mptcp = address
			r.Head.Flags |= uint8(snapshotRowFlagsROW_UNACCEPTED)
		}
	}
	s := newScene(t)
	s.full(1, tcp.Established, serves(first))
	s.full(2, tcp.Established, serves(second))
	s.full(3, tcp.Established, serves(first))
	s.full(4, tcp.Established, serves(unheld))
	s.full(5, tcp.Established, func(r *snapshotFullRow) {
		serves(first)(r)
		by(6, tcp.EvidenceConnect)(r)
	})
	s.holdMPTCP(first, 6, 4)
	s.holdMPTCP(first, 3, 5)
	s.holdMPTCP(second, 7, 5)
	s.holdMPTCP(0xffff_0009, 7, 6)
	s.join()
	s.expect(1, 3, tcp.EvidenceFD, 3, 5, 6, 4)
	s.expect(2, 7, tcp.EvidenceFD, 7, 5)
	s.expect(3, 3, tcp.EvidenceFD, 3, 5, 6, 4)
	s.expect(4, 0, tcp.EvidenceNone)
	s.expect(5, 6, tcp.EvidenceConnect, 3, 5, 6, 4)
	for cookie := range uint64(4) {
		if got, want := s.socket(cookie+1).Unaccepted, cookie+1 == 4; got != want {
			t.Errorf("subflow %d unaccepted: %v, want %v", cookie+1, got, want)
		}
	}
}

func TestInheritFromListeners(t *testing.T) {
	unaccepted := func(r *snapshotFullRow) {
		r.Head.Flags |= uint8(snapshotRowFlagsROW_UNACCEPTED)
		r.Head.Lport = 80
	}
	s := newScene(t)
	s.full(1, tcp.Listen, func(r *snapshotFullRow) {
		r.Head.Lport = 80
		r.RecvQ = 2
	})
	s.full(2, tcp.Established, unaccepted)
	s.full(3, tcp.CloseWait, func(r *snapshotFullRow) { unaccepted(r); by(4, tcp.EvidenceListen)(r) }) // seen being born
	s.full(4, tcp.FinWait1, func(r *snapshotFullRow) { r.Head.Flags |= uint8(snapshotRowFlagsROW_ORPHAN); r.Head.Lport = 80 })
	s.full(5, tcp.Listen, nil) // nobody's
	s.request(11, 1)
	s.request(12, 99) // of a listener that is gone
	s.request(13, 5)
	s.request(14, 0)
	s.hold(1, 6, 3)
	s.hold(1, 5, 3)
	s.join()
	s.expect(1, 5, tcp.EvidenceFD, 5, 3, 6, 3)
	s.expect(2, 5, tcp.EvidenceListen)
	s.expect(3, 4, tcp.EvidenceListen)
	s.expect(4, 0, tcp.EvidenceNone)
	s.expect(11, 5, tcp.EvidenceListen)
	for _, cookie := range []uint64{12, 13, 14} {
		s.expect(cookie, 0, tcp.EvidenceNone)
	}
}

// Many sockets and descriptors in any order, against the obvious way to do it.
func TestJoinAtRandom(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 2))
		s := newScene(t)
		for range random.IntN(500) {
			s.full(1+random.Uint64N(300), tcp.Established, nil)
		}
		want := map[uint64][]tcp.Holder{}
		for range random.IntN(1000) {
			cookie, pid, fd := 1+random.Uint64N(350), 1+random.Uint32N(9), random.Uint32N(50)
			s.hold(cookie, pid, fd)
			want[cookie] = append(want[cookie], tcp.Holder{PID: pid, FD: fd, Comm: commOf(pid)})
		}
		s.join()
		for i := range s.found.sockets {
			got := &s.found.sockets[i]
			all := map[tcp.Holder]bool{}
			for _, h := range want[got.Cookie] {
				all[h] = true
			}
			for _, h := range got.Holders {
				if !all[h] {
					t.Fatalf("seed %d: socket %d: %v is no holder", seed, got.Cookie, h)
				}
			}
			if len(got.Holders) != len(all) {
				t.Fatalf("seed %d: socket %d: %d holders, want %d", seed, got.Cookie, len(got.Holders), len(all))
			}
		}
	}
}
