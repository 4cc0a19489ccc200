package census

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func commOf(name string) tcp.Comm {
	var comm tcp.Comm
	copy(comm[:len(comm)-1], name)
	return comm
}

var sampleAddrs = []netip.Addr{
	{},
	netip.IPv4Unspecified(),
	netip.IPv6Unspecified(),
	netip.MustParseAddr("10.0.0.9"),
	netip.MustParseAddr("10.0.0.10"),
	netip.MustParseAddr("::1"),
	netip.MustParseAddr("2001:db8::1"),
	netip.MustParseAddr("fe80::1%eth0"),
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

// sampleSocket returns a socket whose values come from few, so that many are equal.
func sampleSocket(random *rand.Rand) tcp.Socket {
	duration := func() time.Duration { return time.Duration(random.IntN(4)) * time.Second }
	s := tcp.Socket{
		Cookie:   uint64(random.IntN(50)),
		CgroupID: pick[uint64](random, 0, 1, 4242),
		Local:    netip.AddrPortFrom(pick(random, sampleAddrs...), pick[uint16](random, 0, 22, 443, 8080)),
		Remote:   netip.AddrPortFrom(pick(random, sampleAddrs...), pick[uint16](random, 0, 443, 50_000)),
		RTT:      pick(random, tcp.Unknown, 0, time.Millisecond, time.Second),
		NetNS:    pick[uint32](random, 4026531840, 4026532000),
		UID:      pick[uint32](random, 0, 1000),
		RecvQ:    pick[uint32](random, 0, 1, 1<<32-1),
		SendQ:    pick[uint32](random, 0, 1, 1<<32-1),
		Retrans:  uint32(random.IntN(3)),
		State:    tcp.State(1 + random.IntN(tcp.States)),
		Kind:     pick(random, tcp.Full, tcp.Full, tcp.Minisock, tcp.Request),
	}
	switch random.IntN(3) {
	case 0:
		s.Age = tcp.ExactAge(tcp.AgeTraced, duration())
	case 1:
		s.Age = tcp.Age{Source: tcp.AgeLastAck, AtLeast: duration(), AtMost: tcp.Unknown}
	}
	s.Zombie = s.State == tcp.Close && random.IntN(2) == 0
	if random.IntN(3) > 0 {
		s.PID = pick[uint32](random, 1, 77, 4_000_000)
		s.Comm = commOf(pick(random, "", "nginx", "sshd", "a\x1b]0;x\x07b", "fifteen_bytes__"))
	}
	return s
}

func sampleSockets(seed uint64, n int) []tcp.Socket {
	random := rand.New(rand.NewPCG(seed, 0))
	sockets := make([]tcp.Socket, n)
	for i := range sockets {
		sockets[i] = sampleSocket(random)
	}
	return sockets
}

// manySockets are as many as a busy host's, all different, most of them served from one port.
func manySockets() []tcp.Socket {
	const busy = 200_000
	random := rand.New(rand.NewPCG(3, 0))
	sockets := make([]tcp.Socket, busy)
	for i := range sockets {
		client := netip.AddrFrom4([4]byte{10, byte(random.IntN(4)), byte(random.IntN(256)), byte(random.IntN(256))})
		pid := uint32(1 + random.IntN(500))
		sockets[i] = tcp.Socket{
			Cookie: random.Uint64(),
			Local:  netip.AddrPortFrom(netip.MustParseAddr("10.9.9.9"), 443),
			Remote: netip.AddrPortFrom(client, uint16(1024+random.IntN(60_000))),
			State:  pick(random, tcp.Established, tcp.Established, tcp.CloseWait, tcp.TimeWait),
			PID:    pid,
			Comm:   commOf(fmt.Sprintf("worker-%d", pid)),
			Age:    tcp.ExactAge(tcp.AgeTraced, time.Duration(random.Int64N(1e15))),
			RecvQ:  random.Uint32N(1 << 20),
			RTT:    time.Duration(random.Int64N(1e9)),
		}
	}
	return sockets
}

func withoutZone(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}
