package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// historySamples are connections of all kinds.
func historySamples() []Connection {
	at := time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC).UnixNano()
	web := tcp.Comm{'w', 'e', 'b'}
	exact := func(d time.Duration) tcp.Age { return tcp.ExactAge(tcp.AgeTraced, d) }
	whole := Connection{
		Host: "web1", BootID: "b\x1b", Cookie: 0x1f, CgroupID: 5, NetNS: 7, UID: 33, Family: tcp.Inet,
		Local: netip.MustParseAddrPort("10.0.0.1:443"), Remote: netip.MustParseAddrPort("10.0.0.2:40000"),
		PID: 42, Comm: web, Evidence: tcp.EvidenceAccept, Born: true,
		Steps: []Step{
			{State: tcp.SynRecv, Time: at, Stay: exact(12 * time.Microsecond), PID: 1, Comm: tcp.Comm{'\x1b', '\n'}, Evidence: tcp.EvidenceListen},
			{State: tcp.Established, Time: at + 12_000, Stay: tcp.Age{Source: tcp.AgeTraced, AtMost: time.Minute}, PID: 42, Comm: web},
			{Gap: GapLost, Lost: 17, Time: at + 1e9},
			{State: tcp.CloseWait, Time: at + 60e9, NoLater: true, Stay: tcp.Age{Source: tcp.AgeLastAck, AtLeast: time.Hour, AtMost: 2 * time.Hour}, PID: 42},
			{Gap: GapMissed},
		},
		End: &tcp.Event{Time: at + 7200e9, New: tcp.Close, Reason: tcp.ReasonAbortUnread, Errno: 104, BytesSent: 12, BytesRecv: 3049, Retrans: 2, SRTT: tcp.Unknown},
	}
	older := Connection{
		Family: tcp.Inet6, UID: tcp.NoUID, Local: netip.MustParseAddrPort("[2001:db8::1]:80"), Zombie: true,
		Steps: []Step{{State: tcp.Close}, {Gap: GapUnrecorded, Time: at, Until: at + 1e9}, {Gap: GapUnrecorded, Time: at}},
	}
	open := Connection{
		Cookie: 0x20, Kind: tcp.Minisock, Local: whole.Local, Remote: whole.Remote, PID: 42, Comm: web, Evidence: tcp.EvidenceFD, Born: true,
		Steps: []Step{{State: tcp.TimeWait, Time: at, Stay: tcp.Age{Source: tcp.AgeKernel, AtLeast: time.Second, AtMost: tcp.Unknown}, Open: true, PID: 42, Comm: web}},
		End:   &tcp.Event{Time: at, New: tcp.Close, Next: tcp.TimeWait, SRTT: time.Millisecond},
	}
	return []Connection{whole, older, open}
}

func renderHistory(t *testing.T, o HistoryOptions, connections []Connection) string {
	t.Helper()
	o.Location = time.UTC
	var b bytes.Buffer
	var totals HistoryTotals
	h := NewHistory(&b, o)
	for i := range connections {
		totals.Add(&connections[i])
		if err := h.Connection(&connections[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(h.Totals(&totals), h.Flush()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHistoryGolden(t *testing.T) {
	for name, o := range map[string]HistoryOptions{
		"history-table": {}, "history-color": {Color: true}, "history-wide": {Format: Wide}, "history-json": {Format: JSON}, "history-60": {Width: 60},
	} {
		got := renderHistory(t, o, historySamples())
		golden(t, name, got)
		for _, line := range strings.Split(strings.TrimSpace(got), "\n") {
			if o.Format == JSON && !json.Valid([]byte(line)) {
				t.Errorf("no JSON: %s", line)
			}
		}
		if !o.Color && strings.ContainsAny(got, "\x1b\r\t") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What is not known is not zero in sums either, and no number is too large.
func TestHistoryTotals(t *testing.T) {
	var totals HistoryTotals
	exact := func(d time.Duration) tcp.Age { return tcp.ExactAge(tcp.AgeTraced, d) }
	steps := []Step{
		{State: tcp.Established, Stay: exact(math.MaxInt64)},
		{State: tcp.Established, Stay: exact(5)},
		{State: tcp.CloseWait},
		{State: tcp.LastAck, Stay: tcp.Age{Source: tcp.AgeTraced, AtMost: 7}},
	}
	c := Connection{Cookie: 9, Steps: steps}
	totals.Add(&c)
	if s := totals.States[tcp.Established]; s.Total != math.MaxInt64 || s.Longest != math.MaxInt64 || s.Stays != 2 || s.Inexact+s.Unknown != 0 {
		t.Errorf("%+v", s)
	}
	for _, state := range []tcp.State{tcp.CloseWait, tcp.LastAck} {
		if s := totals.States[state]; s.Unknown != 1 || s.Total != 0 {
			t.Errorf("%+v", s)
		}
	}
	var b bytes.Buffer
	h := NewHistory(&b, HistoryOptions{Format: JSON})
	if err := errors.Join(h.Totals(&totals), h.Flush()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"CLOSE_WAIT":{"stays":1,"unknown":1,"inexact":0,"total_ms":null,"longest_ms":null`) {
		t.Error(b.String())
	}
}

// absent is a writer whose reader has gone.
type absent struct{ calls int }

var errGone = errors.New("gone")

func (f *absent) Write([]byte) (int, error) { f.calls++; return 0, errGone }

func TestHistoryKeepsItsError(t *testing.T) {
	w := &absent{}
	h, samples := NewHistory(w, HistoryOptions{}), historySamples()
	var err error
	for range 1000 {
		err = h.Connection(&samples[0])
	}
	if !errors.Is(err, errGone) || !errors.Is(h.Totals(&HistoryTotals{}), errGone) || !errors.Is(h.Flush(), errGone) || w.calls != 1 {
		t.Errorf("%v after %d calls", err, w.calls)
	}
}
