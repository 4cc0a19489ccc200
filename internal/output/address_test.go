package output

import (
	"net/netip"
	"testing"
)

func TestAppendAddr(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "127.0.0.1", "9.10.99.100", "255.255.255.255", "192.168.10.25",
		"::", "::1", "1::", "1::8", "fe80::1", "2001:db8::25", "2001:db8:0:1:1:1:1:1", "2001:0:0:1::1", "2001::1:0:0:1",
		"0:1:2:3:4:5:6:0", "1:0:0:4:5:0:0:0", "::2:3:4:5:6:7:8", "1:2:3:4:5:6::", "::ffff:10.0.0.7", "64:ff9b::a00:7",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:85a3:8d3:1319:8a2e:370:7348",
	} {
		a := netip.MustParseAddr(text)
		if got, want := string(appendAddr([]byte("x"), a)), "x"+a.String(); got != want {
			t.Errorf("appendAddr(%s) = %q", want, got)
		}
	}
}

func TestAppendAddrOfNothing(t *testing.T) {
	if got := appendAddr(nil, netip.Addr{}); len(got) != 0 {
		t.Errorf("the zero Addr is %q", got)
	}
	if got := string(appendAddr(nil, netip.MustParseAddr("fe80::1%\x1b[31m"))); got != "fe80::1" {
		t.Errorf("with a zone: %q", got)
	}
}

func FuzzAddr(f *testing.F) {
	f.Add([]byte{10, 0, 0, 7})
	for _, text := range []string{"::", "::ffff:0:0", "2001:db8::1:0:0:1", "0:1::"} {
		f.Add(netip.MustParseAddr(text).AsSlice())
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		a, ok := netip.AddrFromSlice(bytes)
		if !ok {
			return
		}
		got := appendAddr(make([]byte, 0, maxAddress), a)
		if string(got) != a.String() {
			t.Fatalf("appendAddr(%s) = %q", a, got)
		}
	})
}

func TestAppendEndpoint(t *testing.T) {
	for _, test := range []struct {
		in   netip.AddrPort
		want string
	}{
		{netip.MustParseAddrPort("10.0.0.7:443"), "10.0.0.7:443"},
		{netip.MustParseAddrPort("0.0.0.0:0"), "0.0.0.0:*"},
		{netip.MustParseAddrPort("[::]:0"), "[::]:*"},
		{netip.MustParseAddrPort("[2001:db8::25]:65535"), "[2001:db8::25]:65535"},
		{netip.MustParseAddrPort("[::ffff:10.0.0.7]:80"), "[::ffff:10.0.0.7]:80"},
		{netip.AddrPort{}, "-"},
	} {
		var scratch [maxEndpoint]byte
		if got := string(appendEndpoint(scratch[:0], test.in)); got != test.want {
			t.Errorf("%v is %q, want %q", test.in, got, test.want)
		}
	}
}

func TestEndpointFitsItsScratch(t *testing.T) {
	var scratch [maxEndpoint]byte
	for _, text := range []string{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:255.255.255.255", "255.255.255.255"} {
		a := netip.AddrPortFrom(netip.MustParseAddr(text), 65535)
		if allocs := testing.AllocsPerRun(10, func() { appendEndpoint(scratch[:0], a) }); allocs != 0 {
			t.Errorf("%s allocates", text)
		}
	}
}

func TestAppendShortened(t *testing.T) {
	const six = "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:443"
	for _, test := range []struct {
		in    string
		width int
		want  string
	}{
		{six, 41, "[2001:db8:85a3:8d3…319:8a2e:370:7348]:443"},
		{six, 21, "[2001:db…70:7348]:443"},
		{six, 15, "[2001…7348]:443"},
		{"203.0.113.199:61234", 15, "203.….199:61234"},
		{"203.0.113.199:61234", 7, "…:61234"},
		{"203.0.113.199:61234", 3, "…34"},
	} {
		got := string(appendShortened(nil, []byte(test.in), test.width))
		if columns(got) != test.width {
			t.Errorf("%q is %d wide, want %d", got, columns(got), test.width)
		}
		if got != test.want {
			t.Errorf("%d columns of %s: %q, want %q", test.width, test.in, got, test.want)
		}
	}
}
