package census

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// plainValue is the value of a key in the plainest terms, such that different values are different texts.
func plainValue(k Key, s *tcp.Socket) string {
	switch k {
	case ByState:
		return fmt.Sprint(s.State, s.Zombie)
	case ByRemoteAddr:
		return s.Remote.Addr().String()
	case ByRemotePort:
		return fmt.Sprint(s.Remote.Port())
	case ByLocalAddr:
		return s.Local.Addr().String()
	case ByLocalPort:
		return fmt.Sprint(s.Local.Port())
	case ByProcess:
		return fmt.Sprintf("%t %s", s.PID > 0, s.Comm.Bytes())
	case ByPID:
		return fmt.Sprint(s.PID)
	case ByUID:
		return fmt.Sprint(s.UID, s.Kind == tcp.Minisock, s.Kind == tcp.Minisock || s.UID > 0)
	case ByCgroup:
		return fmt.Sprint(s.CgroupID)
	}
	return fmt.Sprint(s.NetNS)
}

// plainValues is injective for minisocks, too: their uid does not count.
func plainValues(keys []Key, s *tcp.Socket) string {
	plain := *s
	if plain.Kind == tcp.Minisock {
		plain.UID = 0
	}
	var values []string
	for _, k := range keys {
		values = append(values, plainValue(k, &plain))
	}
	return strings.Join(values, "\x00")
}

func someKeys(random *rand.Rand) []Key {
	keys := slices.Clone(everyKey)
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys[:1+random.IntN(4)]
}

// TestBreakdownCountsAsAPlainMapDoes compares counts and oldest ages in random combinations of keys.
func TestBreakdownCountsAsAPlainMapDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	for seed := range uint64(200) {
		keys, sockets := someKeys(random), sampleSockets(seed, 300)
		b := New(keys)
		counts, oldest := map[string]uint64{}, map[string]time.Duration{}
		for i := range sockets {
			s := &sockets[i]
			b.Add(s)
			values := plainValues(keys, s)
			counts[values]++
			if s.Age.Known() {
				oldest[values] = max(oldest[values], s.Age.AtLeast+1)
			}
		}
		groups, others, ok := b.Top(0)
		if ok || others != (Group{}) || len(groups) != len(counts) || b.Len() != len(counts) || b.Total() != 300 {
			t.Fatalf("%v: %d groups, others %v, %t; want %d", keys, len(groups), others, ok, len(counts))
		}
		index := map[Traits]Group{}
		for _, g := range groups {
			index[g.Traits] = g
		}
		for i := range sockets {
			var id identity
			for _, k := range keys {
				id.set(k, &sockets[i])
			}
			values := plainValues(keys, &sockets[i])
			g := index[id.traits()]
			age := time.Duration(0)
			if g.Oldest.Known() {
				age = g.Oldest.AtLeast + 1
			}
			if g.Count != counts[values] || age != oldest[values] {
				t.Fatalf("%v %q: %d, %v; want %d, %v", keys, values, g.Count, age, counts[values], oldest[values])
			}
		}
	}
}

// TestTopIsTheSameInAnyOrder adds the same sockets in two orders: groups, their order and their ages must be equal.
func TestTopIsTheSameInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 0))
	for seed := range uint64(200) {
		keys, sockets := someKeys(random), sampleSockets(seed, 1000)
		one, two := New(keys), New(keys)
		for i := range sockets {
			one.Add(&sockets[i])
		}
		random.Shuffle(len(sockets), func(i, j int) { sockets[i], sockets[j] = sockets[j], sockets[i] })
		for i := range sockets {
			two.Add(&sockets[i])
		}
		all, _, _ := one.Top(0)
		for _, n := range []int{-1, 1, 3, one.Len() - 1, one.Len(), one.Len() + 1} {
			groups, others, ok := two.Top(n)
			wanted := all
			if n > 0 {
				wanted = all[:min(n, len(all))]
			} else if n == 0 {
				continue
			}
			if !slices.Equal(groups, wanted) || ok != (len(wanted) < len(all)) {
				t.Fatalf("%v: Top(%d) = %v, %t, want %v", keys, n, groups, ok, wanted)
			}
			var rest Group
			for i := range all[len(wanted):] {
				left := &all[len(wanted)+i]
				rest.Count += left.Count
				rest.Oldest = older(rest.Oldest, left.Oldest)
			}
			if others != rest {
				t.Fatalf("%v: Top(%d): others are %v, want %v", keys, n, others, rest)
			}
		}
	}
}

func TestTopOrder(t *testing.T) {
	b := New([]Key{ByLocalPort, ByProcess})
	for _, add := range []struct {
		port  uint16
		comm  string
		times int
	}{
		{1000, "b", 2},
		{80, "b", 2},
		{80, "a", 2},
		{9, "z", 3},
		{22, "", 1},
	} {
		for range add.times {
			s := tcp.Socket{Local: netip.AddrPortFrom(netip.IPv4Unspecified(), add.port), Comm: commOf(add.comm)}
			if add.comm != "" {
				s.PID = 1
			}
			b.Add(&s)
		}
	}
	groups, others, ok := b.Top(4)
	var got []string
	for _, g := range groups {
		got = append(got, fmt.Sprint(g.Values(b.Keys(), Names{}), g.Count))
	}
	if want := []string{"[9 z] 3", "[80 a] 2", "[80 b] 2", "[1000 b] 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !ok || others.Count != 1 {
		t.Errorf("others: %v, %t", others, ok)
	}
}

