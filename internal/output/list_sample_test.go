package output

import (
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// snapshotTime is when the sample sockets were looked at.
var snapshotTime = time.Date(2026, 11, 21, 14, 30, 5, 123_456_789, time.UTC).UnixNano()

func bound(source tcp.AgeSource, atLeast, atMost time.Duration) tcp.Age {
	return tcp.Age{Source: source, AtLeast: atLeast, AtMost: atMost}
}

// ages has every shape of an age, and what a table makes of it.
var ages = []struct {
	age         tcp.Age
	want        string
	wantInWide  string
	least, most time.Duration
}{
	{tcp.Age{}, "-", "-", tcp.Unknown, tcp.Unknown},
	{tcp.Age{AtMost: tcp.Unknown}, "-", "-", tcp.Unknown, tcp.Unknown},
	{tcp.ExactAge(tcp.AgeTraced, 252*time.Second), "4m12s", "4m12s", 252 * time.Second, 252 * time.Second},
	{tcp.ExactAge(tcp.AgeTraced, 0), "0ns", "0ns", 0, 0},
	{bound(tcp.AgeLastAck, 37*time.Minute+2*time.Second, tcp.Unknown), ">=37m02s", ">=37m02s", 2222 * time.Second, tcp.Unknown},
	{bound(tcp.AgeTimer, 0, 5200*time.Millisecond), "<=5.20s", "<=5.20s", tcp.Unknown, 5200 * time.Millisecond},
	{bound(tcp.AgeLastAck, 70*time.Second, 252*time.Second), ">=1m10s", "1m10s..4m12s", 70 * time.Second, 252 * time.Second},
	{bound(tcp.AgeLastAck, 70*time.Second, 70*time.Second+900), "1m10s", "1m10s", 70 * time.Second, 70*time.Second + 900},
	{bound(tcp.AgeLastData, 0, tcp.Unknown), "-", "-", tcp.Unknown, tcp.Unknown},
	{bound(tcp.AgeLastData, 99*24*time.Hour, 400*24*time.Hour), ">=99d00h", "99d00h..400d", 99 * 24 * time.Hour, 400 * 24 * time.Hour},
}

// accepted is a connection that nginx has forgotten to close.
func accepted() tcp.Socket {
	return tcp.Socket{
		Cookie: 0x4a1f04, CgroupID: 2291, NetNS: 4026532281, UID: 33, Inode: 918273, PID: 1017, Comm: comm("nginx"),
		Family: tcp.Inet, State: tcp.CloseWait, Evidence: tcp.EvidenceAccept,
		Local: netip.MustParseAddrPort("10.0.0.7:443"), Remote: netip.MustParseAddrPort("203.0.113.199:61234"),
		Age:     bound(tcp.AgeLastAck, 2222*time.Second, 2230*time.Second),
		Holders: []tcp.Holder{{PID: 1016, FD: 9, Comm: comm("nginx")}, {PID: 1017, FD: 12, Comm: comm("nginx")}, {PID: 1018, FD: 12, Comm: comm("php-fpm")}},
		RTT:     1342 * time.Microsecond, RTTVar: 512 * time.Microsecond, LastSent: 2222 * time.Second,
		LastReceived: 2230 * time.Second, LastAck: 2222 * time.Second, BytesSent: 23_482, BytesRecv: 517, RecvQ: 1,
		Timer: tcp.Timer{Kind: tcp.TimerKeepalive, Left: 119 * time.Minute}, Shutdown: 1,
	}
}

// leastKept is a socket of which the kernel keeps the least.
func leastKept(kind tcp.Kind, state tcp.State) tcp.Socket {
	s := accepted()
	return tcp.Socket{
		Cookie: s.Cookie + 1, NetNS: s.NetNS, Family: s.Family, Local: s.Local, Remote: s.Remote, Kind: kind, State: state,
		RTT: tcp.Unknown, RTTVar: tcp.Unknown, LastSent: tcp.Unknown, LastReceived: tcp.Unknown, LastAck: tcp.Unknown,
	}
}

// sockets returns one of each kind.
func sockets() []tcp.Socket {
	established := accepted()
	established.State, established.Age, established.Evidence = tcp.Established, ages[2].age, tcp.EvidenceConnect
	established.PID, established.Comm, established.Holders = 48213, comm("curl"), []tcp.Holder{{PID: 48213, FD: 5, Comm: comm("curl")}}
	established.Remote, established.RecvQ, established.SendQ = netip.MustParseAddrPort("93.184.216.34:443"), 4321, 65536
	established.Local, established.Shutdown, established.Autobound = netip.MustParseAddrPort("192.168.10.25:54321"), 0, true
	established.Timer, established.Retrans = tcp.Timer{Kind: tcp.TimerRetransmit, Left: 1234 * time.Millisecond, Retries: 3}, 7

	listener := accepted()
	listener.State, listener.Age, listener.Evidence = tcp.Listen, tcp.Age{}, tcp.EvidenceListen
	listener.Remote, listener.RecvQ, listener.SendQ = netip.MustParseAddrPort("0.0.0.0:0"), 3, 511
	listener.RTT, listener.RTTVar, listener.LastSent, listener.LastReceived, listener.LastAck = tcp.Unknown, tcp.Unknown, tcp.Unknown, tcp.Unknown, tcp.Unknown
	listener.Timer, listener.BytesSent, listener.BytesRecv, listener.Shutdown = tcp.Timer{}, 0, 0, 0

	zombie := accepted()
	zombie.State, zombie.Zombie, zombie.Errno, zombie.Age, zombie.Shutdown = tcp.Close, true, 104, ages[0].age, 3

	orphan := leastKept(tcp.Full, tcp.FinWait1)
	orphan.Orphan, orphan.SendQ, orphan.Age = true, 1024, ages[5].age
	ownedOrphan := orphan
	ownedOrphan.PID, ownedOrphan.Comm, ownedOrphan.Evidence = 48213, comm("curl"), tcp.EvidenceClose
	waiting := leastKept(tcp.Full, tcp.CloseWait)
	waiting.Unaccepted, waiting.RecvQ, waiting.Age = true, 518, ages[4].age
	ownedWaiting := waiting
	ownedWaiting.PID, ownedWaiting.Comm, ownedWaiting.Evidence = 1017, comm("nginx"), tcp.EvidenceListen

	minisock := leastKept(tcp.Minisock, tcp.TimeWait)
	minisock.Age, minisock.Timer = tcp.ExactAge(tcp.AgeKernel, 12_345*time.Millisecond), tcp.Timer{Kind: tcp.TimerTimeWait, Left: 47_655 * time.Millisecond}
	request := leastKept(tcp.Request, tcp.SynRecv)
	request.Age, request.Timer = tcp.ExactAge(tcp.AgeKernel, 640*time.Millisecond), tcp.Timer{Kind: tcp.TimerRetransmit, Left: 360 * time.Millisecond}
	ownedRequest := request
	ownedRequest.PID, ownedRequest.Comm, ownedRequest.Evidence = 1017, comm("nginx"), tcp.EvidenceListen

	return append([]tcp.Socket{
		listener, established, accepted(), zombie, orphan, ownedOrphan, waiting, ownedWaiting, minisock, request, ownedRequest,
	}, oddSockets()...)
}

// oddSockets returns what is long, unknown or hostile.
func oddSockets() []tcp.Socket {
	unowned := accepted()
	unowned.PID, unowned.Comm, unowned.Evidence, unowned.Holders = 0, tcp.Comm{}, tcp.EvidenceNone, nil
	others := accepted()
	others.PID, others.Comm, others.Evidence = 4194304, comm("systemd-resolve"), tcp.EvidenceConnect
	six := accepted()
	six.Family, six.Mark, six.Device, six.Inode = tcp.Inet6, 0xdeadbeef, 12, 4294967295
	six.Local = netip.MustParseAddrPort("[2001:db8:85a3:8d3:1319:8a2e:370:7348]:65535")
	six.Remote = netip.MustParseAddrPort("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535")
	six.RecvQ, six.SendQ, six.BytesSent, six.Cookie = 4294967295, 4294967295, 1<<64-1, 1<<64-1
	six.Holders = []tcp.Holder{{PID: 1017, FD: 1048576, Comm: comm("nginx")}, {PID: 4194304, FD: 4294967295, Comm: comm("\x1b[2Jx\n")}}
	hostile := accepted()
	hostile.Comm, hostile.CgroupID, hostile.NetNS = comm("\x1b[31m,\"=\n\xff\u202e"), 666, 666
	hostile.Holders = []tcp.Holder{{PID: 1017, FD: 3, Comm: hostile.Comm}, {PID: 2, FD: 4, Comm: comm("=cmd|' /C calc'")}}
	formula := accepted()
	formula.Comm, formula.CgroupID = comm("=1+1"), 667
	blank := tcp.Socket{RTT: tcp.Unknown, RTTVar: tcp.Unknown, LastSent: tcp.Unknown, LastReceived: tcp.Unknown, LastAck: tcp.Unknown}
	odd := []tcp.Socket{unowned, others, six, hostile, formula, blank}
	for _, a := range ages {
		s := accepted()
		s.Age = a.age
		odd = append(odd, s)
	}
	return odd
}

// hostNames knows names for the sample sockets, some of them hostile.
func hostNames() HostNames {
	return HostNames{
		NetNS: func(inode uint32) string {
			return map[uint32]string{4026532281: "container web", 666: "\x1b]0;x\a,\"\n"}[inode]
		},
		Cgroup: func(id uint64) string {
			return map[uint64]string{
				2291: "/system.slice/docker-0123456789abcdef.scope", 666: "/\x1b[2J,\"\u202e\n", 667: "=HYPERLINK(1)",
			}[id]
		},
		Container: func(id uint64) string {
			return map[uint64]string{2291: "0123456789ab", 666: "\x1b[2J"}[id]
		},
		Service: func(port uint16) string {
			return map[uint16]string{443: "https", 61234: "\x1b[2J", 54321: "a-name-longer-than-any", 65535: "fifteen-letters"}[port]
		},
	}
}
