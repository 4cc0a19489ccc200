package filter

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestMain(m *testing.M) { os.Exit(nettest.Main(m)) }

// ssLines are filters that ss takes. It asks the kernel and then judges again by itself, and selects what both do, which
// is no logic where the two disagree; what depends on that is not here:
//   - by itself it compares IPv4 networks with the first bytes of IPv6 addresses, too, and takes 0/0 and ::/0 for any
//     address, which shows under not, and beside dev, which the kernel does not know;
//   - by itself it calls autobound what has a port of the range for connecting, the kernel what no bind() chose, so that
//     accepted sockets are neither autobound nor `not autobound`, which we call the latter;
//   - of the addresses of a name it gives the kernel the first alone.
//
// Also, inet: and inet6: apply to the whole line, and where no state is left it falls back to its default.
var ssLines = []string{
	"",
	"state established ( dport = :ssh or sport = :ssh )",
	"state fin-wait-1 ( sport = :http or sport = :https ) dst 193.233.7/24",
	"state fin-wait-2 ( sport neq :http and sport neq :https ) or not dport 8080",
	"exclude SYN-RECV", "excl fin-wait-2", "state time-wait", "state syn-recv", "state syn-sent", "state close-wait",
	"state listening", "state closed", "state connected", "state synchronized", "state bucket", "state big", "state all",
	"state established state close-wait", "state connected exclude established", "exclude listening exclude established",
	"exclude listening state listening", "state big exclude established sport 22", "state established exclude established state listening",
	"state listening sport = 22 or sport = 80", "state LISTENING sport = 22", "state unconnected",
	"sport = 22 or sport = 80 and dport = 0", "sport = 22 or sport = 80 and dport = 1", "dport = 1 and sport = 22 or sport = 80",
	"sport = 22 or sport = 80 dport = 1", "not sport = 22 and sport = 80", "not ( sport = 22 or sport = 80 )", "! ! sport = 22",
	"sport = :22 || sport = :80 && ! dport = 0", "sport 22 | sport 80 & dport 0", "( ( sport 22 ) )",
	"sport = 22", "sport = :22", "sport :22", "sport 22", "sport == 22", "sport eq 22", "sport ne 22", "sport neq :22", "sport != 22",
	"sport < 80", "sport lt 80", "sport <= 80", "sport le 80", "sport leq 80", "sport > 80", "sport gt 80", "sport >= 80",
	"sport ge 80", "sport geq 80", "dport != :22", "dport < 5", "dport <= 0", "dport = 0", "dport > 0", "not dport > 0",
	"sport = 0x16", "sport = :ssh", "dport = *", "dport != *", "dport = :*",
	"dst 127.0.0.1", "dst 127.0.0.1:", "dst 127.0.0.1/32:", "dst 127.0.0.1:*", "dst [127.0.0.1]", "dst 127.0.0.1:22",
	"src 127.0.0.0/8:22", "src 127/8", "src 127.0/16", "src = 127/8", "src 0/0", "dst 0/0", "src ::/0", "dst ::/0", "src ::1/128",
	"src ::1:22", "dst ::1:8080", "src ::1:026", "src 127.0.0.1/255.0.0.0", "src 127.0.0.1/255.255.255.255:22", "src 10.9/255.255.0.0",
	"src 127.1", "src 127.0.1", "sport = 026", "src :0120", "sport = 0X16", "fwmark 05/0377",
	"src [::1]", "src [::1]:22", "src [::ffff:127.0.0.0/104]", "src [::ffff:127.0.0.1]:8080", "src [::]:8080", "src [::]", "src 0.0.0.0",
	"src *", "src *:22", "src *22", "src :22", "src = :22", "src any", "src all", "src default", "dst :80",
	"src inet:*", "src inet6:*", "src inet:127/8", "src inet6:[::1]", "dport inet6::22", "sport inet:22", "dst inet:localhost",
	"dst 10.9.8.0/24", "dst 10.9.8.2:7000 or src [::1]:22",
	"fwmark = 0x01/0x03", "fwmark 5", "fwmark != 5", "fwmark = 0x4/0x4 and sport > 1024", "not fwmark 0", "fwmark 0x10/0xf0",
	"dev lo", "dev = lo", "dev != lo", "dev 1", "dev 0", "dev lo and dport = 22", "not dev lo",
	"autobound", "autobound dport = 22",
}

