package filter

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// maxAddrs is how many addresses of one name are used: DNS answers rarely hold more than a few dozen.
const maxAddrs = 64

// hostValue is ss's [FAMILY:]ADDRESS[:PORT] taken apart.
type hostValue struct {
	family  tcp.Family // 0: any
	address string     // a network, in brackets or not, or a name; "" for any
	port    string     // a number or a service; "" for any
}

// host takes the value of src or dst. With both an address and a port it is a conjunction.
func (p *parser) host(word token, s side) (node, error) {
	c, value, err := p.operand(word, equality)
	if err != nil {
		return nil, err
	}
	v, err := cutHost(value.text)
	if err != nil {
		return nil, p.errorAt(value, "%v", err)
	}
	var all []node
	if v.port != "" {
		port, err := p.portNumber(v.port)
		if err != nil {
			return nil, p.errorAt(value, "%v", err)
		}
		all = append(all, portTerm{side: s, port: port})
	}
	if v.address != "" || v.family != 0 || v.port == "" {
		addrs, err := p.addresses(s, v)
		if err != nil {
			return nil, p.errorAt(value, "%v", err)
		}
		all = append(all, addrs)
		if err := p.count(value, len(alternatives(addrs))); err != nil {
			return nil, err
		}
	}
	return unless(c, joinAll(false, all)), nil
}

// unless negates what `!=` compares with.
func unless(c comparison, n node) node {
	if c == notEqual {
		return negate(n)
	}
	return n
}

// cutFamily takes inet: or inet6: from the front. ss's other families have no TCP.
func cutFamily(text string) (tcp.Family, string, error) {
	for _, family := range []tcp.Family{tcp.Inet, tcp.Inet6} {
		if rest, ok := strings.CutPrefix(text, family.String()+":"); ok {
			return family, rest, nil
		}
	}
	for _, other := range []string{"unix", "link", "netlink", "vsock"} {
		if strings.HasPrefix(text, other+":") {
			return 0, "", fmt.Errorf("%q: family %s has no TCP sockets: use inet: or inet6: before an address", text, other)
		}
	}
	return 0, text, nil
}

// cutHost takes a value apart as ss does: a port follows the last colon, of a network the last one after the slash. An
// IPv6 address without brackets, which ss refuses, is taken where no port can follow: ::1:443 is port 443 of ::1.
func cutHost(text string) (v hostValue, err error) {
	rest := ""
	if v.family, rest, err = cutFamily(text); err != nil {
		return v, err
	}
	v.address, v.port = rest, ""
	switch {
	case strings.HasPrefix(rest, "*"):
		v.address, v.port = "", strings.TrimPrefix(rest[1:], ":")
	case strings.HasPrefix(rest, "["):
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return v, fmt.Errorf("%q: bracket is not closed", text)
		}
		if colon := strings.IndexByte(rest[end:], ':'); colon >= 0 {
			v.address, v.port = rest[:end+colon], rest[end+colon+1:]
		}
	default:
		slash := max(0, strings.IndexByte(rest, '/'))
		colon := strings.LastIndexByte(rest[slash:], ':')
		if colon < 0 {
			break
		}
		head, tail := rest[:slash+colon], rest[slash+colon+1:]
		if _, err := netip.ParseAddr(rest); err == nil {
			if _, err := netip.ParseAddr(head); err != nil || !isPort(tail) {
				break
			}
		}
		v.address, v.port = head, tail
	}
	if v.port == "*" {
		v.port = ""
	}
	switch v.address { // ss takes the words, too (get_addr_1 in lib/utils.c)
	case "any", "all", "default":
		v.address = ""
	}
	return v, nil
}

func isPort(text string) bool {
	_, ok := parseCNumber(text, 16)
	return ok
}

// addresses returns what the address of v selects.
func (p *parser) addresses(s side, v hostValue) (node, error) {
	if v.address == "" {
		return addrTerm{side: s, family: v.family}, nil
	}
	if isHostName(v.address) {
		return p.hostName(s, v)
	}
	prefix, err := parseNetwork(v.address)
	if err != nil {
		return nil, err
	}
	if v.family == tcp.Inet && !prefix.Addr().Is4() || v.family == tcp.Inet6 && prefix.Addr().Is4() {
		return nil, fmt.Errorf("%q is no address of family %s", v.address, v.family)
	}
	return addrTerm{side: s, family: v.family, prefix: prefix}, nil
}

// isHostName says whether text is meant to be asked for: it is no address, and has the characters of a name (RFC 1123,
// section 2.1), or the underscore of some.
func isHostName(text string) bool {
	hasLetter := false
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
			hasLetter = true
		case '0' <= c && c <= '9', c == '.', c == '-':
		default:
			return false
		}
	}
	return hasLetter
}

// hostName asks for a name's addresses; one of them is enough.
func (p *parser) hostName(s side, v hostValue) (node, error) {
	addrs, err := p.names.Host(v.address)
	if err != nil {
		return nil, fmt.Errorf("host %q: %w", v.address, err)
	}
	var all []node
	seen := map[netip.Addr]bool{}
	for _, addr := range addrs {
		addr = addr.Unmap().WithZone("")
		isV4 := addr.Is4()
		if !addr.IsValid() || seen[addr] || v.family == tcp.Inet && !isV4 || v.family == tcp.Inet6 && isV4 {
			continue
		}
		seen[addr] = true
		all = append(all, addrTerm{side: s, family: v.family, prefix: netip.PrefixFrom(addr, addr.BitLen())})
	}
	switch {
	case len(all) == 0:
		return nil, fmt.Errorf("host %q has no address here: use an address", v.address)
	case len(all) > maxAddrs:
		return nil, fmt.Errorf("host %q has %d addresses: up to %d are possible", v.address, len(all), maxAddrs)
	}
	return joinAll(true, all), nil
}

// parseNetwork reads an address or a network as ParsePrefix does, but leaves v4-mapped ones as they are: in ss they
// select v4-mapped sockets alone. As in ss, 127.1 is 127.1.0.0, and a netmask is as good as a length.
func parseNetwork(text string) (netip.Prefix, error) {
	plain, ok := withoutBrackets(text)
	if !ok {
		return netip.Prefix{}, fmt.Errorf("%q: brackets must enclose an address: %s", text, prefixExamples)
	}
	host, length, isNetwork := strings.Cut(plain, "/")
	if strings.Contains(host, "%") {
		return netip.Prefix{}, fmt.Errorf("%q: leave the zone out: use dev for the interface", text)
	}
	addr, err := parseHost(host, isNetwork || strings.Contains(host, ".")) // a single octet may be meant as a port: ask
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q: %w", text, err)
	}
	bits := addr.BitLen()
	if isNetwork {
		if bits, err = parseMask(length, addr); err != nil {
			return netip.Prefix{}, fmt.Errorf("%q: %w", text, err)
		}
	}
	return netip.PrefixFrom(addr, bits).Masked(), nil
}

// parseMask reads the length of a prefix or, of an IPv4 address, a netmask without holes.
func parseMask(text string, addr netip.Addr) (int, error) {
	if n, ok := parseDecimal(text, uint64(addr.BitLen())); ok {
		return int(n), nil
	}
	if mask, err := netip.ParseAddr(text); err == nil && mask.Is4() && addr.Is4() {
		if length, size := net.IPMask(mask.AsSlice()).Size(); size != 0 {
			return length, nil
		}
		return 0, fmt.Errorf("netmask %s has holes: use a prefix length of 0 to %d", mask, ipv4Bits)
	}
	return 0, fmt.Errorf("prefix length must be 0 to %d", addr.BitLen())
}
