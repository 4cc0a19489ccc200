package nettest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

const procHeading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// procLine writes a socket as the kernel does.
func procLine(s SocketInfo) string {
	return fmt.Sprintf("%4d: %s %s %02X %08X:%08X 02:0000A93B 00000000 %5d        0 %d 2 00000000d1b8b9b9 20 4 30 10 -1\n",
		0, procAddr(s.Local), procAddr(s.Remote), uint8(s.State), s.WQueue, s.RQueue, s.UID, s.Inode)
}

func procAddr(addr netip.AddrPort) string {
	b := addr.Addr().AsSlice()
	for i := 0; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], binary.NativeEndian.Uint32(b[i:]))
	}
	return fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(b)), addr.Port())
}

func TestParseProcNet(t *testing.T) {
	want := []SocketInfo{
		{State: Listening, Local: addrPort("127.0.0.1:443"), Remote: addrPort("0.0.0.0:0"), Inode: 7, RQueue: 2},
		{
			State: Closing, Local: addrPort("[2001:db8::1:2]:65535"), Remote: addrPort("[::ffff:1.2.3.4]:1"),
			Inode: 1<<32 - 1, UID: 1<<32 - 1, RQueue: 1<<32 - 1, WQueue: 5,
		},
	}
	got, err := parseProcNet(procHeading + procLine(want[0]) + procLine(want[1]))
	if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := parseProcNet(procHeading); len(got) != 0 || err != nil {
		t.Errorf("no sockets: %v, %v", got, err)
	}
}

// The words of an address are numbers: their digits are swapped on little-endian machines only.
func TestParseProcAddr(t *testing.T) {
	text, want := "0100007F:0016", addrPort("127.0.0.1:22")
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		text = "7F000001:0016"
	}
	if got, err := parseProcAddr(text); got != want || err != nil {
		t.Errorf("%s: %v, %v, want %v", text, got, err, want)
	}
}

func TestParseProcNetMalformed(t *testing.T) {
	good := procLine(SocketInfo{State: Established, Local: addrPort("127.0.0.1:1"), Remote: addrPort("127.0.0.1:2")})
	for _, change := range [][2]string{
		{good, "\n"},
		{good, good[:40]},
		{"0001 ", "G001 "},
		{":0001 ", ":10001 "},
		{":0001 ", " "},
		{"7F", "7"},
		{"7F", "7F7F"},
		{" 01 ", " 1FF "},
		{":00000000 ", ":100000000 "},
		{" 00000000:", " -0000001:"},
		{"    0        0 0 ", "    0        0 -1 "},
	} {
		line := strings.Replace(good, change[0], change[1], 1)
		if line == good {
			t.Errorf("%q is not in %q", change[0], good)
		}
		if got, err := parseProcNet(procHeading + line); err == nil {
			t.Errorf("%q: got %+v, want an error", line, got)
		}
	}
}

func FuzzParseProcNet(f *testing.F) {
	f.Add(procHeading + procLine(SocketInfo{State: TimeWait, Local: addrPort("127.0.0.1:1"), Remote: addrPort("127.0.0.1:2")}))
	f.Add(procHeading + procLine(SocketInfo{State: SynRecv, Local: addrPort("[::1]:1"), Remote: addrPort("[::1]:2")}))
	f.Fuzz(func(t *testing.T, text string) {
		sockets, err := parseProcNet(text)
		if err != nil {
			return
		}
		again := procHeading
		for _, s := range sockets {
			again += procLine(s)
		}
		reread, err := parseProcNet(again)
		if err != nil || fmt.Sprint(reread) != fmt.Sprint(sockets) {
			t.Errorf("got %+v, written and read again %+v (%v)", sockets, reread, err)
		}
	})
}
