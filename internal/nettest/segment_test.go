package nettest

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

func exampleSegment() Segment {
	return Segment{
		Src: netip.MustParseAddrPort("10.9.8.2:443"), Dst: netip.MustParseAddrPort("10.9.8.1:50000"),
		Seq: 0x01020304, Ack: 0xfffefdfc, Flags: PSH | ACK, Window: 4096, Payload: []byte("odd"),
	}
}

// The bytes come from another implementation of RFC 791, 9293 and 1071, a dozen lines of Python.
func TestSegmentMarshal(t *testing.T) {
	const want = "4500002b00004000400616b90a0908020a090801" + "01bbc35001020304fffefdfc50181000e1420000" + "6f6464"
	if got := hex.EncodeToString(exampleSegment().marshal()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSegmentRoundTrip(t *testing.T) {
	even := exampleSegment()
	even.Payload = []byte("even")
	empty := exampleSegment()
	empty.Payload = []byte{}
	for _, want := range []Segment{exampleSegment(), even, empty} {
		got, err := parseSegment(want.marshal())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

func TestParseSegmentOptionsAndTrailer(t *testing.T) {
	want := exampleSegment()
	b := want.marshal()
	// Four bytes of options between header and payload, and a trailer that the length does not count.
	b = append(b[:ipv4Header+tcpHeader:ipv4Header+tcpHeader], append([]byte{2, 4, 5, 180}, want.Payload...)...)
	b[ipv4Header+12] = (tcpHeader + 4) / 4 << 4
	refresh(b)
	got, err := parseSegment(append(b, 0xff))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// refresh sets length and checksums of a packet that a test has changed.
func refresh(b []byte) {
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[10:], 0)
	binary.BigEndian.PutUint16(b[10:], ^sum(b[:ipv4Header], 0))
	tcp := b[ipv4Header:]
	binary.BigEndian.PutUint16(tcp[16:], 0)
	binary.BigEndian.PutUint16(tcp[16:], ^sum(tcp, pseudoSum(b)))
}

func TestParseSegmentRefuses(t *testing.T) {
	tests := []struct {
		name string
		bend func([]byte) []byte
		want error
	}{
		{"nothing", func([]byte) []byte { return nil }, errNotTCP},
		{"IPv6", func(b []byte) []byte { b[0] = 6 << 4; return b }, errNotTCP},
		{"ICMP", func(b []byte) []byte { b[9] = unix.IPPROTO_ICMP; return b }, errNotTCP},
		{"IP header too short", func(b []byte) []byte { b[0] = 4<<4 | 4; return b }, errBadIP},
		{"longer than it is", func(b []byte) []byte { return b[:len(b)-1] }, errBadIP},
		{"shorter than its header", func(b []byte) []byte { b[3] = ipv4Header - 1; return b }, errBadIP},
		{"no room for TCP", func(b []byte) []byte { b[3] = ipv4Header + tcpHeader - 1; return b }, errBadTCP},
		{"TCP header too short", func(b []byte) []byte { b[32] = 4 << 4; return b }, errBadTCP},
		{"TCP header too long", func(b []byte) []byte { b[32] = 15 << 4; return b }, errBadTCP},
		{"IP checksum", func(b []byte) []byte { b[8]++; return b }, errChecksum},
		{"TCP checksum", func(b []byte) []byte { b[len(b)-1]++; return b }, errChecksum},
	}
	for _, test := range tests {
		if _, err := parseSegment(test.bend(exampleSegment().marshal())); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	original := exampleSegment().marshal()
	b := unreachable(original, PortUnreachable, exampleSegment().Dst.Addr(), exampleSegment().Src.Addr())
	icmp := b[ipv4Header:]
	if sum(b[:ipv4Header], 0) != 0xffff || sum(icmp, 0) != 0xffff {
		t.Error(errChecksum)
	}
	if icmp[0] != 3 || icmp[1] != PortUnreachable {
		t.Errorf("type %d code %d, want 3, %d", icmp[0], icmp[1], PortUnreachable)
	}
	if quote := icmp[icmpHeader:]; string(quote) != string(original[:ipv4Header+8]) {
		t.Errorf("quotes %x", quote)
	}
}

func TestSegmentEnd(t *testing.T) {
	tests := map[uint32]Segment{
		5:  {Seq: 5, Flags: ACK},
		6:  {Seq: 5, Flags: SYN | ACK},
		7:  {Seq: 5, Flags: SYN | FIN},
		8:  {Seq: 5, Payload: []byte("abc")},
		1:  {Seq: 0xffffffff, Payload: []byte("a"), Flags: FIN},
		12: {Seq: 12, Flags: RST},
	}
	for want, s := range tests {
		if got := s.End(); got != want {
			t.Errorf("%v: end %d, want %d", s, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for want, got := range map[string]string{
		"FIN|ACK":    (FIN | ACK).String(),
		"":           Flags(0).String(),
		"GONE":       Gone.String(),
		"CLOSING":    Closing.String(),
		"state 13":   State(13).String(),
		"LISTEN":     Listening.String(),
		"CLOSE_WAIT": CloseWait.String(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Whatever decodes, encodes to what decodes to the same.
func FuzzParseSegment(f *testing.F) {
	f.Add(exampleSegment().marshal())
	f.Add(Segment{Src: exampleSegment().Dst, Dst: exampleSegment().Src, Flags: SYN}.marshal())
	f.Add([]byte{6 << 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := parseSegment(b)
		if err != nil {
			return
		}
		again, err := parseSegment(first.marshal())
		if err != nil || !reflect.DeepEqual(first, again) {
			t.Errorf("got %v, %v, want %v", again, err, first)
		}
	})
}
