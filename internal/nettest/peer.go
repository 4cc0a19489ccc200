package nettest

import "net/netip"

// Codes of ICMP "destination unreachable" (RFC 792).
const (
	HostUnreachable = 1 // the kernel makes it EHOSTUNREACH
	PortUnreachable = 3 // the kernel makes it ECONNREFUSED
)

// Where a Peer starts, and the window that it announces: nothing ever fills it.
const (
	firstSeq   = 1_000_000
	peerWindow = 65_535
)

// Peer is one end of one TCP connection, played by hand: it sends what the test tells it to, whether TCP allows that
// or not, and nothing by itself: not even an ACK of what it has received.
//
// The kernel takes in what a method sends before the method returns, unless a system call has the socket locked. It
// does so on the test's own thread: whoever asks which task was running is told the test's process.
type Peer struct {
	tun      *TUN
	local    netip.AddrPort
	remote   netip.AddrPort // the kernel's end; invalid until known
	seq      uint32         // of the next byte to send (SND.NXT)
	received uint32         // next sequence number expected (RCV.NXT)
	acked    uint32         // what segments sent now acknowledge, at most received
	synced   bool           // received and acked are known
	last     packet
}

// Peer returns a peer at 10.9.8.2 and the port, which has no connection until AcceptSYN or Connect. Give every
// connection a peer with a port of its own.
func (t *TUN) Peer(port uint16) *Peer {
	return &Peer{tun: t, local: netip.AddrPortFrom(t.net.Addr().Next(), port), seq: firstSeq}
}

// Addr returns the peer's address.
func (p *Peer) Addr() netip.AddrPort { return p.local }

// AcceptSYN waits for the kernel to open a connection to the peer, and does not answer.
func (p *Peer) AcceptSYN() Segment {
	p.tun.tb.Helper()
	s := p.Expect(SYN)
	p.remote = s.Src
	return s
}

// Establish answers the SYN that AcceptSYN took, and waits for the handshake to be done.
func (p *Peer) Establish() {
	p.tun.tb.Helper()
	p.SendSYN(true)
	p.Expect(ACK)
}

// Connect opens a connection to a listener of the kernel's.
func (p *Peer) Connect(remote netip.AddrPort) {
	p.tun.tb.Helper()
	p.StartConnect(remote)
	p.Expect(SYN | ACK)
	p.SendACK()
}

// StartConnect sends a SYN to a listener of the kernel's and no more: the handshake stays half open.
func (p *Peer) StartConnect(remote netip.AddrPort) {
	p.tun.tb.Helper()
	p.remote = remote
	p.SendSYN(false)
}

// SendSYN sends a SYN. With ack it answers the kernel's; without, in answer to the kernel's, it is a simultaneous open.
func (p *Peer) SendSYN(ack bool) {
	p.tun.tb.Helper()
	if !ack {
		p.Send(Segment{Flags: SYN, Seq: p.seq})
		p.seq++
		return
	}
	p.acked = p.received
	p.send(SYN)
}

// SendACK acknowledges everything received.
func (p *Peer) SendACK() { p.tun.tb.Helper(); p.acked = p.received; p.send(0) }

// ShutWindow announces that the peer has no room, until it sends anything else.
func (p *Peer) ShutWindow() {
	p.tun.tb.Helper()
	s := p.segment(0)
	s.Src, s.Dst = p.local, p.remote
	p.write(s.marshal())
}

// SendData sends data, which acknowledges nothing new.
func (p *Peer) SendData(payload []byte) {
	p.tun.tb.Helper()
	s := p.segment(PSH)
	s.Payload = payload
	p.Send(s)
	p.seq = s.End()
}

// SendFIN sends FIN. With ack it acknowledges everything received; without, nothing new, so that two FINs cross.
func (p *Peer) SendFIN(ack bool) {
	p.tun.tb.Helper()
	if ack {
		p.acked = p.received
	}
	p.send(FIN)
}

// SendRST resets the connection; in answer to a SYN, it refuses it.
func (p *Peer) SendRST() { p.tun.tb.Helper(); p.acked = p.received; p.send(RST) }

// SendUnreachable answers the segment that came last with ICMP "destination unreachable", and the code.
func (p *Peer) SendUnreachable(code byte) {
	p.tun.tb.Helper()
	if p.last.raw == nil {
		p.tun.tb.Fatalf("peer %v: ICMP: no segment to answer", p.local)
	}
	p.write(unreachable(p.last.raw, code, p.local.Addr(), p.remote.Addr()))
}

// Send sends a segment as it is; a zero Src, Dst or Window is the connection's. The peer does not count it as sent.
func (p *Peer) Send(s Segment) {
	p.tun.tb.Helper()
	if !s.Src.IsValid() {
		s.Src = p.local
	}
	if !s.Dst.IsValid() {
		s.Dst = p.remote
	}
	if s.Window == 0 {
		s.Window = peerWindow
	}
	p.write(s.marshal())
}

// Expect waits for a segment with exactly these flags, but for PSH, and returns it. What the connection sent before it
// is received, and passed over.
func (p *Peer) Expect(flags Flags) Segment {
	p.tun.tb.Helper()
	return p.await(flags.String(), func(s Segment) bool { return s.Flags&^PSH == flags })
}

// ExpectData waits for a segment with data, new or repeated, and returns it.
func (p *Peer) ExpectData() Segment {
	p.tun.tb.Helper()
	return p.await("data", func(s Segment) bool { return len(s.Payload) > 0 })
}

func (p *Peer) await(what string, is func(Segment) bool) Segment {
	p.tun.tb.Helper()
	var passed []Segment
	for {
		got, err := p.tun.next(p.owns)
		if err != nil {
			p.tun.tb.Fatalf("peer %v: wait for %s: %v; came %v", p.local, what, err, passed)
		}
		p.last = got
		p.receive(got.Segment)
		if is(got.Segment) {
			return got.Segment
		}
		passed = append(passed, got.Segment)
	}
}

// owns says whether a segment belongs to the connection, which is anyone's until AcceptSYN or Connect.
func (p *Peer) owns(s Segment) bool {
	return s.Dst == p.local && (!p.remote.IsValid() || s.Src == p.remote)
}

// receive moves RCV.NXT past what came in order. The differences are serial numbers' (RFC 1982): a repeated segment
// moves nothing backwards.
func (p *Peer) receive(s Segment) {
	switch {
	case s.Flags&SYN != 0 && !p.synced:
		p.synced = true
		p.received, p.acked = s.End(), s.Seq
	case int32(s.Seq-p.received) <= 0 && int32(s.End()-p.received) > 0:
		p.received = s.End()
	}
}

// segment returns one that carries what is next and acknowledges what is acknowledged.
func (p *Peer) segment(flags Flags) Segment {
	return Segment{Flags: flags | ACK, Seq: p.seq, Ack: p.acked}
}

func (p *Peer) send(flags Flags) {
	p.tun.tb.Helper()
	s := p.segment(flags)
	p.Send(s)
	p.seq = s.End()
}

func (p *Peer) write(b []byte) {
	p.tun.tb.Helper()
	if err := p.tun.write(b); err != nil {
		p.tun.tb.Fatalf("peer %v: %v", p.local, err)
	}
}
