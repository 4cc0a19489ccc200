package filter

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParsePrefix(t *testing.T) {
	tests := []struct{ text, want string }{
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"10.0.0.1", "10.0.0.1/32"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"10.0.0.1/32", "10.0.0.1/32"},
		{"::1", "::1/128"},
		{"::/0", "::/0"},
		{"fe80::/10", "fe80::/10"},
		{"2001:DB8:0:0::/64", "2001:db8::/64"},
		// ss's short forms
		{"192.168.1/24", "192.168.1.0/24"},
		{"172.16/12", "172.16.0.0/12"},
		{"10/8", "10.0.0.0/8"},
		{"0/0", "0.0.0.0/0"},
		{"10/24", "10.0.0.0/24"},
		{"10/32", "10.0.0.0/32"},
		// brackets, where ss has them and where URLs have them
		{"[::1]", "::1/128"},
		{"[::1/128]", "::1/128"},
		{"[::1]/128", "::1/128"},
		{"[fe80::/10]", "fe80::/10"},
		{"[10.0.0.1]", "10.0.0.1/32"},
		// v4-mapped
		{"::ffff:10.0.0.0/104", "10.0.0.0/8"},
		{"::ffff:10.0.0.1", "10.0.0.1/32"},
		{"::ffff:10.0.0.1/128", "10.0.0.1/32"},
		{"::ffff:0:0/96", "0.0.0.0/0"},
		{"[::ffff:a00:1]", "10.0.0.1/32"},
		{"::10.0.0.1", "::a00:1/128"}, // v4-compatible, which is not v4-mapped
		// host bits
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"192.168.1.77/25", "192.168.1.0/25"},
		{"2001:db8::1/32", "2001:db8::/32"},
		{"::ffff:10.1.2.3/104", "10.0.0.0/8"},
	}
	for _, test := range tests {
		prefix, err := ParsePrefix(test.text)
		if err != nil || prefix.String() != test.want {
			t.Errorf("ParsePrefix(%q) = %v, %v, want %s", test.text, prefix, err, test.want)
		}
	}
}

func TestParsePrefixRefusals(t *testing.T) {
	const (
		notAddress = "not an IP address: " + prefixExamples
		to32       = "prefix length must be 0 to 32"
		to128      = "prefix length must be 0 to 128"
		noZone     = "leave the zone out: events have none"
		brackets   = "brackets must enclose an address alone: " + prefixExamples
		mapped     = "prefix length of a v4-mapped address must be 96 to 128: or use the IPv4 network, as "
	)
	tests := []struct{ text, want string }{
		{"", notAddress},
		{"/", notAddress},
		{"/8", notAddress},
		{"example.org", notAddress},
		{"*", notAddress},
		{"10.0.0.256", notAddress},
		{"010.0.0.1", notAddress}, // 8.0.0.1 to ss
		{"10.0.0.0.0/8", notAddress},
		{"10./8", notAddress},
		{"1::2::3", notAddress},
		{"10.0.0.0,::1", notAddress},
		{" 10.0.0.1", notAddress},
		{"10.0.0.1:80", notAddress},
		{"10.0.0.1\x1b", notAddress},
		{"10.0.0.0/33", to32},
		{"10.0.0.0/", to32},
		{"10.0.0.0/-1", to32},
		{"10.0.0.0/+8", to32},
		{"10.0.0.0/08", to32},
		{"10.0.0.0/8/8", to32},
		{"10.0.0.0/255.0.0.0", to32},
		{"10/33", to32},
		{"::/129", to128},
		{"::1/x", to128},
		{"::ffff:10.0.0.0/129", to128},
		{"::ffff:10.0.0.0/8", mapped + "10.0.0.0/8"},
		{"::ffff:10.0.0.0/95", mapped + "10.0.0.0/32"},
		{"fe80::1%eth0", noZone},
		{"fe80::%1/64", noZone},
		{"[fe80::1%eth0]", noZone},
		{"[::1", brackets},
		{"[::1]:80", brackets},
		{"[::1/64]/64", brackets},
		{"[::1]]", brackets},
		{"::1]", notAddress},
		{"[]", notAddress},
		{"10", "address lacks octets: use 10.0.0.0, or a network, as 10/8"},
		{"10.8", "address lacks octets: use 10.8.0.0, or a network, as 10.8/16"},
		{"192.168.1", "address lacks octets: use 192.168.1.0, or a network, as 192.168.1/24"},
	}
	for _, test := range tests {
		prefix, err := ParsePrefix(test.text)
		if err == nil || prefix.IsValid() {
			t.Errorf("ParsePrefix(%q) = %v, want a refusal", test.text, prefix)
			continue
		}
		if reason, _ := strings.CutPrefix(err.Error(), quoted(test.text)+": "); reason != test.want {
			t.Errorf("ParsePrefix(%q): %v, want %s", test.text, err, test.want)
		}
	}
}

// quoted writes text as %q does, for texts without quotes and backslashes.
func quoted(text string) string { return `"` + strings.ReplaceAll(text, "\x1b", `\x1b`) + `"` }

// Whatever an error advises must itself be accepted.
func TestParsePrefixAdviceIsAccepted(t *testing.T) {
	advice := []string{
		"10.0.0.1", "10.0.0.0/8", "192.168.1/24", "::1", "fe80::/10", // prefixExamples
		"10.8.0.0", "10.8/16", "10/8", "10.0.0.0/32",
	}
	for _, text := range advice {
		if _, err := ParsePrefix(text); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParsePrefix(f *testing.F) {
	for _, seed := range []string{
		"10.0.0.0/8", "10.1.2.3", "10/8", "192.168.1/24", "::1", "fe80::/10", "[::1]/128", "[::1/128]", "::ffff:10.0.0.0/104",
		"::ffff:0:0/95", "fe80::1%eth0", "10.0.0.0/33", "", "[", "/", "1.2.3.4.5/8", "::/0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		prefix, err := ParsePrefix(text)
		checkAgainstNetip(t, text, prefix, err)
		if err != nil {
			return
		}
		if !prefix.IsValid() || prefix != prefix.Masked() || prefix.Addr().Is4In6() || prefix.Addr().Zone() != "" {
			t.Fatalf("%q: %s is not canonical", text, prefix)
		}
		for _, same := range []string{prefix.String(), "[" + prefix.String() + "]"} {
			if again, err := ParsePrefix(same); err != nil || again != prefix {
				t.Fatalf("%q: %s does not come back from %q: %s, %v", text, prefix, same, again, err)
			}
		}
	})
}

// checkAgainstNetip holds for the texts that netip reads itself, which are those without short forms and brackets.
func checkAgainstNetip(t *testing.T, text string, got netip.Prefix, gotErr error) {
	t.Helper()
	want, err := netip.ParsePrefix(text)
	if addr, addrErr := netip.ParseAddr(text); addrErr == nil && addr.Zone() == "" {
		want, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil {
		return
	}
	if want.Addr().Is4In6() {
		if want.Bits() < 96 {
			if gotErr == nil {
				t.Fatalf("%q = %s, want a refusal", text, got)
			}
			return
		}
		want = netip.PrefixFrom(want.Addr().Unmap(), want.Bits()-96)
	}
	if gotErr != nil || got != want.Masked() {
		t.Fatalf("%q = %s, %v, want %s", text, got, gotErr, want.Masked())
	}
}