var ssCookie = regexp.MustCompile(`\bsk:([0-9a-f]+)`)

// ssSelects returns the cookies of what ss selects; false when it refuses the line.
func ssSelects(t *testing.T, ns *nettest.NS, line string) ([]uint64, bool) {
	t.Helper()
	var out []byte
	err := ns.Do(func() (err error) {
		args := append([]string{"-tanHeO"}, strings.Fields(line)...)
		out, err = exec.Command("ss", args...).Output()
		return err
	})
	if err != nil {
		return nil, false
	}
	var cookies []uint64
	for _, match := range ssCookie.FindAllSubmatch(out, -1) {
		cookie, err := strconv.ParseUint(string(match[1]), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		cookies = append(cookies, cookie)
	}
	slices.Sort(cookies)
	return cookies, true
}

// stage makes sockets of many kinds, and returns those that were bound to lo and marked with 5.
func stage(t *testing.T, ns *nettest.NS) (marked, bound *nettest.Conn) {
	t.Helper()
	a := nettest.InProcess(t, ns)
	listen := func(addr string) *nettest.Conn { return a.Listen(netip.MustParseAddrPort(addr), 8) }
	ssh, ssh6, web, dual := listen("127.0.0.1:22"), listen("[::1]:22"), listen("0.0.0.0:80"), listen("[::]:8080")
	listen("127.0.0.2:443")

	connect := func(l *nettest.Conn, to netip.AddrPort) (client, server *nettest.Conn) {
		client = a.Dial(to)
		return client, l.Accept()
	}
	connect(ssh, ssh.Local())
	connect(ssh6, ssh6.Local())
	connect(web, nettest.Loopback4(80))
	connect(web, nettest.Mapped4(80))
	connect(dual, nettest.Loopback4(8080))
	connect(dual, nettest.Loopback6(8080))

	wait := func(c *nettest.Conn, state nettest.State) {
		if _, err := ns.WaitSocket(c.Cookie(), state); err != nil {
			t.Fatal(err)
		}
	}
	client, _ := connect(ssh, ssh.Local()) // FIN_WAIT2 that is held, and CLOSE_WAIT
	client.Shutdown()
	wait(client, nettest.FinWait2)
	client, _ = connect(dual, nettest.Loopback6(8080)) // FIN_WAIT2 as a minisock, and CLOSE_WAIT
	client.Close()
	wait(client, nettest.FinWait2)
	for _, to := range []netip.AddrPort{nettest.Loopback4(8080), nettest.Loopback6(8080)} {
		client, server := connect(dual, to)
		client.Close()
		server.WaitState(nettest.CloseWait)
		server.Close()
		wait(client, nettest.TimeWait)
	}

	marked, bound = a.Open(syscall.AF_INET), a.Open(syscall.AF_INET)
	const soMark = 36 // SO_MARK of include/uapi/asm-generic/socket.h
	if err := syscall.SetsockoptInt(marked.FD(), syscall.SOL_SOCKET, soMark, 5); err != nil {
		t.Fatal(err)
	}
	if err := syscall.SetsockoptString(bound.FD(), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, "lo"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*nettest.Conn{marked, bound} {
		c.Connect(ssh.Local())
		ssh.Accept()
	}

	tun := nettest.OpenTUN(t, ns)
	a.StartDial(netip.MustParseAddrPort("10.9.8.9:80")) // SYN_SENT: nobody answers
	tun.Peer(7000).StartConnect(tun.Local(80))          // SYN_RECV: nobody goes on
	established := tun.Peer(7001)
	established.Connect(tun.Local(80))
	web.Accept()
	return marked, bound
}

// snapshot reads the namespace's sockets, and what their kind says of the rest.
func snapshot(t *testing.T, ns *nettest.NS, marked, bound *nettest.Conn) []tcp.Socket {
	t.Helper()
	infos, err := ns.Sockets()
	if err != nil {
		t.Fatal(err)
	}
	unmap := func(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
	var sockets []tcp.Socket
	for _, info := range infos {
		s := tcp.Socket{
			Cookie: info.Cookie, Local: unmap(info.Local), Remote: unmap(info.Remote), Family: tcp.Inet6,
			State: tcp.State(info.State), UID: info.UID, Inode: info.Inode, NetNS: ns.Inode(),
			Autobound: info.Local.Port() >= 32768, // stage binds below
		}
		if info.Local.Addr().Is4() {
			s.Family = tcp.Inet
		}
		switch {
		case s.State == tcp.SynRecv:
			s.Kind = tcp.Request
		case s.State == tcp.TimeWait, s.State == tcp.FinWait2 && s.Inode == 0:
			s.Kind = tcp.Minisock
		}
		switch s.Cookie {
		case marked.Cookie():
			s.Mark = 5
		case bound.Cookie():
			s.Device = 1
		}
		sockets = append(sockets, s)
	}
	return sockets
}

// randomSSLine is a line in ss's words that avoids what ssLines avoids.
func randomSSLine(r *rand.Rand) string {
	term := func() string {
		switch r.IntN(4) {
		case 0:
			return pick(r, []string{"src", "dst"}) + pick(r, []string{" ", " = "}) +
				pick(r, []string{"127/8", "[::1]", "0/0", "::/0", "10.9.8.0/24:80", "127.0.0.1:22", ":8080", "[::ffff:127.0.0.1]"})
		case 1:
			return pick(r, []string{"fwmark = 5", "not fwmark = 5", "fwmark 0/1"})
		}
		return pick(r, []string{"", "", "not ", "! "}) + pick(r, []string{"sport", "dport"}) + " " +
			pick(r, []string{"", "=", "eq", "!=", "<", ">", "le", ">="}) + " " + pick(r, []string{":22", "80", ":8080", "0", "7001"})
	}
	var list func(depth int) string
	list = func(depth int) string {
		line := term()
		for range r.IntN(4) {
			next := term()
			if depth > 0 && r.IntN(3) == 0 {
				next = "( " + list(depth-1) + " )"
			}
			line += pick(r, []string{" and ", " or ", " ", " | ", " && "}) + next
		}
		return line
	}
	line := list(2)
	for i := range r.IntN(3) {
		word := "state "
		if i > 0 && r.IntN(2) == 0 {
			word = "exclude " // not the last, so that there is a state left
		}
		line = word + pick(r, []string{"established", "listening", "connected", "bucket", "time-wait"}) + " " + line
	}
	return line
}

func TestPrivilegedAgreesWithSS(t *testing.T) {
	if _, err := exec.LookPath("ss"); err != nil {
		t.Skip("no ss here to compare with")
	}
	ns := nettest.NewNS(t)
	marked, bound := stage(t, ns)
	sockets := snapshot(t, ns, marked, bound)
	states := map[string]int{}
	for _, s := range sockets {
		states[fmt.Sprintf("%v %v %v", s.State, s.Kind, s.Family)]++
	}
	t.Logf("%d sockets: %v", len(sockets), slices.Sorted(maps.Keys(states)))

	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	lines := slices.Clone(ssLines)
	for range 150 {
		lines = append(lines, randomSSLine(r))
	}
	refused, selective := 0, 0
	for _, line := range lines {
		want, ok := ssSelects(t, ns, line)
		if !ok {
			t.Logf("ss refuses %q", line)
			refused++
			continue
		}
		x, err := Parse(line, testNames{})
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		var got []uint64
		for i := range sockets {
			if x.MatchSocket(&sockets[i], nil) {
				got = append(got, sockets[i].Cookie)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: %q selects\n%s but ss selects\n%s", seed, line, show(sockets, got), show(sockets, want))
		}
		selective += one(len(want) > 0 && len(want) < len(sockets))
	}
	if refused > len(ssLines)/4 || selective < len(lines)/2 {
		t.Errorf("ss refuses %d of %d lines, %d select some: proves too little", refused, len(lines), selective)
	}
}

func show(sockets []tcp.Socket, cookies []uint64) string {
	var text strings.Builder
	for _, s := range sockets {
		if slices.Contains(cookies, s.Cookie) {
			fmt.Fprintf(&text, "\t%x %v %v %v\n", s.Cookie, s.State, s.Local, s.Remote)
		}
	}
	return text.String()
}
