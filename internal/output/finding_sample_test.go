package output

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// findingTime is when the sample report was made.
var findingTime = time.Date(2026, 11, 21, 14, 30, 5, 123_456_789, time.UTC).UnixNano()

// stuckSocket returns a socket of python3 with a descriptor on it.
func stuckSocket(i int, state tcp.State) tcp.Socket {
	return tcp.Socket{
		Cookie: 0x4a1f00 + uint64(i), NetNS: 4026531840, PID: 31163, Comm: comm("python3"), State: state, Inode: 918273,
		Local:   netip.MustParseAddrPort("10.0.0.7:8080"),
		Remote:  netip.AddrPortFrom(netip.MustParseAddr("203.0.113.199"), uint16(51234+i)),
		Holders: []tcp.Holder{{PID: 31163, FD: uint32(12 + i), Comm: comm("python3")}},
	}
}

// aFinding returns a finding of python3 about four sockets.
func aFinding(c leak.Condition, cause leak.Cause, signs leak.Signs) leak.Finding {
	f := leak.Finding{
		ID: fmt.Sprintf("00f067aa0ba902%x%x", uint8(c), uint8(cause)), Status: leak.Firing, News: true, Level: leak.Warn,
		Key: leak.Key{
			PID: 31163, Comm: comm("python3"), Condition: c, Cause: cause, Direction: leak.Incoming,
			Endpoint: netip.AddrPortFrom(netip.Addr{}, 8080),
		},
		Count: 4, Proven: 4, Oldest: 2222 * time.Second, Signs: signs,
		Holders: []leak.Process{{PID: 31163, Comm: comm("python3"), Sockets: 4}},
	}
	for i := range 4 {
		f.Sample = append(f.Sample, leak.Stuck{
			Socket: stuckSocket(i, c.State()), Age: time.Duration(2222-i) * time.Second, AtLeast: i == 1, Level: f.Level,
			Cause: cause, Signs: signs,
		})
	}
	return f
}

const closeWait, finWait2 = leak.Condition(tcp.CloseWait), leak.Condition(tcp.FinWait2)

// findings returns one of each cause, with all that may be known of one among them.
func findings() []leak.Finding {
	leaking := aFinding(closeWait, leak.NotClosed, leak.SignEOFRead|leak.SignHeld)
	leaking.Level, leaking.Count, leaking.Proven, leaking.Others, leaking.AtLeast = leak.Critical, 79705, 79705, 79701, true
	leaking.Growth = leak.Growth{Known: true, PerMinute: 120.4, Over: time.Hour}
	leaking.FDs = leak.FDs{Known: true, Limit: 100000, Used: 79733, Held: 79705, Share: 0.79705, Exhausted: 168 * time.Minute}
	leaking.Key.CallSite = 7

	unaccepted := aFinding(closeWait, leak.NeverAccepted, leak.SignUnaccepted|leak.SignUnreadData)
	unaccepted.Key.PID, unaccepted.Key.Comm, unaccepted.Holders, unaccepted.RecvQ = 1017, comm("nginx"), nil, 2072
	for i := range unaccepted.Sample {
		s := &unaccepted.Sample[i].Socket
		s.PID, s.Comm, s.Holders, s.Unaccepted, s.RecvQ, s.Inode = 1017, comm("nginx"), nil, true, 518, 0
	}
	unaccepted.Listener = &leak.Listener{
		Local: netip.MustParseAddrPort("[::]:8080"), PID: 1017, Comm: comm("nginx"), Waiting: 129, Backlog: 128,
	}

	inherited := aFinding(closeWait, leak.Inherited, leak.SignSeveralHolders|leak.SignHeld)
	inherited.Status, inherited.Level, inherited.OtherHolders = leak.Escalated, leak.Critical, 3
	for pid := uint32(31164); pid < 31169; pid++ {
		inherited.Holders = append(inherited.Holders, leak.Process{PID: pid, Comm: comm("worker " + fmt.Sprint(pid%10)), Sockets: 4})
	}
	for i := range inherited.Sample {
		s := &inherited.Sample[i].Socket
		s.Holders = append(s.Holders, tcp.Holder{PID: 31164, FD: 12, Comm: comm("worker 4")})
	}

	sending := aFinding(closeWait, leak.Sending, leak.SignSendQueue|leak.SignWindowShut|leak.SignHeld)
	sending.SendQ, sending.Sample[0].Socket.SendQ = 4_194_304, 1_048_576
	sending.Growth = leak.Growth{Known: true, PerMinute: -0.2}

	unread := aFinding(closeWait, leak.UnreadData, leak.SignUnreadData|leak.SignHeld)
	unread.RecvQ, unread.Sample[0].Socket.RecvQ, unread.Count, unread.Proven = 300, 100, 1, 1
	unread.Sample, unread.Blames = unread.Sample[:1], []string{"00f067aa0ba90257", "gone"}
	unread.Peer = nil

	fin := aFinding(closeWait, leak.UnreadFin, leak.SignUnreadFin|leak.SignHeld)
	fin.Key.Direction, fin.Key.Endpoint = leak.Outgoing, netip.MustParseAddrPort("[2001:db8:85a3:8d3:1319:8a2e:370:7348]:5432")
	for i := range fin.Sample {
		s := &fin.Sample[i].Socket
		s.Remote, s.RecvQ = fin.Key.Endpoint, 1
		s.Local = netip.MustParseAddrPort("[2001:db8:85a3:8d3:1319:8a2e:370:7349]:51234")
	}
	fin.FDs = leak.FDs{Known: true, Limit: 1024, Used: 1024, Held: 4, Share: 4. / 1024}
	fin.Growth = leak.Growth{Known: true}

	half := aFinding(finWait2, leak.HalfClosed, leak.SignHeld)
	half.Peer = &leak.Peer{
		Cookie: 0x4b0001, NetNS: 4026532281, PID: 42, Comm: comm("nginx"), State: tcp.CloseWait, Cause: leak.UnreadData,
		AtFault: true, Finding: unread.ID, Sockets: 3,
	}
	half.Leg = &leak.Leg{Finding: leaking.ID, Pairs: 4}
	half.Key.Direction, half.Key.Endpoint, half.Endpoints = leak.Outgoing, netip.AddrPort{}, 312

	zombie := aFinding(leak.Zombie, leak.ZombieHeld, leak.SignConnected|leak.SignHeld)
	zombie.Proven, zombie.Oldest, zombie.AtLeast = 0, 0, true
	for i := range zombie.Sample {
		s := &zombie.Sample[i]
		s.Age, s.AtLeast, s.Socket.Zombie = 0, true, true
	}

	idle := aFinding(leak.Condition(tcp.Established), leak.Idle, leak.SignHeld)
	idle.Proven, idle.Key.Endpoint, idle.Endpoints = 2, netip.AddrPort{}, 2

	unanswered := aFinding(leak.Condition(tcp.SynRecv), leak.Unanswered, leak.SignRetransmitting)
	unanswered.Key.PID, unanswered.Key.Comm, unanswered.Key.NetNS, unanswered.Holders = 0, tcp.Comm{}, 4026532281, nil
	for i := range unanswered.Sample {
		s := &unanswered.Sample[i].Socket
		s.PID, s.Comm, s.Holders, s.Inode, s.NetNS = 0, tcp.Comm{}, nil, 0, 4026532281
	}

	orphan := aFinding(finWait2, leak.Orphan, leak.SignOrphan)
	orphan.Sample, orphan.Others = nil, 4
	none := aFinding(leak.Condition(tcp.TimeWait), leak.CauseNone, 0)

	return []leak.Finding{
		leaking, inherited, unaccepted, sending, unread, fin, half, zombie, idle, unanswered, orphan, none,
	}
}

