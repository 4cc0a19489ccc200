package tcp

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

func TestEventIsIPv4(t *testing.T) {
	tests := []struct {
		name          string
		family        Family
		local, remote string
		want          bool
	}{
		{"IPv4", Inet, "10.0.0.1:443", "10.0.0.2:50000", true},
		{"IPv6", Inet6, "[2001:db8::1]:443", "[2001:db8::2]:50000", false},
		{"v4-mapped, as decoded", Inet6, "10.0.0.1:443", "10.0.0.2:50000", true},
		{"v4-mapped, connecting from no address yet", Inet6, "[::]:0", "10.0.0.2:443", true},
		{"IPv6, connecting from no address yet", Inet6, "[::]:0", "[::1]:443", false},
		{"listener on 0.0.0.0", Inet, "0.0.0.0:80", "0.0.0.0:0", true},
		{"listener on [::]", Inet6, "[::]:80", "[::]:0", false},
		{"listener on ::ffff:127.0.0.1", Inet6, "127.0.0.1:80", "[::]:0", true},
	}
	for _, test := range tests {
		e := Event{
			Family: test.family,
			Local:  netip.MustParseAddrPort(test.local),
			Remote: netip.MustParseAddrPort(test.remote),
		}
		if got := e.IsIPv4(); got != test.want {
			t.Errorf("%s: IsIPv4() = %t, want %t", test.name, got, test.want)
		}
	}
	if new(Event).IsIPv4() {
		t.Error("an event without addresses is IPv4")
	}
}

func TestCommBytes(t *testing.T) {
	tests := []struct{ kept, want string }{
		{"", ""},
		{"nginx", "nginx"},
		{"NetworkManager-", "NetworkManager-"}, // 15 bytes, all that the kernel keeps
		{"sixteen bytes ok", "sixteen bytes ok"},
		{"short\x00stale tail", "short"},
		{"\x00stale", ""},
		{"\x1b[31m\n\xff", "\x1b[31m\n\xff"},
	}
	for _, test := range tests {
		var comm Comm
		copy(comm[:], test.kept)
		if got := comm.Bytes(); string(got) != test.want {
			t.Errorf("%q: Bytes() = %q, want %q", test.kept, got, test.want)
		}
	}
}

func TestCommBytesIsASlice(t *testing.T) {
	comm := Comm{'a', 'b'}
	comm.Bytes()[1] = 'c'
	if comm[1] != 'c' {
		t.Error("Bytes returned a copy")
	}
	if n := testing.AllocsPerRun(100, func() { comm.Bytes() }); n != 0 {
		t.Errorf("Bytes allocates %v times", n)
	}
}

func FuzzCommBytes(f *testing.F) {
	for _, seed := range []string{"", "sshd", "a\x00b", strings.Repeat("x", 16)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, kept []byte) {
		var comm Comm
		copy(comm[:], kept)
		name := comm.Bytes()
		if !bytes.HasPrefix(comm[:], name) || bytes.IndexByte(name, 0) >= 0 {
			t.Fatalf("%q: Bytes() = %q", kept, name)
		}
		if len(name) < len(comm) && comm[len(name)] != 0 {
			t.Fatalf("%q: Bytes() = %q stops short of the terminator", kept, name)
		}
	})
}

func TestFamilyString(t *testing.T) {
	for family, want := range map[Family]string{Inet: "inet", Inet6: "inet6", 0: "unknown", 1: "unknown"} {
		if got := family.String(); got != want {
			t.Errorf("Family(%d).String() = %q, want %q", uint8(family), got, want)
		}
	}
}

func TestUnknownIsNoDuration(t *testing.T) {
	if Unknown >= 0 {
		t.Errorf("Unknown = %v can be mistaken for a measured time", Unknown)
	}
}
