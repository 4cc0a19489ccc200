package kernel

import (
	"net/netip"
	"os/exec"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestParsePortRange(t *testing.T) {
	for text, want := range map[string]portRange{
		"32768\t60999\n": {32768, 60999}, "1 65535": {1, 65535}, "": {}, "1": {}, "1 2 3": {}, "a 2": {}, "1 70000": {}, "-1 2": {},
	} {
		if got, ok := parsePortRange(text); ok != (want != portRange{}) || ok && got != want {
			t.Errorf("%q is %v, %v", text, got, ok)
		}
	}
}

func TestAutobound(t *testing.T) {
	ranges := portRanges{1: {32768, 60999}, 2: everyPort}
	for _, tt := range []struct {
		name  string
		netns uint32
		kind  tcp.Kind
		flag  bool
		port  uint16
		want  bool
	}{
		{"a client's", 1, tcp.Full, true, 40000, true},
		{"a server's, which has no lock of its own", 1, tcp.Full, true, 80, false},
		{"bound in the range", 1, tcp.Full, false, 40000, false},
		{"without a port", 1, tcp.Full, true, 0, false},
		{"the client's in TIME_WAIT", 1, tcp.Minisock, false, 40000, true},
		{"the server's in TIME_WAIT", 1, tcp.Minisock, false, 80, false},
		{"a client's where the range is not known", 2, tcp.Full, true, 40000, true},
		{"in TIME_WAIT there", 2, tcp.Minisock, false, 40000, false},
		{"where nobody was", 3, tcp.Full, true, 40000, true},
	} {
		s := []tcp.Socket{{NetNS: tt.netns, Kind: tt.kind, Autobound: tt.flag, Local: netip.AddrPortFrom(netip.IPv4Unspecified(), tt.port)}}
		if ranges.settle(s); s[0].Autobound != tt.want {
			t.Errorf("%s: %v", tt.name, s[0].Autobound)
		}
	}
}

// Autobound is what ss calls autobound, in the namespace's own range.
func TestPrivilegedAutoboundAgreesWithSS(t *testing.T) {
	if _, err := exec.LookPath("ss"); err != nil {
		t.Skip("no ss here to compare with")
	}
	ns := nettest.NewNS(t)
	if err := ns.Sysctl("net.ipv4.ip_local_port_range", "20000 20999"); err != nil {
		t.Fatal(err)
	}
	a := nettest.InProcess(t, ns)
	l := a.Listen(nettest.Loopback4(80), 4)
	a.Listen(nettest.Loopback4(20500), 1) // bound, though in the range
	client := a.Dial(l.Local())
	server := l.Accept()
	leaveTimeWait(t, ns)

	rows, err := ns.SS("autobound")
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]bool{}
	for i := range rows {
		want[rows[i].Cookie] = true
	}
	if !want[client.Cookie()] || want[server.Cookie()] || len(want) < 2 {
		t.Fatalf("ss calls autobound %v", want)
	}
	seen := look(t, ns, SnapshotOptions{}).sockets
	for i := range seen {
		if s := &seen[i]; s.Autobound != want[s.Cookie] {
			t.Errorf("%v %v %v: autobound is %v, for ss %v", s.State, s.Local, s.Remote, s.Autobound, want[s.Cookie])
		}
	}
}
