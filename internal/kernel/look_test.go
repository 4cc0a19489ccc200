package kernel

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestSocketOfFull(t *testing.T) {
	row := snapshotFullRow{
		Head: snapshotSocketRow{
			Kind: uint8(snapshotRowKindROW_FULL), State: uint8(tcp.Close), Timer: uint8(tcp.TimerKeepalive), Retries: 3, Shutdown: 2,
			Flags:  uint8(snapshotRowFlagsROW_CONNECTED | snapshotRowFlagsROW_AUTOBOUND),
			Family: uint16(tcp.Inet6), Cookie: 0x2a, Address: 0xffff_8880_1234_5678, NowNs: 1_000_000_000, Jiffies: 9999,
			CgroupId: 99, TimerLeft: 25, Laddr: netip.MustParseAddr("::ffff:10.1.2.3").As16(),
			Raddr: netip.MustParseAddr("2001:db8::1").As16(), Lport: 443, Rport: 20480, Netns: 7, Mark: 8, Device: 9,
		},
		SinceNs: 900_000_000, Inode: 1 << 31, BytesSent: 5, BytesReceived: 6, Uid: 1000, RecvQ: 10, SendQ: 11, Retransmits: 12, SrttUs: 13, RttvarUs: 14,
		LastSent: 1, LastReceived: 2, LastAck: 3, Pid: 42, Evidence: uint8(tcp.EvidenceAccept), SkErr: 104,
	}
	copy(row.Comm[:], "\x1b[31m\nfifteen")
	want := tcp.Socket{
		Seen: 1_000_000_000, Cookie: 0x2a, CgroupID: 99,
		Local: netip.MustParseAddrPort("10.1.2.3:443"), Remote: netip.MustParseAddrPort("[2001:db8::1]:20480"),
		Age: tcp.ExactAge(tcp.AgeTraced, 100*time.Millisecond), Timer: tcp.Timer{Kind: tcp.TimerKeepalive, Left: 100 * time.Millisecond, Retries: 3},
		RTT: 13 * time.Microsecond, RTTVar: 14 * time.Microsecond,
		LastSent: 4 * time.Millisecond, LastReceived: 8 * time.Millisecond, LastAck: 12 * time.Millisecond,
		BytesSent: 5, BytesRecv: 6, NetNS: 7, UID: 1000, Inode: 1 << 31, RecvQ: 10, SendQ: 11, Retrans: 12, Mark: 8, Device: 9,
		PID: 42, Errno: 104, Family: tcp.Inet6, State: tcp.Close, Evidence: tcp.EvidenceAccept, Shutdown: 2, Comm: row.Comm,
		Zombie: true, Autobound: true,
	}
	checkSocket(t, &row, want)

	row.Head.Flags = uint8(snapshotRowFlagsROW_ORPHAN | snapshotRowFlagsROW_UNACCEPTED)
	row.Head.Timer, row.SrttUs = 0, 0
	want.Orphan, want.Unaccepted, want.Zombie, want.Autobound = true, true, false, false
	want.Timer, want.RTT, want.RTTVar = tcp.Timer{}, tcp.Unknown, tcp.Unknown
	want.LastSent, want.LastReceived, want.LastAck = tcp.Unknown, tcp.Unknown, tcp.Unknown
	checkSocket(t, &row, want)

	row.Head.State, row.Head.Flags = uint8(tcp.Listen), uint8(snapshotRowFlagsROW_CONNECTED) // connected once, and no more
	want.State, want.Orphan, want.Unaccepted = tcp.Listen, false, false
	checkSocket(t, &row, want)
}

func checkSocket(t *testing.T, row *snapshotFullRow, want tcp.Socket) {
	t.Helper()
	s := tcp.Socket{Cookie: 77, Holders: []tcp.Holder{{PID: 1}}, Orphan: true} // of the look before
	socketOfFull(&s, row, testTicks)
	if s.Holders != nil {
		t.Errorf("holders of another look: %v", s.Holders)
	}
	if got, want := fmt.Sprintf("%+v", s), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSocketOfBare(t *testing.T) {
	for kind, want := range map[snapshotRowKind]tcp.Kind{
		snapshotRowKindROW_MINISOCK: tcp.Minisock, snapshotRowKindROW_REQUEST: tcp.Request,
	} {
		row := snapshotSocketRow{
			Kind: uint8(kind), State: uint8(tcp.SynRecv), Timer: uint8(tcp.TimerRetransmit), TimerLeft: -5,
			Laddr: netip.MustParseAddr("::ffff:10.1.2.3").As16(), Raddr: netip.IPv6Unspecified().As16(), Lport: 1,
		}
		s := tcp.Socket{PID: 5, UID: 6}
		socketOfBare(&s, &row, testTicks)
		if s.Kind != want || s.UID != tcp.NoUID || s.PID != 0 || s.RTT != tcp.Unknown || s.LastAck != tcp.Unknown || s.LastSent != tcp.Unknown {
			t.Errorf("%+v", s)
		}
		if s.Timer != (tcp.Timer{Kind: tcp.TimerRetransmit}) {
			t.Errorf("an overdue timer is %+v", s.Timer)
		}
		if s.Local != netip.MustParseAddrPort("10.1.2.3:1") || s.Remote != netip.MustParseAddrPort("[::]:0") {
			t.Errorf("%v -> %v", s.Local, s.Remote)
		}
	}
}
