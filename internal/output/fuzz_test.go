package output

import (
	"encoding/json"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// event makes an event of whatever numbers and bytes there are.
func event(name, address []byte, wide uint64, narrow uint32, small uint8) tcp.Event {
	local, _ := netip.AddrFromSlice(address)
	state := func(shift uint) tcp.State { return tcp.State(narrow>>shift) % (tcp.States + 2) }
	return tcp.Event{
		Time: int64(wide), Mono: int64(wide), InOld: time.Duration(wide), SRTT: time.Duration(wide), Cookie: wide,
		CgroupID: wide, BytesSent: wide, BytesRecv: wide, Local: netip.AddrPortFrom(local, uint16(narrow)),
		Remote: netip.AddrPortFrom(local, uint16(wide)), NetNS: narrow, UID: narrow, PID: narrow, RunningPID: narrow,
		Retrans: narrow, Errno: uint16(narrow), Family: tcp.Family(small), Old: state(0), New: state(8), Next: state(16),
		Evidence: tcp.Evidence(small), Reason: tcp.Reason(small), Missed: small&1 == 1, Late: small&2 == 2,
		Comm: comm(string(name)),
	}
}

// checkLine says whether a line holds nothing but what may reach a terminal.
func checkLine(t *testing.T, o Options, line string) {
	t.Helper()
	text := bare(strings.ReplaceAll(line, ellipsis, "~"))
	if !strings.HasSuffix(text, "\n") {
		t.Fatalf("%+v: no line feed at the end: %q", o, line)
	}
	text = strings.TrimSuffix(text, "\n")
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			t.Fatalf("%+v: byte %#x in %q", o, text[i], line)
		}
	}
	if o.Format == Table && o.Width > 0 && len(text) > o.Width {
		t.Fatalf("%+v: %d columns: %q", o, len(text), line)
	}
	if o.Format == JSON && !json.Valid([]byte(line)) {
		t.Fatalf("no JSON: %q", line)
	}
}

func FuzzEvent(f *testing.F) {
	for i, e := range samples() {
		f.Add(e.Comm[:], e.Remote.Addr().AsSlice(), e.Cookie<<(i%40), e.PID<<(i%20), uint8(i))
	}
	f.Add([]byte("\x1b]0;\a\r\n\xc2\x9b\u202e"), []byte{}, ^uint64(0), ^uint32(0), uint8(3))
	f.Add([]byte(`\"""""""""""""""`), make([]byte, 16), uint64(1)<<63, uint32(0x07070707), uint8(255))
	f.Fuzz(func(t *testing.T, name, address []byte, wide uint64, narrow uint32, small uint8) {
		e := event(name, address, wide, narrow, small)
		for _, o := range append(everyFormat, Options{Width: int(small) + 1}, Options{Width: 80, Time: Full, Color: true}) {
			o.Header, o.Location = false, zone
			w := New(io.Discard, o)
			if err := w.Event(&e); err != nil {
				t.Fatal(err)
			}
			if len(w.buf) > maxRow {
				t.Fatalf("%+v: a row of %d bytes", o, len(w.buf))
			}
			if cap(w.buf) != flushBytes+maxRow {
				t.Fatalf("%+v: the buffer grew", o)
			}
			checkLine(t, o, string(w.buf))
		}
	})
}
