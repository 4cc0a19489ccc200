package filter

import (
	"fmt"
	"net/netip"
	"strings"
)

const (
	ipv4Bits   = 32
	ipv6Bits   = 128
	mappedBits = ipv6Bits - ipv4Bits // length of ::ffff:0:0, before the IPv4 address that it maps (RFC 4291, 2.5.5.2)
	ipv4Octets = 4

	prefixExamples = "use an address or a network, as 10.0.0.1, 10.0.0.0/8, 192.168.1/24, ::1 or fe80::/10"
)

// ParsePrefix reads a network in CIDR notation or one address. As ss does, it clears host bits, takes the octets that
// an IPv4 network leaves out as 0 (10/8), and accepts brackets ([::1/128]; [::1]/128 too). A v4-mapped network becomes
// the IPv4 network, because events carry addresses as they travel on the wire. Zones are refused.
func ParsePrefix(text string) (netip.Prefix, error) {
	plain, ok := withoutBrackets(text)
	if !ok {
		return netip.Prefix{}, fmt.Errorf("%q: brackets must enclose an address alone: %s", text, prefixExamples)
	}
	host, length, isNetwork := strings.Cut(plain, "/")
	if strings.Contains(host, "%") {
		return netip.Prefix{}, fmt.Errorf("%q: leave the zone out: events have none", text)
	}
	addr, err := parseHost(host, isNetwork)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q: %w", text, err)
	}
	bits := addr.BitLen()
	if isNetwork {
		if bits, err = parseLength(length, addr); err != nil {
			return netip.Prefix{}, fmt.Errorf("%q: %w", text, err)
		}
	}
	if addr.Is4In6() {
		addr, bits = addr.Unmap(), bits-mappedBits
	}
	return netip.PrefixFrom(addr, bits).Masked(), nil
}

// withoutBrackets accepts the length inside or after the brackets, and reports brackets that do not pair.
func withoutBrackets(text string) (string, bool) {
	inside, bracketed := strings.CutPrefix(text, "[")
	if !bracketed {
		return text, true
	}
	host, after, closed := strings.Cut(inside, "]")
	if after != "" && (after[0] != '/' || strings.Contains(host, "/")) {
		return "", false
	}
	return host + after, closed
}

func parseHost(host string, isNetwork bool) (netip.Addr, error) {
	full := host
	if missing := ipv4Octets - 1 - strings.Count(host, "."); !strings.Contains(host, ":") && missing > 0 {
		full += strings.Repeat(".0", missing)
	}
	addr, err := netip.ParseAddr(full)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("not an IP address: %s", prefixExamples)
	}
	if full != host && !isNetwork {
		// 10.8 is 10.8.0.0 to ss and 10.0.0.8 to inet_aton(): ask.
		return netip.Addr{}, fmt.Errorf("address lacks octets: use %s, or a network, as %s/%d",
			full, host, 8*(strings.Count(host, ".")+1))
	}
	return addr, nil
}

// parseLength refuses a length that would leave the v4-mapped range: such a network holds no address that an event has.
func parseLength(text string, addr netip.Addr) (int, error) {
	bits, ok := parseDecimal(text, uint64(addr.BitLen()))
	switch {
	case !ok:
		return 0, fmt.Errorf("prefix length must be 0 to %d", addr.BitLen())
	case addr.Is4In6() && bits < mappedBits:
		return 0, fmt.Errorf("prefix length of a v4-mapped address must be %d to %d: or use the IPv4 network, as %s/%d",
			mappedBits, ipv6Bits, addr.Unmap(), min(bits, ipv4Bits))
	}
	return int(bits), nil
}

func containsAddr(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
