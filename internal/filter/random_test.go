package filter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// choice is a filter in the plainest terms. It is turned into a Filter, and judges events itself without one.
type choice struct {
	pids, netns          []uint32
	comms                []string
	lports, rports       []uint16
	local, remote        []network
	version              IPVersion
	states, old, arrived []tcp.State
}

// network compares the first length characters of addresses written in binary; family is the length of the whole.
type network struct {
	bits   string
	length int
	family int
}

func binary(addr netip.Addr) string {
	var text strings.Builder
	for _, b := range addr.AsSlice() {
		fmt.Fprintf(&text, "%08b", b)
	}
	return text.String()
}

func (n network) has(addr netip.Addr) bool {
	text := binary(addr)
	return len(text) == n.family && text[:n.length] == n.bits[:n.length]
}

func (n network) prefix() netip.Prefix {
	raw := make([]byte, n.family/8)
	for i, bit := range n.bits {
		raw[i/8] = raw[i/8]<<1 | byte(bit-'0')
	}
	addr, _ := netip.AddrFromSlice(raw)
	return netip.PrefixFrom(addr, n.length) // with host bits, which must not matter
}

// some says whether one of the wanted fits, or none is asked for.
func some[T any](wanted []T, fits func(T) bool) bool {
	for _, w := range wanted {
		if fits(w) {
			return true
		}
	}
	return len(wanted) == 0
}

func (c *choice) passesKernel(e *tcp.Event) bool {
	version := V6
	if len(e.Local.Addr().AsSlice()) == 4 || len(e.Remote.Addr().AsSlice()) == 4 {
		version = V4
	}
	pid := some(c.pids, func(pid uint32) bool { return pid == e.PID && pid > 0 })
	netns := some(c.netns, func(netns uint32) bool { return netns == e.NetNS })
	lport := some(c.lports, func(port uint16) bool { return port == e.Local.Port() })
	rport := some(c.rports, func(port uint16) bool { return port == e.Remote.Port() })
	states := some(c.states, func(s tcp.State) bool { return s == e.Old || s == e.New })
	old := some(c.old, func(s tcp.State) bool { return s == e.Old })
	arrived := some(c.arrived, func(s tcp.State) bool { return s == e.New })
	return pid && netns && lport && rport && states && old && arrived && (c.version == Any || c.version == version)
}

func (c *choice) passesRest(e *tcp.Event) bool {
	name, _, _ := strings.Cut(string(e.Comm[:]), "\x00")
	comm := some(c.comms, func(pattern string) bool {
		matched, err := path.Match(pattern, name)
		return e.PID > 0 && (pattern == name || matched && err == nil)
	})
	local := some(c.local, func(n network) bool { return n.has(e.Local.Addr()) })
	remote := some(c.remote, func(n network) bool { return n.has(e.Remote.Addr()) })
	return comm && local && remote
}

func (c *choice) filter(tb testing.TB) *Filter {
	f := &Filter{
		PIDs: c.pids, Comms: c.comms, NetNS: c.netns, Version: c.version,
		States: tcp.SetOf(c.states...), Old: tcp.SetOf(c.old...), New: tcp.SetOf(c.arrived...),
		Cgroups: []uint64{1}, // not decided here
	}
	for _, ports := range []struct {
		from []uint16
		to   **Ports
	}{{c.lports, &f.LocalPorts}, {c.rports, &f.RemotePorts}} {
		for _, port := range ports.from {
			if err := (PortsFlag{To: ports.to}).Set(fmt.Sprint(port)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for _, n := range c.local {
		f.Local = append(f.Local, n.prefix())
	}
	for _, n := range c.remote {
		f.Remote = append(f.Remote, n.prefix())
	}
	return f
}

// The pools are small, so that filters and events meet often.
var (
	randomPIDs   = []uint32{0, 1, 2, 3}
	randomNetNS  = []uint32{4026531840, 4026532000, 1}
	randomComms  = []string{"nginx", "ngin?", "*", "php-fpm", "php*", "[", "[mn]*", "", "\xff", `\n*`, "kworker/0:1"}
	randomPorts  = []uint16{1, 63, 64, 65, 443, 65535}
	randomStates = []tcp.State{tcp.Established, tcp.SynSent, tcp.CloseWait, tcp.Close, tcp.NewSynRecv}
	randomAddrs  = []netip.Addr{
		netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.1.1"), netip.MustParseAddr("0.0.0.0"),
		netip.MustParseAddr("::"), netip.MustParseAddr("::1"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("a00:1::"),
	}
)

func pick[T any](r *rand.Rand, pool []T) T { return pool[r.IntN(len(pool))] }

// picks returns nothing half of the time, else up to four.
func picks[T any](r *rand.Rand, pool []T) []T {
	if r.IntN(2) == 0 {
		return nil
	}
	var picked []T
	for range 1 + r.IntN(4) {
		picked = append(picked, pick(r, pool))
	}
	return picked
}

func randomChoice(r *rand.Rand) *choice {
	networks := func() (picked []network) {
		for _, addr := range picks(r, randomAddrs) {
			picked = append(picked, network{bits: binary(addr), length: r.IntN(addr.BitLen() + 1), family: addr.BitLen()})
		}
		return picked
	}
	return &choice{
		pids: picks(r, randomPIDs), netns: picks(r, randomNetNS), comms: picks(r, randomComms),
		lports: picks(r, randomPorts), rports: picks(r, randomPorts), local: networks(), remote: networks(),
		version: IPVersion(r.IntN(3)),
		states:  picks(r, randomStates), old: picks(r, randomStates), arrived: picks(r, randomStates),
	}
}

func randomEvent(r *rand.Rand) *tcp.Event {
	ports := append([]uint16{0}, randomPorts...)
	return &tcp.Event{
		PID: pick(r, randomPIDs), NetNS: pick(r, randomNetNS), Comm: comm(pick(r, randomComms)),
		Local:  netip.AddrPortFrom(pick(r, randomAddrs), pick(r, ports)),
		Remote: netip.AddrPortFrom(pick(r, randomAddrs), pick(r, ports)),
		Old:    pick(r, randomStates), New: pick(r, randomStates),
	}
}

// TestMatchAgainstPlainReading compares Match with the same choice read word by word. A failure names its seed.
func TestMatchAgainstPlainReading(t *testing.T) {
	const filters, events = 1000, 40
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var matched, passedRest int
	for range filters {
		c := randomChoice(r)
		f := c.filter(t)
		for range events {
			e := randomEvent(r)
			rest := c.passesRest(e)
			all := rest && c.passesKernel(e)
			if got := f.Match(e); got != all {
				t.Fatalf("seed %d: Match = %t, want %t\nfilter %+v\nevent %+v", seed, got, all, c, e)
			}
			if got := f.MatchRest(e); got != rest {
				t.Fatalf("seed %d: MatchRest = %t, want %t\nfilter %+v\nevent %+v", seed, got, rest, c, e)
			}
			matched += one(all)
			passedRest += one(rest)
		}
	}
	if total := filters * events; matched < total/200 || passedRest < total/20 || passedRest > total*19/20 {
		t.Errorf("seed %d: %d of %d matched, %d in the rest: proves too little", seed, matched, total, passedRest)
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
