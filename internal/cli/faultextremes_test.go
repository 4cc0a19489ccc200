package cli

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// extremes are addresses at the ends of their ranges, and the longest to write.
var extremes = []string{
	"0.0.0.1", "1.0.0.0", "127.255.255.254", "223.255.255.255", "255.255.255.254",
	"::2", "1::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "2001:db8:1111:2222:3333:4444:5555:6666",
	"64:ff9b::255.255.255.255",
}

// Ports and addresses at their extremes are told as they are, by every command that shows them, and found by filters.
func TestPrivilegedExtremeAddresses(t *testing.T) {
	ns := nettest.NewNS(t)
	server, client := nettest.StartActor(t, ns, "server"), nettest.StartActor(t, ns, "client")
	live := trace(t, nil, inNS(ns, "trace", "-o", "json")[1:]...)
	tables := trace(t, nil, inNS(ns, "trace", "-o", "wide", "--no-header")[1:]...)
	for _, text := range extremes {
		addr := netip.MustParseAddr(text)
		ns.AddAddr(t, addr)
		low, high := netip.AddrPortFrom(addr, 1), netip.AddrPortFrom(addr, 65535)
		family := map[bool]int{true: 2, false: 10}[addr.Is4()] // AF_INET, AF_INET6
		l := server.Listen(low, 1)
		c := client.Open(family)
		c.Bind(high)
		c.Connect(low)
		s := l.Accept()

		want := fmt.Sprintf(`"laddr":%q,"lport":1,"raddr":%q,"rport":65535,"state":"ESTABLISHED"`, addr, addr)
		for _, args := range [][]string{
			{"--local", text, "-L", "1", "-D", "65535"},
			{"--remote", text, "--state", "ESTABLISHED", "-L", "1"},
			{"src", netip.AddrPortFrom(addr, 1).String(), "and", "dport", "=", "65535"},
			{"dst", text, "and", "sport", "lt", "2", "state", "established"},
		} {
			got := ran(t, inNS(ns, append([]string{"list", "-o", "json"}, args...)...)...)
			if strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
				t.Errorf("%q: want %s: %s", args, want, got)
			}
		}
		if got := ran(t, inNS(ns, "count", "ESTABLISHED", "--remote", text)...); got != "2\n" {
			t.Errorf("count of %s: %q", text, got)
		}
		if got := ran(t, inNS(ns, "list", "--local", text)...); !strings.Contains(got, low.String()+" ") || !strings.Contains(got, high.String()+" ") {
			t.Errorf("table: no %v and %v: %s", low, high, got)
		}
		c.Shutdown()
		s.WaitState(nettest.CloseWait)
		s.Close()
		c.WaitState(nettest.Close)
		c.Close()
		l.Close()
	}
	live.stop()
	tables.stop()
	rows := parseRows(t, live.stdout.String())
	for _, text := range extremes {
		addr, n := netip.MustParseAddr(text), 0
		for _, row := range rows {
			if row.LAddr == addr.String() && row.New == "CLOSE_WAIT" && row.LPort != nil && *row.LPort == 1 && row.RPort != nil && *row.RPort == 65535 {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s came to CLOSE_WAIT %d times", text, n)
		}
		if !strings.Contains(tables.stdout.String(), netip.AddrPortFrom(addr, 65535).String()+" ") {
			t.Errorf("table: no %s", text)
		}
	}
}
