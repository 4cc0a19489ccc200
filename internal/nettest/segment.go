package nettest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"
)

// Header lengths without options, which this package never sends (RFC 791, 792, 9293).
const (
	ipv4Header = 20
	icmpHeader = 8
	tcpHeader  = 20
)

var (
	errNotTCP   = errors.New("not TCP over IPv4")
	errBadIP    = errors.New("malformed IPv4 packet")
	errBadTCP   = errors.New("malformed TCP segment")
	errChecksum = errors.New("wrong checksum")
)

// Flags are the control bits of a segment, as in its header.
type Flags uint8

// The flags (RFC 9293, section 3.1).
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
)

// String returns the flags as "FIN|ACK".
func (f Flags) String() string {
	var set []string
	for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG"} {
		if f>>i&1 == 1 {
			set = append(set, name)
		}
	}
	return strings.Join(set, "|")
}

// Segment is a TCP segment over IPv4. Its options are not kept.
type Segment struct {
	Src, Dst netip.AddrPort
	Seq, Ack uint32
	Flags    Flags
	Window   uint16
	Payload  []byte
}

// String returns what a failed test wants to show.
func (s Segment) String() string {
	return fmt.Sprintf("%v -> %v %v seq %d ack %d, %d bytes", s.Src, s.Dst, s.Flags, s.Seq, s.Ack, len(s.Payload))
}

// End returns the sequence number that follows the segment: SYN and FIN count for one.
func (s Segment) End() uint32 {
	end := s.Seq + uint32(len(s.Payload))
	if s.Flags&SYN != 0 {
		end++
	}
	if s.Flags&FIN != 0 {
		end++
	}
	return end
}

// marshal makes the IPv4 packet, checksums included.
func (s Segment) marshal() []byte {
	b := make([]byte, ipv4Header+tcpHeader, ipv4Header+tcpHeader+len(s.Payload))
	b = append(b, s.Payload...)
	tcp := b[ipv4Header:]
	binary.BigEndian.PutUint16(tcp[0:], s.Src.Port())
	binary.BigEndian.PutUint16(tcp[2:], s.Dst.Port())
	binary.BigEndian.PutUint32(tcp[4:], s.Seq)
	binary.BigEndian.PutUint32(tcp[8:], s.Ack)
	tcp[12] = tcpHeader / 4 << 4
	tcp[13] = byte(s.Flags)
	binary.BigEndian.PutUint16(tcp[14:], s.Window)
	putIPv4(b, unix.IPPROTO_TCP, s.Src.Addr(), s.Dst.Addr())
	binary.BigEndian.PutUint16(tcp[16:], ^sum(tcp, pseudoSum(b)))
	return b
}

// putIPv4 fills in the header of packet b, which nothing may fragment.
func putIPv4(b []byte, protocol byte, src, dst netip.Addr) {
	b[0] = 4<<4 | ipv4Header/4
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[6] = 1 << 6 // don't fragment
	b[8] = 64     // time to live
	b[9] = protocol
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(b[10:], ^sum(b[:ipv4Header], 0))
}

// unreachable makes the ICMP message that the packet could not be delivered, from its destination. It quotes the IP
// header and the eight bytes that RFC 792 asks for.
func unreachable(packet []byte, code byte, src, dst netip.Addr) []byte {
	quote := packet[:int(packet[0]&0xf)*4+8]
	b := make([]byte, ipv4Header+icmpHeader, ipv4Header+icmpHeader+len(quote))
	b = append(b, quote...)
	icmp := b[ipv4Header:]
	icmp[0] = 3 // destination unreachable
	icmp[1] = code
	putIPv4(b, unix.IPPROTO_ICMP, src, dst)
	binary.BigEndian.PutUint16(icmp[2:], ^sum(icmp, 0))
	return b
}

// parseSegment decodes an IPv4 packet. It returns errNotTCP for packets that are none of ours; the kernel sends some
// by itself (IPv6 router solicitations). The payload is a part of b.
func parseSegment(b []byte) (Segment, error) {
	if len(b) < ipv4Header || b[0]>>4 != 4 || b[9] != unix.IPPROTO_TCP {
		return Segment{}, errNotTCP
	}
	header, size := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < ipv4Header || size < header || size > len(b) {
		return Segment{}, errBadIP
	}
	b = b[:size]
	tcp := b[header:]
	if len(tcp) < tcpHeader {
		return Segment{}, errBadTCP
	}
	offset := int(tcp[12]>>4) * 4
	if offset < tcpHeader || offset > len(tcp) {
		return Segment{}, errBadTCP
	}
	if sum(b[:header], 0) != 0xffff || sum(tcp, pseudoSum(b)) != 0xffff {
		return Segment{}, errChecksum
	}
	src, dst := netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	return Segment{
		Src:     netip.AddrPortFrom(src, binary.BigEndian.Uint16(tcp[0:])),
		Dst:     netip.AddrPortFrom(dst, binary.BigEndian.Uint16(tcp[2:])),
		Seq:     binary.BigEndian.Uint32(tcp[4:]),
		Ack:     binary.BigEndian.Uint32(tcp[8:]),
		Flags:   Flags(tcp[13]),
		Window:  binary.BigEndian.Uint16(tcp[14:]),
		Payload: tcp[offset:],
	}, nil
}

// pseudoSum returns the sum over TCP's pseudo header for a packet with its IPv4 header in place.
func pseudoSum(b []byte) uint32 {
	length := len(b) - int(b[0]&0xf)*4
	return uint32(sum(b[12:20], unix.IPPROTO_TCP+uint32(length)))
}

// sum returns the ones' complement sum of RFC 1071 over b, on top of start.
func sum(b []byte, start uint32) uint16 {
	total := start
	for ; len(b) >= 2; b = b[2:] {
		total += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		total += uint32(b[0]) << 8
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}