// over returns a finding of each status that ends one.
func over() []leak.Finding {
	resolved := findings()[0]
	resolved.Status = leak.Resolved
	muted := findings()[7]
	muted.Status = leak.Muted
	merged := findings()[6]
	merged.Status, merged.Into = leak.Merged, "00f067aa0ba90281"
	return []leak.Finding{resolved, muted, merged}
}

// hostileFinding returns one whose every text wants to be more.
func hostileFinding() leak.Finding {
	const evil = "\x1b]0;x\a\"\n\u202e"
	f := findings()[6]
	f.ID, f.Into, f.Blames = "i"+evil, "j"+evil, []string{evil}
	f.Key.Comm, f.Key.CallSite, f.Status = comm(evil), 666, leak.Escalated
	f.Holders = []leak.Process{{PID: 1, Comm: comm(evil), Sockets: 1}, {PID: 2, Comm: comm("\xff\xfe\n\r\t"), Sockets: 1}}
	f.Listener = &leak.Listener{PID: 3, Comm: comm("\x9b2J")}
	f.Peer = &leak.Peer{PID: 4, Comm: comm(evil), NetNS: 666, State: 99, Cause: 99, Finding: evil}
	f.Leg = &leak.Leg{Finding: evil, Pairs: -1}
	for i := range f.Sample {
		f.Sample[i].Socket.NetNS = 666
		f.Sample[i].Socket.Comm = comm(evil)
	}
	return f
}

// siteOfFetch is a stack in which the place to look at is not the innermost, and one frame could not be named.
var siteOfFetch = Site{Call: "connect", Place: 2, Frames: []Frame{
	{Function: "__connect", Module: "/usr/lib/x86_64-linux-gnu/libc.so.6", Offset: 0x10a3f0, PC: 0x7f0000100000, Guess: true},
	{Function: "pool::get()", File: "/src/app/pool.h", Line: 3, Module: "/srv/app/app", Offset: 0x1200, PC: 0x401200, Inlined: true},
	{Function: "app::fetch(int)", File: "/src/app/client.cc", Line: 42, Module: "/srv/app/app", Offset: 0x1204, PC: 0x401204},
	{Module: "/srv/app/plugin.so", Offset: 0x77, PC: 0x7f0000000077},
	{PC: 0xdeadbeef},
}}

// hostileSite has names that want to be more, and a place beyond its frames.
var hostileSite = Site{Call: "\x1b[2J", Place: 9, Frames: []Frame{
	{Function: "\x1b[2J\n\u202e", File: "/\x9b/\r\"", Line: -1}, {Module: "\x1b]0;x\a", Offset: 1}, {Function: "\xff", Module: "\n"},
}}

// findingOptions returns options with everything that a report can be told.
func findingOptions(format Format, width int) FindingOptions {
	return FindingOptions{
		Format: format, Width: width, Location: zone, Names: hostNames(), Limits: leak.DefaultLimits(),
		CallSite: func(number uint64) (Site, bool) {
			s, ok := map[uint64]Site{7: siteOfFetch, 666: hostileSite}[number]
			return s, ok
		},
	}
}
