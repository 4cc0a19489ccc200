package output

import (
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// object returns the fields of one line of JSON.
func object(tb testing.TB, e tcp.Event) map[string]any {
	tb.Helper()
	text := render(tb, Options{Format: JSON}, e)
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		tb.Fatalf("not one line: %q", text)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var got map[string]any
	if err := decoder.Decode(&got); err != nil {
		tb.Fatalf("%v in %q", err, text)
	}
	return got
}

// names returns the names of a line's fields in their order.
func names(t *testing.T, line string) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(line))
	var found []string
	for i := 0; ; i++ {
		token, err := decoder.Token()
		if err != nil {
			return found
		}
		if i%2 == 1 {
			if name, ok := token.(string); ok {
				found = append(found, name)
			}
		}
	}
}

// present returns the fields that a line about e has.
func present(e *tcp.Event) []string {
	var want []string
	for _, name := range fields {
		applies := true
		switch name {
		case "missed":
			applies = e.Missed
		case "late":
			applies = e.Late
		case "errno":
			applies = e.New == tcp.Close || e.Errno != 0
		case "next", "reason", "bytes_sent", "bytes_received", "retransmits", "srtt_us":
			applies = e.New == tcp.Close
		}
		if applies {
			want = append(want, name)
		}
	}
	return want
}

func TestJSONHasTheFieldsThatApplyInOrder(t *testing.T) {
	oddity := client()
	oddity.New, oddity.Errno = tcp.Established, 113
	for _, e := range append(samples(), oddity) {
		want := strings.Join(present(&e), " ")
		if got := strings.Join(names(t, render(t, Options{Format: JSON}, e)), " "); got != want {
			t.Errorf("fields\n got %s\nwant %s", got, want)
		}
	}
}

func TestJSONValues(t *testing.T) {
	closing := client()
	closing.Old, closing.New, closing.InOld, closing.SRTT = tcp.FinWait2, tcp.Close, 1, 1999*time.Nanosecond
	closing.Next, closing.Reason, closing.Errno = tcp.TimeWait, tcp.ReasonResetReceived, 104
	closing.BytesSent, closing.BytesRecv, closing.Retrans = math.MaxUint64, 0, math.MaxUint32
	blank := tcp.Event{InOld: tcp.Unknown, SRTT: tcp.Unknown, Old: tcp.Established, New: tcp.Close, Late: true, Missed: true}
	open := client()
	open.Old, open.New, open.BytesSent, open.SRTT = tcp.SynSent, tcp.Established, 5, 5
	for _, test := range []struct {
		name string
		e    tcp.Event
		want map[string]any
	}{
		{"closing", closing, map[string]any{
			"event": "transition", "cookie": "4a1f03", "netns": "4026531840", "cgroup": "10412", "uid": "1000",
			"family": "inet", "laddr": "192.168.10.25", "lport": "54321", "raddr": "93.184.216.34", "rport": "443",
			"old": "FIN_WAIT2", "new": "CLOSE", "ms": "0.000001", "pid": "48213", "comm": "curl", "evidence": "connect",
			"running_pid": "48213", "next": "TIME_WAIT", "reason": "reset_received", "errno": "ECONNRESET",
			"bytes_sent": "18446744073709551615", "bytes_received": "0", "retransmits": "4294967295", "srtt_us": "1",
			"missed": nil, "late": nil,
		}},
		{"blank", blank, map[string]any{
			"cookie": nil, "netns": "0", "cgroup": nil, "uid": "0", "family": "unknown", "laddr": nil, "lport": nil,
			"raddr": nil, "rport": nil, "ms": nil, "pid": nil, "comm": nil, "evidence": nil, "running_pid": nil,
			"next": nil, "reason": nil, "errno": nil, "bytes_sent": "0", "srtt_us": nil, "missed": true, "late": true,
		}},
		{"open", open, map[string]any{
			"bytes_sent": nil, "bytes_received": nil, "retransmits": nil, "srtt_us": nil, "next": nil, "ms": "0.000000",
		}},
	} {
		got := object(t, test.e)
		for name, want := range test.want {
			value := got[name]
			if number, ok := value.(json.Number); ok {
				value = number.String()
			}
			if value != want {
				t.Errorf("%s: %s is %v, want %v", test.name, name, value, want)
			}
		}
	}
}

// TestJSONNamespaces has two whose numbers fall into the same slot.
func TestJSONNamespaces(t *testing.T) {
	numbers := []uint32{4026531840, 4026531840 + namespaceSlots, 0, 4026531841, 4026531840, namespaceSlots, 0}
	var events []tcp.Event
	for _, number := range numbers {
		events = append(events, tcp.Event{NetNS: number})
	}
	for i, line := range strings.Split(strings.TrimSpace(render(t, Options{Format: JSON}, events...)), "\n") {
		var got struct{ NetNS uint32 }
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.NetNS != numbers[i] {
			t.Errorf("line %d: %d, want %d (%v)", i, got.NetNS, numbers[i], err)
		}
	}
}

func TestJSONAddresses(t *testing.T) {
	for _, test := range []struct {
		family              tcp.Family
		local, remote       string
		wantLocal, wantPort any
	}{
		{tcp.Inet6, "10.0.0.7:443", "203.0.113.9:1", "10.0.0.7", json.Number("443")}, // v4-mapped
		{tcp.Inet6, "[::]:8080", "[::]:0", "::", json.Number("8080")},
		{tcp.Inet, "0.0.0.0:0", "10.0.0.1:80", "0.0.0.0", nil},
		{tcp.Inet6, "[2001:db8::25]:1", "[2001:db8::1]:2", "2001:db8::25", json.Number("1")},
	} {
		got := object(t, tcp.Event{
			Family: test.family, Local: netip.MustParseAddrPort(test.local), Remote: netip.MustParseAddrPort(test.remote),
		})
		if got["family"] != test.family.String() || got["laddr"] != test.wantLocal || got["lport"] != test.wantPort {
			t.Errorf("%s: %v %v %v", test.local, got["family"], got["laddr"], got["lport"])
		}
	}
}

// FuzzJSONComm compares with encoding/json, which knows the same rule for what is not UTF-8.
func FuzzJSONComm(f *testing.F) {
	for _, e := range oddities() {
		f.Add(e.Comm[:])
	}
	f.Add([]byte("sixteen bytes!!!"))
	f.Add([]byte("\xf0\x9f\x90\x9f\xed\xa0\x80\xc0\x80\u2028"))
	f.Fuzz(func(t *testing.T, name []byte) {
		e := tcp.Event{PID: 1, Comm: comm(string(name))}
		line := render(t, Options{Format: JSON}, e)
		for i := range len(line) - 1 {
			if line[i] < ' ' || line[i] >= 0x7f {
				t.Fatalf("byte %#x in %q", line[i], line)
			}
		}
		want := ""
		for text := e.Comm.Bytes(); len(text) > 0; {
			r, size := utf8.DecodeRune(text)
			want, text = want+string(r), text[size:]
		}
		if got := object(t, e)["comm"]; got != want {
			t.Fatalf("%q is read as %q, want %q", e.Comm, got, want)
		}
	})
}