// TestManyGroups has more groups than the first table holds, each several times.
func TestManyGroups(t *testing.T) {
	const many, times = 10_000, 3
	b := New([]Key{ByPID, ByCgroup})
	for range times {
		for pid := range uint32(many) {
			b.Add(&tcp.Socket{PID: pid, CgroupID: uint64(many - pid)})
		}
	}
	groups, _, ok := b.Top(0)
	if len(groups) != many || b.Len() != many || b.Total() != many*times || ok {
		t.Fatalf("%d groups, Len %d, Total %d, others %t", len(groups), b.Len(), b.Total(), ok)
	}
	for i, g := range groups {
		if g.Count != times || g.PID != uint32(i) || g.CgroupID != uint64(many-i) {
			t.Fatalf("group %d is %+v", i, g)
		}
	}
}

func TestEmptyBreakdown(t *testing.T) {
	groups, others, ok := New(everyKey).Top(10)
	if len(groups) != 0 || others != (Group{}) || ok {
		t.Errorf("got %v, %v, %t", groups, others, ok)
	}
}

func TestOldest(t *testing.T) {
	unknown := tcp.Age{}
	exact := tcp.ExactAge(tcp.AgeTraced, time.Second)
	atLeast := tcp.Age{Source: tcp.AgeLastAck, AtLeast: time.Second, AtMost: tcp.Unknown}
	longer := tcp.Age{Source: tcp.AgeLastAck, AtLeast: 2 * time.Second, AtMost: 5 * time.Second}
	atMost := tcp.Age{Source: tcp.AgeLastData, AtMost: time.Minute}
	for _, test := range []struct {
		ages []tcp.Age
		want tcp.Age
	}{
		{[]tcp.Age{unknown}, unknown},
		{[]tcp.Age{unknown, atMost, unknown}, atMost},
		{[]tcp.Age{atMost, exact}, exact},
		{[]tcp.Age{atLeast, exact}, exact},
		{[]tcp.Age{exact, longer, atLeast}, longer},
		{[]tcp.Age{tcp.ExactAge(tcp.AgeKernel, time.Second), exact}, exact},
	} {
		b := New([]Key{ByState})
		for _, age := range test.ages {
			b.Add(&tcp.Socket{Age: age})
		}
		if groups, _, _ := b.Top(0); groups[0].Oldest != test.want {
			t.Errorf("oldest of %v is %v, want %v", test.ages, groups[0].Oldest, test.want)
		}
	}
}

func TestValues(t *testing.T) {
	full := tcp.Socket{
		State: tcp.CloseWait, Local: netip.MustParseAddrPort("10.0.0.1:443"), Remote: netip.MustParseAddrPort("[2001:db8::1]:5000"),
		PID: 77, Comm: commOf("a\x1b[2Jb\xff"), UID: 0, CgroupID: 4242, NetNS: 4026531840,
	}
	minisock := tcp.Socket{State: tcp.TimeWait, Kind: tcp.Minisock}
	zombie := tcp.Socket{State: tcp.Close, Zombie: true, PID: 5}
	names := Names{
		NetNS:  func(inode uint32) string { return fmt.Sprintf("ns\n%d", inode%10) },
		Cgroup: func(uint64) string { return "" },
	}
	for _, test := range []struct {
		s     tcp.Socket
		names Names
		want  []string
	}{
		{full, Names{}, []string{
			"CLOSE_WAIT", "2001:db8::1", "5000", "10.0.0.1", "443", "a?[2Jb?", "77", "0", "4242", "4026531840",
		}},
		{full, names, []string{
			"CLOSE_WAIT", "2001:db8::1", "5000", "10.0.0.1", "443", "a?[2Jb?", "77", "0", "4242", "ns?0",
		}},
		{minisock, names, []string{"TIME_WAIT", "", "", "", "", "", "", "", "", ""}},
		{zombie, names, []string{"ZOMBIE", "", "", "", "", `""`, "5", "0", "", ""}},
	} {
		b := New(everyKey)
		b.Add(&test.s)
		groups, _, _ := b.Top(0)
		if got := groups[0].Values(everyKey, test.names); !slices.Equal(got, test.want) {
			t.Errorf("got %q, want %q", got, test.want)
		}
		for _, k := range everyKey {
			if _, ok := groups[0].Number(k); ok && !k.Number() {
				t.Errorf("%s has a number and is none", k)
			}
		}
	}
}

// TestGarbageBehindANameDoesNotPartAGroup has names as the kernel may leave them when a shorter one replaces a longer.
func TestGarbageBehindANameDoesNotPartAGroup(t *testing.T) {
	b := New([]Key{ByProcess})
	b.Add(&tcp.Socket{PID: 1, Comm: tcp.Comm{'a', 0, 'x', 'y'}})
	b.Add(&tcp.Socket{PID: 2, Comm: tcp.Comm{'a'}})
	b.Add(&tcp.Socket{PID: 0, Comm: tcp.Comm{'a'}})
	if b.Len() != 2 {
		t.Errorf("%d groups, want a and those without owner", b.Len())
	}
}

func TestAddAllocatesForGroupsOnly(t *testing.T) {
	sockets := sampleSockets(1, 100)
	b := New(everyKey)
	add := func() {
		for i := range sockets {
			b.Add(&sockets[i])
		}
	}
	add()
	if n := testing.AllocsPerRun(10, add); n != 0 {
		t.Errorf("%v allocations for known groups", n)
	}
}

func BenchmarkBreakdown(b *testing.B) {
	sockets := manySockets()
	for _, keys := range [][]Key{{ByState}, {ByState, ByProcess}, {ByRemoteAddr}, {ByRemoteAddr, ByRemotePort}, everyKey} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				breakdown := New(keys)
				for i := range sockets {
					breakdown.Add(&sockets[i])
				}
				breakdown.Top(10)
			}
		})
	}
}
