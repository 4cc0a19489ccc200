package nettest

import (
	"testing"

	"golang.org/x/sys/unix"
)

// newFakeTUN returns a TUN whose packets come from the test, which writes them to the descriptor.
func newFakeTUN(t *testing.T) (tun *TUN, kernel int) {
	ends := mustMessagePair(t)
	return &TUN{tb: t, fd: ends[0]}, ends[1]
}

func mustSend(t *testing.T, fd int, b []byte) {
	t.Helper()
	if err := sendMessage(fd, b); err != nil {
		t.Fatal(err)
	}
}

func TestTUNNext(t *testing.T) {
	tun, kernel := newFakeTUN(t)
	one, two := exampleSegment(), exampleSegment()
	one.Seq, two.Seq = 1, 2
	mustSend(t, kernel, []byte{6 << 4}) // passed over
	mustSend(t, kernel, one.marshal())
	mustSend(t, kernel, two.marshal())
	for _, want := range []uint32{2, 1} {
		got, err := tun.next(func(s Segment) bool { return s.Seq == want })
		if err != nil || got.Seq != want {
			t.Errorf("got %v, %v, want seq %d", got, err, want)
		}
	}
	if len(tun.pending) != 0 {
		t.Errorf("%d segments pending, want 0", len(tun.pending))
	}
}

// What nobody asks for is kept up to a limit, and goes oldest first.
func TestTUNNextForgets(t *testing.T) {
	tun, kernel := newFakeTUN(t)
	for i := range maxPending {
		tun.pending = append(tun.pending, packet{Segment: Segment{Seq: uint32(i)}})
	}
	extra, wanted := exampleSegment(), exampleSegment()
	extra.Seq, wanted.Seq = maxPending, maxPending+1
	mustSend(t, kernel, extra.marshal())
	mustSend(t, kernel, wanted.marshal())
	got, err := tun.next(func(s Segment) bool { return s.Seq == wanted.Seq })
	if err != nil || got.Seq != wanted.Seq {
		t.Fatalf("got %v, %v, want %v", got, err, wanted)
	}
	if len(tun.pending) > maxPending || tun.pending[0].Seq == 0 || tun.pending[len(tun.pending)-1].Seq != extra.Seq {
		t.Errorf("%d pending, from seq %d", len(tun.pending), tun.pending[0].Seq)
	}
}

func TestTUNBadPacket(t *testing.T) {
	tun, kernel := newFakeTUN(t)
	bad := exampleSegment().marshal()
	bad[len(bad)-1]++
	mustSend(t, kernel, bad)
	if _, err := tun.next(func(Segment) bool { return true }); err == nil {
		t.Error("took a segment with a wrong checksum")
	}
}

// The serial numbers of a connection may pass zero at any time.
func TestPeerReceive(t *testing.T) {
	p := Peer{}
	p.receive(Segment{Flags: SYN, Seq: 0xfffffffe})
	steps := []struct {
		s    Segment
		want uint32
	}{
		{Segment{Seq: 0xffffffff, Payload: []byte("abc")}, 2},
		{Segment{Seq: 0xffffffff, Payload: []byte("abc")}, 2},                // again
		{Segment{Seq: 0xfffffffe, Flags: SYN}, 2},                            // again
		{Segment{Seq: 5, Payload: []byte("gap")}, 2},                         // not in order
		{Segment{Seq: 0xffffffff, Payload: []byte("abcdef"), Flags: FIN}, 6}, // again, and more
		{Segment{Seq: 6, Flags: ACK}, 6},
	}
	for i, step := range steps {
		if p.receive(step.s); p.received != step.want {
			t.Errorf("step %d: expects %d, want %d", i, p.received, step.want)
		}
	}
}

// The device answers in its own namespace and in no other.
func TestPrivilegedTUNIsolation(t *testing.T) {
	one, two := NewNS(t), NewNS(t)
	peer := OpenTUN(t, one).Peer(443)
	InProcess(t, two).Open(unix.AF_INET).Failing(unix.ENETUNREACH).Connect(peer.Addr())
}
