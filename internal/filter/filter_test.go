package filter

import (
	"net/netip"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// sample is nginx (pid 100), listening on 80 and 443, closing a connection from 198.51.100.7.
func sample() tcp.Event {
	return tcp.Event{
		Local:    netip.MustParseAddrPort("10.1.2.3:443"),
		Remote:   netip.MustParseAddrPort("198.51.100.7:50000"),
		Family:   tcp.Inet,
		Old:      tcp.CloseWait,
		New:      tcp.LastAck,
		PID:      100,
		Comm:     comm("nginx"),
		NetNS:    4026531840,
		CgroupID: 77,
	}
}

func comm(name string) (c tcp.Comm) {
	copy(c[:], name)
	return c
}

func mustPorts(tb testing.TB, text string) *Ports {
	tb.Helper()
	ports, err := ParsePorts(text)
	if err != nil {
		tb.Fatal(err)
	}
	return ports
}

func mustPrefixes(tb testing.TB, texts ...string) []netip.Prefix {
	tb.Helper()
	var prefixes []netip.Prefix
	for _, text := range texts {
		prefix, err := ParsePrefix(text)
		if err != nil {
			tb.Fatal(err)
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes
}

// fullFilter sets every condition, each so that it takes more than one look to find that sample passes.
func fullFilter(tb testing.TB) *Filter {
	return &Filter{
		PIDs:        []uint32{1, 50, 100},
		Comms:       []string{"envoy", "haproxy", "ngin?"},
		LocalPorts:  mustPorts(tb, "80,443"),
		RemotePorts: mustPorts(tb, "32768-60999"),
		Local:       mustPrefixes(tb, "2001:db8::/32", "10/8"),
		Remote:      mustPrefixes(tb, "192.0.2.0/24", "198.51.100.0/24"),
		Version:     V4,
		NetNS:       []uint32{4026532000, 4026531840},
		Cgroups:     []uint64{1},
		States:      tcp.SetOf(tcp.CloseWait),
		Old:         tcp.SetOf(tcp.Established, tcp.CloseWait),
		New:         tcp.SetOf(tcp.LastAck, tcp.Close),
	}
}

// A condition that the kernel decides must never be decided by MatchRest, and the other way round: rest is true for
// those that MatchRest decides.
func TestFilterConditions(t *testing.T) {
	tests := []struct {
		name   string
		filter Filter
		want   bool
		rest   bool
	}{
		{name: "zero", want: true},
		{name: "pid", filter: Filter{PIDs: []uint32{100}}, want: true},
		{name: "one of the pids", filter: Filter{PIDs: []uint32{1, 100}}, want: true},
		{name: "other pid", filter: Filter{PIDs: []uint32{1, 2}}},
		{name: "comm", filter: Filter{Comms: []string{"nginx"}}, want: true, rest: true},
		{name: "one of the comms", filter: Filter{Comms: []string{"envoy", "nginx"}}, want: true, rest: true},
		{name: "comm pattern", filter: Filter{Comms: []string{"ng*"}}, want: true, rest: true},
		{name: "other comm", filter: Filter{Comms: []string{"ngin"}}, rest: true},
		{name: "local port", filter: Filter{LocalPorts: mustPorts(t, "80,443")}, want: true},
		{name: "remote port given as local", filter: Filter{LocalPorts: mustPorts(t, "50000")}},
		{name: "no local ports", filter: Filter{LocalPorts: new(Ports)}},
		{name: "remote port", filter: Filter{RemotePorts: mustPorts(t, "1-65535")}, want: true},
		{name: "local port given as remote", filter: Filter{RemotePorts: mustPorts(t, "443")}},
		{name: "local", filter: Filter{Local: mustPrefixes(t, "10/8")}, want: true, rest: true},
		{name: "other local", filter: Filter{Local: mustPrefixes(t, "198.51.100.7")}, rest: true},
		{name: "remote", filter: Filter{Remote: mustPrefixes(t, "::1", "198.51.100.7")}, want: true, rest: true},
		{name: "other remote", filter: Filter{Remote: mustPrefixes(t, "10/8")}, rest: true},
		{name: "IPv6 prefix of length 0", filter: Filter{Remote: mustPrefixes(t, "::/0")}, rest: true},
		{name: "IPv4", filter: Filter{Version: V4}, want: true},
		{name: "IPv6", filter: Filter{Version: V6}},
		{name: "namespace", filter: Filter{NetNS: []uint32{5, 4026531840}}, want: true},
		{name: "other namespace", filter: Filter{NetNS: []uint32{5}}},
		{name: "cgroup, left to the kernel", filter: Filter{Cgroups: []uint64{5}}, want: true},
		{name: "old state as either", filter: Filter{States: tcp.SetOf(tcp.CloseWait)}, want: true},
		{name: "new state as either", filter: Filter{States: tcp.SetOf(tcp.LastAck)}, want: true},
		{name: "neither state", filter: Filter{States: tcp.SetOf(tcp.Established, tcp.Close)}},
		{name: "old state", filter: Filter{Old: tcp.SetOf(tcp.CloseWait)}, want: true},
		{name: "new state given as old", filter: Filter{Old: tcp.SetOf(tcp.LastAck)}},
		{name: "new state", filter: Filter{New: tcp.SetOf(tcp.LastAck)}, want: true},
		{name: "old state given as new", filter: Filter{New: tcp.SetOf(tcp.CloseWait)}},
		{name: "all of it", filter: *fullFilter(t), want: true, rest: true},
	}
	for _, test := range tests {
		e := sample()
		if got := test.filter.Match(&e); got != test.want {
			t.Errorf("%s: Match = %t, want %t", test.name, got, test.want)
		}
		if got, want := test.filter.MatchRest(&e), test.want || !test.rest; got != want {
			t.Errorf("%s: MatchRest = %t, want %t", test.name, got, want)
		}
	}
}

// TestFilterIsConjunction breaks each condition of a full filter in turn.
func TestFilterIsConjunction(t *testing.T) {
	breaks := map[string]func(e *tcp.Event){
		"pid":         func(e *tcp.Event) { e.PID = 101 },
		"comm":        func(e *tcp.Event) { e.Comm = comm("nginxx") },
		"local port":  func(e *tcp.Event) { e.Local = netip.MustParseAddrPort("10.1.2.3:444") },
		"remote port": func(e *tcp.Event) { e.Remote = netip.MustParseAddrPort("198.51.100.7:80") },
		"local":       func(e *tcp.Event) { e.Local = netip.MustParseAddrPort("11.1.2.3:443") },
		"remote":      func(e *tcp.Event) { e.Remote = netip.MustParseAddrPort("198.51.101.7:50000") },
		"namespace":   func(e *tcp.Event) { e.NetNS = 1 },
		"old":         func(e *tcp.Event) { e.Old = tcp.FinWait1 },
		"new":         func(e *tcp.Event) { e.New = tcp.FinWait1 },
		"states":      func(e *tcp.Event) { e.Old = tcp.Established },
		"version": func(e *tcp.Event) {
			e.Local = netip.MustParseAddrPort("[2001:db8::1]:443")
			e.Remote = netip.MustParseAddrPort("[2001:db8::2]:50000")
		},
	}
	filter := fullFilter(t)
	for name, spoil := range breaks {
		e := sample()
		spoil(&e)
		if filter.Match(&e) {
			t.Errorf("%s does not fit, and yet it matches", name)
		}
	}
}

func TestFilterUnknownOwner(t *testing.T) {
	filters := map[string]Filter{
		"pid":      {PIDs: []uint32{100}},
		"pid zero": {PIDs: []uint32{0}},
		"comm":     {Comms: []string{""}},
		"any comm": {Comms: []string{"*"}},
	}
	e := sample()
	e.PID, e.Comm = 0, tcp.Comm{}
	for name, filter := range filters {
		if filter.Match(&e) {
			t.Errorf("%s matches an unknown owner", name)
		}
	}
	if !new(Filter).Match(&e) {
		t.Error("an unknown owner is filtered though nobody asked for one")
	}
}

func TestFilterUnknownPort(t *testing.T) {
	e := sample()
	e.Local = netip.MustParseAddrPort("0.0.0.0:0")
	e.Remote = netip.MustParseAddrPort("0.0.0.0:0")
	all := mustPorts(t, "1-65535")
	if (&Filter{LocalPorts: all}).Match(&e) {
		t.Error("a local port that is not known yet matches")
	}
	if (&Filter{RemotePorts: all}).Match(&e) {
		t.Error("a remote port that there is not matches")
	}
}

// The addresses are those of an event: unmapped. Compare carries_ipv4() in bpf/filter.h.
func TestFilterVersion(t *testing.T) {
	tests := []struct {
		name          string
		family        tcp.Family
		local, remote string
		want          IPVersion
	}{
		{"IPv4", tcp.Inet, "10.0.0.1:80", "10.0.0.2:50000", V4},
		{"IPv4 listener", tcp.Inet, "0.0.0.0:80", "0.0.0.0:0", V4},
		{"IPv6", tcp.Inet6, "[2001:db8::1]:80", "[2001:db8::2]:50000", V6},
		{"dual-stack listener", tcp.Inet6, "[::]:80", "[::]:0", V6},
		{"its client over IPv4", tcp.Inet6, "10.0.0.1:80", "10.0.0.2:50000", V4},
		{"v4-mapped listener", tcp.Inet6, "127.0.0.1:80", "[::]:0", V4},
		{"IPv6 socket connecting over IPv4", tcp.Inet6, "[::]:0", "10.0.0.2:80", V4},
	}
	for _, test := range tests {
		e := tcp.Event{
			Family: test.family,
			Local:  netip.MustParseAddrPort(test.local),
			Remote: netip.MustParseAddrPort(test.remote),
		}
		for _, version := range []IPVersion{Any, V4, V6} {
			want := version == Any || version == test.want
			if got := (&Filter{Version: version}).Match(&e); got != want {
				t.Errorf("%s: Version %d: Match = %t, want %t", test.name, version, got, want)
			}
		}
	}
}

func TestFilterAllocatesNothing(t *testing.T) {
	e := sample()
	hostile := sample()
	hostile.Comm = comm("\xff\xfe[\x1b*?\\")
	for name, filter := range map[string]*Filter{"zero": {}, "full": fullFilter(t)} {
		for _, event := range []*tcp.Event{&e, &hostile} {
			if n := testing.AllocsPerRun(100, func() { filter.Match(event) }); n != 0 {
				t.Errorf("%s filter: Match allocates %v times", name, n)
			}
			if n := testing.AllocsPerRun(100, func() { filter.MatchRest(event) }); n != 0 {
				t.Errorf("%s filter: MatchRest allocates %v times", name, n)
			}
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	e := sample()
	for name, filter := range map[string]*Filter{"zero": {}, "full": fullFilter(b)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				filter.Match(&e)
			}
		})
	}
}

func BenchmarkMatchRest(b *testing.B) {
	e := sample()
	for name, filter := range map[string]*Filter{"zero": {}, "full": fullFilter(b)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				filter.MatchRest(&e)
			}
		})
	}
}
