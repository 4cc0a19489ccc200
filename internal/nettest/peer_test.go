package nettest

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stage is a TUN with one connection of the kernel's to a peer, in progress.
type stage struct {
	ns   *NS
	tun  *TUN
	peer *Peer
	conn *Conn
}

func newStage(t *testing.T) *stage {
	ns := NewNS(t)
	tun := OpenTUN(t, ns)
	s := &stage{ns: ns, tun: tun, peer: tun.Peer(443)}
	s.conn = InProcess(t, ns).StartDial(s.peer.Addr())
	s.peer.AcceptSYN()
	return s
}

func newEstablished(t *testing.T) *stage {
	s := newStage(t)
	s.peer.Establish()
	s.conn.FinishConnect()
	return s
}

// check compares the state with the kernel's two views of it.
func (s *stage) check(t *testing.T, want State) {
	t.Helper()
	s.conn.WaitState(want)
	mustSocket(t, s.ns, s.conn.Cookie(), want)
}

func TestPrivilegedPeerActiveClose(t *testing.T) {
	s := newEstablished(t)
	s.check(t, Established)
	s.conn.Shutdown()
	s.check(t, FinWait1)
	s.peer.Expect(FIN | ACK)
	s.peer.SendACK()
	s.check(t, FinWait2)
	s.peer.SendFIN(true)
	s.peer.Expect(ACK)
	mustSocket(t, s.ns, s.conn.Cookie(), TimeWait)
}

func TestPrivilegedPeerPassiveClose(t *testing.T) {
	s := newEstablished(t)
	s.peer.SendData([]byte("last words"))
	s.peer.SendFIN(false)
	s.check(t, CloseWait)
	if got := s.conn.ReadEOF(); got != len("last words") {
		t.Errorf("read %d bytes", got)
	}
	s.conn.Close()
	s.peer.Expect(FIN | ACK)
	mustSocket(t, s.ns, s.conn.Cookie(), LastAck) // and there it stays
	s.peer.SendACK()
	mustSocket(t, s.ns, s.conn.Cookie(), Gone)
}

func TestPrivilegedPeerSimultaneousClose(t *testing.T) {
	s := newEstablished(t)
	s.conn.Close()
	s.peer.Expect(FIN | ACK)
	s.peer.SendFIN(false)
	mustSocket(t, s.ns, s.conn.Cookie(), Closing)
	s.peer.Expect(ACK)
	s.peer.SendACK()
	mustSocket(t, s.ns, s.conn.Cookie(), TimeWait)
}

// A descriptor on a socket in CLOSING is shut down and not closed.
func TestPrivilegedPeerSimultaneousCloseHeld(t *testing.T) {
	s := newEstablished(t)
	s.conn.Shutdown()
	s.peer.Expect(FIN | ACK)
	s.peer.SendFIN(false)
	s.check(t, Closing)
	s.peer.SendACK()
	s.conn.WaitState(Close)
	mustSocket(t, s.ns, s.conn.Cookie(), TimeWait)
}

func TestPrivilegedPeerFINAcknowledgedAtOnce(t *testing.T) {
	s := newEstablished(t)
	s.conn.Close()
	s.peer.Expect(FIN | ACK)
	mustSocket(t, s.ns, s.conn.Cookie(), FinWait1)
	s.peer.SendFIN(true)
	mustSocket(t, s.ns, s.conn.Cookie(), TimeWait)
}

func TestPrivilegedPeerSimultaneousOpen(t *testing.T) {
	s := newStage(t)
	s.check(t, SynSent)
	s.peer.SendSYN(false)
	s.check(t, SynRecv)
	s.peer.Expect(SYN | ACK)
	s.peer.SendACK()
	s.check(t, Established)
	s.conn.FinishConnect()
	s.conn.Write(3)
	if got := s.peer.ExpectData(); len(got.Payload) != 3 {
		t.Errorf("got %v, want 3 bytes", got)
	}
}

func TestPrivilegedPeerRefuses(t *testing.T) {
	tests := map[string]struct {
		answer func(*Peer)
		want   unix.Errno
	}{
		"reset":            {(*Peer).SendRST, unix.ECONNREFUSED},
		"port unreachable": {func(p *Peer) { p.SendUnreachable(PortUnreachable) }, unix.ECONNREFUSED},
		"host unreachable": {func(p *Peer) { p.SendUnreachable(HostUnreachable) }, unix.EHOSTUNREACH},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			test.answer(s.peer)
			s.conn.Failing(test.want).FinishConnect()
			s.conn.WaitState(Close)
			mustSocket(t, s.ns, s.conn.Cookie(), Gone)
		})
	}
}

// A SYN that nobody answers. Its first repetition comes after a second, whatever is set; with a user timeout of less
// than that the kernel gives up at once afterwards, where one permitted repetition would wait for another second.
func TestPrivilegedPeerSilent(t *testing.T) {
	ns := NewNS(t)
	peer := OpenTUN(t, ns).Peer(443)
	conn := InProcess(t, ns).Open(unix.AF_INET)
	conn.UserTimeout(time.Millisecond)
	conn.StartConnect(peer.Addr())
	first := peer.AcceptSYN()
	conn.Failing(unix.ETIMEDOUT).FinishConnect()
	conn.WaitState(Close)
	if again := peer.Expect(SYN); again.Seq != first.Seq {
		t.Errorf("%v then %v, want a repetition", first, again)
	}
}

