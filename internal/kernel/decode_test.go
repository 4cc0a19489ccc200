package kernel

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func sampleRecord() *bpfClosingRecord {
	r := &bpfClosingRecord{BytesSent: 5, BytesReceived: 6, Retransmits: 7, SrttUs: 8}
	h := &r.Head
	h.TimeNs, h.SinceNs, h.Cookie, h.CgroupId = 2_000, 1_500, 0x2a, 99
	h.Netns, h.Uid, h.Pid, h.RunningPid = 4026531840, 1000, 42, 43
	copy(h.Comm[:], "nginx")
	h.Laddr = netip.MustParseAddr("::ffff:10.1.2.3").As16()
	h.Raddr = netip.MustParseAddr("2001:db8::1").As16()
	h.Lport, h.Rport, h.Family, h.SkErr = 443, 20480, 10, 104
	h.Old, h.New, h.Next = uint8(tcp.FinWait2), uint8(tcp.Close), uint8(tcp.TimeWait)
	h.Evidence, h.Reason = uint8(bpfEvidenceEVIDENCE_CLOSE), uint8(bpfReasonREASON_FIN_LOCAL)
	h.Flags = uint8(bpfRecordFlagsRECORD_MISSED | bpfRecordFlagsRECORD_LATE)
	return r
}

func TestDecode(t *testing.T) {
	want := tcp.Event{
		Mono: 2_000, InOld: 500, Cookie: 0x2a, CgroupID: 99, NetNS: 4026531840, UID: 1000, PID: 42, RunningPID: 43,
		Comm:  tcp.Comm{'n', 'g', 'i', 'n', 'x'},
		Local: netip.MustParseAddrPort("10.1.2.3:443"), Remote: netip.MustParseAddrPort("[2001:db8::1]:20480"),
		Family: tcp.Inet6, Errno: 104, Old: tcp.FinWait2, New: tcp.Close, Next: tcp.TimeWait,
		Evidence: tcp.EvidenceClose, Reason: tcp.ReasonFinLocal, Missed: true, Late: true,
		BytesSent: 5, BytesRecv: 6, Retrans: 7, SRTT: 8 * time.Microsecond,
	}
	var got tcp.Event
	if err := decode(sampleRecord(), &got); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeUnknowns(t *testing.T) {
	r := sampleRecord()
	r.Head.SinceNs, r.SrttUs = 0, 0
	var e tcp.Event
	if err := decode(r, &e); err != nil {
		t.Fatal(err)
	}
	if e.InOld != tcp.Unknown || e.SRTT != tcp.Unknown {
		t.Errorf("time in state %v and srtt %v, want both unknown", e.InOld, e.SRTT)
	}
	r.Head.SinceNs = r.Head.TimeNs + 1 // of another CPU, and never negative
	if err := decode(r, &e); err != nil || e.InOld != tcp.Unknown {
		t.Errorf("time in state %v, %v, want unknown", e.InOld, err)
	}
	r.Head.New = uint8(tcp.CloseWait) // the rest of the slot is of its last user
	if err := decode(r, &e); err != nil || e.BytesSent != 0 || e.Retrans != 0 || e.SRTT != tcp.Unknown {
		t.Errorf("an event that is no end has an end: %+v, %v", e, err)
	}
	for _, state := range []uint8{0, 13, 255} {
		r.Head.Old = state
		if decode(r, &e) == nil {
			t.Errorf("state %d was taken", state)
		}
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	r := sampleRecord()
	var e tcp.Event
	if n := testing.AllocsPerRun(1000, func() { _ = decode(r, &e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever is in memory, decoding ends and what comes out is within the words of the domain.
func FuzzDecode(f *testing.F) {
	sample := sampleRecord()
	f.Add(bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(sample)), unsafe.Sizeof(*sample))))
	f.Add([]byte{})
	f.Add([]byte("0000000\xff" + strings.Repeat("0", 100) + "\x05\a")) // a time stamp beyond int64
	f.Fuzz(func(t *testing.T, data []byte) {
		var r bpfClosingRecord
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r)), data)
		var e tcp.Event
		if err := decode(&r, &e); err != nil {
			return
		}
		if !e.Old.Valid() || !e.New.Valid() || e.Mono < 0 || e.InOld < tcp.Unknown || e.SRTT < tcp.Unknown || len(e.Comm.Bytes()) > 16 {
			t.Errorf("%+v", e)
		}
		_, _, _ = e.Evidence.String(), e.Reason.String(), e.Next.String()
	})
}

func BenchmarkDecode(b *testing.B) {
	r := sampleRecord()
	var e tcp.Event
	b.ReportAllocs()
	for b.Loop() {
		if err := decode(r, &e); err != nil {
			b.Fatal(err)
		}
	}
}
