package output

import (
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// zone is two hours east, so that a golden file shows what is local time and what is UTC.
var zone = time.FixedZone("EET", 2*60*60)

func comm(name string) (c tcp.Comm) {
	copy(c[:], name)
	return c
}

// script builds events: each step is a time after the one before it.
type script struct {
	now    int64
	events []tcp.Event
}

func newScript() *script {
	return &script{now: time.Date(2026, 11, 21, 14, 30, 5, 123_456_789, time.UTC).UnixNano()}
}

// add appends a transition of the socket that e describes, after some time in the old state.
func (s *script) add(e tcp.Event, from, to tcp.State, spent time.Duration) *tcp.Event {
	s.now += max(int64(spent)%int64(time.Second), 41_113)
	e.Time, e.Mono, e.Old, e.New, e.InOld, e.SRTT = s.now, s.now-1e18, from, to, spent, tcp.Unknown
	if to == tcp.Close {
		e.BytesSent, e.BytesRecv, e.Retrans, e.SRTT = 517, 23_482, 2, 1342*time.Microsecond
	}
	s.events = append(s.events, e)
	return &s.events[len(s.events)-1]
}

// end appends a transition to CLOSE and its reason.
func (s *script) end(e tcp.Event, from tcp.State, spent time.Duration, reason tcp.Reason, errno uint16) *tcp.Event {
	last := s.add(e, from, tcp.Close, spent)
	last.Reason, last.Errno = reason, errno
	return last
}

func client() tcp.Event {
	return tcp.Event{
		Cookie: 0x4a1f03, CgroupID: 10412, NetNS: 4026531840, UID: 1000, PID: 48213, RunningPID: 48213,
		Family: tcp.Inet, Evidence: tcp.EvidenceConnect, Comm: comm("curl"),
		Local:  netip.MustParseAddrPort("192.168.10.25:54321"),
		Remote: netip.MustParseAddrPort("93.184.216.34:443"),
	}
}

func server() tcp.Event {
	return tcp.Event{
		Cookie: 0x4a1f04, CgroupID: 2291, NetNS: 4026532281, UID: 33, PID: 1017,
		Family: tcp.Inet, Evidence: tcp.EvidenceAccept, Comm: comm("nginx"),
		Local:  netip.MustParseAddrPort("10.0.0.7:443"),
		Remote: netip.MustParseAddrPort("203.0.113.199:61234"),
	}
}

// connection returns the ten transitions of one short connection with both ends on this host.
func connection() []tcp.Event {
	s, c, d := newScript(), client(), server()
	d.Local, d.Remote = c.Remote, c.Local
	unbound := c
	unbound.Local = netip.AddrPortFrom(c.Local.Addr(), 0)
	s.add(unbound, tcp.Close, tcp.SynSent, tcp.Unknown)
	s.add(d, tcp.Listen, tcp.SynRecv, tcp.Unknown).Evidence = tcp.EvidenceListen
	s.add(c, tcp.SynSent, tcp.Established, 1_204_113)
	s.add(d, tcp.SynRecv, tcp.Established, 20_311).Evidence = tcp.EvidenceListen
	s.add(c, tcp.Established, tcp.FinWait1, 62_113_902)
	s.add(d, tcp.Established, tcp.CloseWait, 62_127_881)
	s.add(c, tcp.FinWait1, tcp.FinWait2, 35_009)
	s.add(d, tcp.CloseWait, tcp.LastAck, 412_337)
	s.end(c, tcp.FinWait2, 612_001, tcp.ReasonFinLocal, 0).Next = tcp.TimeWait
	s.end(d, tcp.LastAck, 48_770, tcp.ReasonFinRemote, 0)
	return s.events
}

// everyEnding returns a transition to CLOSE for each reason.
func everyEnding() []tcp.Event {
	s, c, d := newScript(), client(), server()
	c.Remote = netip.MustParseAddrPort("198.51.100.23:5432")
	s.end(c, tcp.Established, 252*time.Second, tcp.ReasonResetReceived, 104)
	s.end(d, tcp.FinWait1, 3*time.Millisecond, tcp.ReasonResetSent, 0)
	s.end(d, tcp.CloseWait, 26*time.Hour+900*time.Millisecond, tcp.ReasonAbortUnread, 0)
	s.end(d, tcp.CloseWait, 5*time.Minute, tcp.ReasonResetReceived, 32)
	s.end(c, tcp.SynSent, 130*time.Second+7, tcp.ReasonTimeout, 110)
	s.end(c, tcp.SynSent, 812, tcp.ReasonRefused, 111).SRTT = tcp.Unknown
	s.end(c, tcp.SynSent, 3060*time.Millisecond, tcp.ReasonUnreachable, 113)
	s.end(c, tcp.FinWait2, 40*time.Millisecond, tcp.ReasonProcessExit, 0).Next = tcp.FinWait2
	s.end(c, tcp.Established, 100*time.Hour, tcp.ReasonKilled, 103)
	s.end(c, tcp.SynSent, 250*time.Millisecond, tcp.ReasonAbandoned, 0)
	s.end(d, tcp.Established, 17*time.Second, tcp.ReasonListenerClosed, 0)
	s.end(c, tcp.LastAck, 17*time.Second, tcp.ReasonNone, 4095).Retrans = 0
	return s.events
}

// oddities returns what is rare, unknown or hostile.
func oddities() []tcp.Event {
	s, c, d := newScript(), client(), server()
	listener := d
	listener.Local, listener.Remote = netip.MustParseAddrPort("0.0.0.0:8080"), netip.MustParseAddrPort("0.0.0.0:0")
	listener.PID, listener.Comm, listener.Evidence = 4194304, comm("systemd-resolve"), tcp.EvidenceListen
	s.add(listener, tcp.Close, tcp.Listen, tcp.Unknown)
	nobody := d
	nobody.PID, nobody.Evidence, nobody.Comm, nobody.RunningPID = 0, tcp.EvidenceNone, tcp.Comm{}, 48213
	nobody.Cookie, nobody.CgroupID = 0, 0
	s.add(nobody, tcp.Established, tcp.CloseWait, tcp.Unknown)
	old := d
	old.Evidence = tcp.EvidenceFD
	s.add(old, tcp.FinWait1, tcp.FinWait1, tcp.Unknown).Missed = true
	s.add(c, tcp.Close, tcp.SynSent, tcp.Unknown).Late = true
	gone := s.end(c, tcp.FinWait2, tcp.Unknown, tcp.ReasonFinLocal, 0)
	gone.Next, gone.Missed, gone.Late = tcp.TimeWait, true, true
	for _, name := range []string{"\x1b[31mroot\n", `a,b "c" \d`, "=cmd|' /C calc'", "caf\xc3\xa9\xff\u202e\u0085", " ", ""} {
		hostile := c
		hostile.Comm = comm(name)
		s.add(hostile, tcp.Established, tcp.FinWait1, time.Second)
	}
	mapped := d
	mapped.Family = tcp.Inet6
	s.add(mapped, tcp.SynRecv, tcp.Established, 999)
	six := c
	six.Family = tcp.Inet6
	six.Local = netip.MustParseAddrPort("[2001:db8::25]:54321")
	six.Remote = netip.MustParseAddrPort("[2001:db8:85a3:8d3:1319:8a2e:370:7348]:443")
	s.add(six, tcp.SynSent, tcp.Established, 12_345_678)
	six.Local = netip.MustParseAddrPort("[::]:443")
	six.Remote = netip.MustParseAddrPort("[::]:0")
	s.add(six, tcp.Close, tcp.Listen, tcp.Unknown)
	s.add(c, tcp.Established, tcp.FinWait1, 59_999_999_999)
	s.add(tcp.Event{NetNS: 4026531840}, tcp.State(0), tcp.State(77), 0)
	return s.events
}

// samples are all of them.
func samples() []tcp.Event {
	return append(append(connection(), everyEnding()...), oddities()...)
}