func TestPrivilegedPeerStopsAnswering(t *testing.T) {
	s := newEstablished(t)
	s.conn.UserTimeout(time.Millisecond)
	s.conn.Write(1)
	s.conn.Failing(unix.ETIMEDOUT).Read(1)
	s.conn.WaitState(Close)
}

func TestPrivilegedPeerRetransmission(t *testing.T) {
	s := newEstablished(t)
	s.conn.Write(100)
	first := s.peer.ExpectData()
	again := s.peer.ExpectData()
	if again.Seq != first.Seq || len(again.Payload) != len(first.Payload) {
		t.Errorf("%v then %v, want a repetition", first, again)
	}
	if got := mustSocket(t, s.ns, s.conn.Cookie(), Established).WQueue; got != 100 {
		t.Errorf("%d bytes unacknowledged, want 100", got)
	}
	s.peer.SendACK()
	if got := mustSocket(t, s.ns, s.conn.Cookie(), Established).WQueue; got != 0 {
		t.Errorf("%d bytes unacknowledged, want 0", got)
	}
}

// Each state that a peer can bring a connection to, and what a reset there does to whoever holds it.
func TestPrivilegedPeerResets(t *testing.T) {
	tests := []struct {
		state State
		reach func(*stage)
		errno unix.Errno // of a read afterwards; 0 for EOF, which is what a FIN received before makes of it
	}{
		{Established, func(*stage) {}, unix.ECONNRESET},
		{FinWait1, func(s *stage) { s.conn.Shutdown(); s.peer.Expect(FIN | ACK) }, unix.ECONNRESET},
		{FinWait2, func(s *stage) { s.conn.Shutdown(); s.peer.Expect(FIN | ACK); s.peer.SendACK() }, unix.ECONNRESET},
		{Closing, func(s *stage) { s.conn.Shutdown(); s.peer.Expect(FIN | ACK); s.peer.SendFIN(false) }, 0},
		{CloseWait, func(s *stage) { s.peer.SendFIN(false) }, 0},
		{LastAck, func(s *stage) { s.peer.SendFIN(false); s.conn.Shutdown(); s.peer.Expect(FIN | ACK) }, 0},
	}
	for _, test := range tests {
		t.Run(test.state.String(), func(t *testing.T) {
			s := newEstablished(t)
			test.reach(s)
			s.check(t, test.state)
			s.peer.SendRST()
			s.conn.WaitState(Close)
			mustSocket(t, s.ns, s.conn.Cookie(), Gone)
			if test.errno == 0 {
				s.conn.ReadEOF()
			} else {
				s.conn.Failing(test.errno).ReadEOF()
			}
		})
	}
}

func TestPrivilegedPeerResetsOpening(t *testing.T) {
	s := newStage(t)
	s.peer.SendSYN(false)
	s.peer.Expect(SYN | ACK)
	s.check(t, SynRecv)
	s.peer.SendRST()
	s.conn.Failing(unix.ECONNRESET).FinishConnect()
	s.conn.WaitState(Close)
}

func TestPrivilegedPeerConnects(t *testing.T) {
	ns := NewNS(t)
	tun := OpenTUN(t, ns)
	listener := InProcess(t, ns).Listen(tun.Local(0), 1)
	peer := tun.Peer(12345)
	peer.Connect(listener.Local())
	conn := listener.Accept()
	if conn.Remote() != peer.Addr() || conn.Local() != listener.Local() {
		t.Errorf("accepted %v -> %v, want %v -> %v", conn.Local(), conn.Remote(), listener.Local(), peer.Addr())
	}
	peer.SendData([]byte("hello"))
	conn.Read(5)
	conn.Linger0()
	conn.Close()
	peer.Expect(RST | ACK)
	mustSocket(t, ns, conn.Cookie(), Gone)
}

// A SYN without the third segment of the handshake is a request socket, which no descriptor and no cookie of ours
// leads to.
func TestPrivilegedPeerHalfOpen(t *testing.T) {
	ns := NewNS(t)
	tun := OpenTUN(t, ns)
	listener := InProcess(t, ns).Listen(tun.Local(0), 1)
	peer := tun.Peer(12345)
	peer.StartConnect(listener.Local())
	peer.Expect(SYN | ACK)
	for _, s := range mustSockets(t, ns) {
		if s.Remote == peer.Addr() {
			if s.State != SynRecv || s.Inode != 0 {
				t.Errorf("got %+v, want a request socket", s)
			}
			peer.SendRST()
			mustSocket(t, ns, s.Cookie, Gone)
			return
		}
	}
	t.Error("not in the kernel's tables")
}

// Peers on one TUN do not take each other's segments.
func TestPrivilegedPeersApart(t *testing.T) {
	ns := NewNS(t)
	tun := OpenTUN(t, ns)
	actor := InProcess(t, ns)
	one, two := tun.Peer(1), tun.Peer(2)
	first, second := actor.StartDial(one.Addr()), actor.StartDial(two.Addr())
	two.AcceptSYN()
	one.AcceptSYN()
	two.Establish()
	one.Establish()
	first.FinishConnect()
	second.FinishConnect()
	first.Write(10)
	second.Write(20)
	if got := len(two.ExpectData().Payload) + len(one.ExpectData().Payload); got != 30 {
		t.Errorf("%d bytes, want 30", got)
	}
}
