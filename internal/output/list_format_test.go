package output

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// decode returns the fields of one line of JSON.
func decode(tb testing.TB, text string) map[string]any {
	tb.Helper()
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

// flat makes of an object's timer and holders what CSV has for them.
func flat(got map[string]any) map[string]any {
	if timer, ok := got["timer"].(map[string]any); ok {
		got["timer"], got["timer_left_ms"], got["timer_retries"] = timer["kind"], timer["left_ms"], timer["retries"]
	}
	if holders, ok := got["holders"].([]any); ok {
		var text []string
		for _, holder := range holders {
			fields := holder.(map[string]any)
			text = append(text, fmt.Sprint(fields["pid"], "/", fields["fd"]))
		}
		got["holders"] = strings.Join(text, " ")
	}
	return got
}

// readCSV returns the records below the header by field.
func readCSV(tb testing.TB, text string) []map[string]string {
	tb.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		tb.Fatalf("%v in %q", err, text)
	}
	var got []map[string]string
	for _, record := range records[1:] {
		fields := map[string]string{}
		for i, name := range records[0] {
			fields[name] = record[i]
		}
		got = append(got, fields)
	}
	return got
}

// printed is what CSV has for a value of JSON.
func printed(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(value)
}

// TestListCSVAgreesWithJSON but for names that are not ours, which are defused.
func TestListCSVAgreesWithJSON(t *testing.T) {
	for _, s := range sockets() {
		o := ListOptions{Format: JSON, Names: hostNames()}
		inJSON := flat(decode(t, list(t, o, false, s)))
		o.Format, o.Header = CSV, true
		inCSV := readCSV(t, list(t, o, false, s))[0]
		if len(inCSV) != len(listFields) {
			t.Fatalf("%d fields, want %d", len(inCSV), len(listFields))
		}
		for _, name := range listFields {
			value := inJSON[name]
			switch name {
			case "zombie", "orphan", "unaccepted", "autobound":
				if value == nil {
					value = false
				}
			case "comm", "netns_name", "cgroup_path", "container":
				continue
			}
			if inCSV[name] != printed(value) {
				t.Errorf("%s is %q, in JSON %q", name, inCSV[name], printed(value))
			}
			delete(inJSON, name)
		}
		for _, name := range []string{"comm", "netns_name", "cgroup_path", "container"} {
			if text := inCSV[name]; text != "" && strings.ContainsAny(text[:1], "=+-@") {
				t.Errorf("%s is a formula: %q", name, text)
			}
			delete(inJSON, name)
		}
		if len(inJSON) > 0 {
			t.Errorf("not in CSV: %v", inJSON)
		}
	}
}

func TestListJSONValues(t *testing.T) {
	all := sockets()
	for _, test := range []struct {
		name string
		s    tcp.Socket
		want map[string]any
	}{
		{"connection", all[2], map[string]any{
			"time": "2026-11-21T14:30:05.123456789Z", "event": "socket", "cookie": "4a1f04", "netns": "4026532281",
			"netns_name": "container web", "cgroup": "2291", "cgroup_path": "/system.slice/docker-0123456789abcdef.scope",
			"container": "0123456789ab", "uid": "33", "family": "inet", "laddr": "10.0.0.7", "lport": "443",
			"raddr": "203.0.113.199", "rport": "61234", "state": "CLOSE_WAIT", "kind": "full", "zombie": nil, "orphan": nil,
			"unaccepted": nil, "age_ms": nil, "age_at_least_ms": "2222000.000000", "age_at_most_ms": "2230000.000000",
			"age_source": "last_ack", "recv_q": "1", "send_q": "0", "pid": "1017", "comm": "nginx", "evidence": "accept",
			"fd": "12", "holders": "1016/9 1017/12 1018/12", "inode": "918273", "timer": "keepalive",
			"timer_left_ms": "7140000.000000", "timer_retries": "0", "rtt_ms": "1.342000", "rttvar_ms": "0.512000",
			"bytes_sent": "23482", "shutdown": "receive", "errno": nil, "autobound": nil,
		}},
		{"zombie", all[3], map[string]any{"state": "CLOSE", "zombie": true, "errno": "ECONNRESET", "shutdown": "both", "age_source": nil}},
		{"orphan", all[4], map[string]any{
			"orphan": true, "holders": "", "pid": nil, "comm": nil, "age_ms": nil, "age_at_least_ms": nil,
			"age_at_most_ms": "5200.000000", "fd": nil, "inode": nil,
		}},
		{"not accepted", all[7], map[string]any{"unaccepted": true, "pid": "1017", "evidence": "listen", "holders": ""}},
		{"minisock", all[8], map[string]any{
			"kind": "minisock", "age_ms": "12345.000000", "uid": nil, "cgroup": nil, "timer": "timewait", "rtt_ms": nil,
		}},
		{"listener", all[0], map[string]any{"raddr": "0.0.0.0", "rport": nil, "recv_q": "3", "send_q": "511", "age_at_least_ms": nil}},
		{"unowned", oddSockets()[0], map[string]any{"holders": nil, "pid": nil, "fd": nil, "evidence": nil}},
		{"blank", oddSockets()[5], map[string]any{"cookie": nil, "laddr": nil, "state": "UNKNOWN", "family": "unknown"}},
	} {
		got := flat(decode(t, list(t, ListOptions{Format: JSON, Names: hostNames()}, false, test.s)))
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

// TestListJSONOrder holds the contract: the fields of listFields in their order, as far as they apply.
func TestListJSONOrder(t *testing.T) {
	for _, s := range sockets() {
		at := -1
		line := list(t, ListOptions{Format: JSON}, false, s)
		line = strings.Join(strings.Split(line, `"holders":`), `"holders":0,"":`) // its objects have fields of the same names
		for _, name := range listFields {
			i := strings.Index(line, `"`+name+`":`)
			if i < 0 || strings.HasPrefix(name, "timer_") {
				continue
			}
			if i < at {
				t.Errorf("%s comes too early in %s", name, line)
			}
			at = i
		}
	}
}

func TestAge(t *testing.T) {
	for _, test := range ages {
		if got := string(appendAge(nil, test.age)); got != test.want {
			t.Errorf("%+v is %q, want %q", test.age, got, test.want)
		}
		if got := string(appendAgeRange(nil, test.age)); got != test.wantInWide {
			t.Errorf("%+v is %q in full, want %q", test.age, got, test.wantInWide)
		}
		if least, most := bounds(test.age); least != test.least || most != test.most {
			t.Errorf("%+v: %v to %v, want %v to %v", test.age, least, most, test.least, test.most)
		}
	}
}

func TestTimer(t *testing.T) {
	for _, test := range []struct {
		timer tcp.Timer
		want  string
	}{
		{tcp.Timer{}, "-"},
		{tcp.Timer{Kind: 99}, "-"},
		{tcp.Timer{Kind: tcp.TimerRetransmit, Left: 1299 * time.Millisecond}, "timer:(on,1.2sec,0)"},
		{tcp.Timer{Kind: tcp.TimerProbe, Left: 200 * time.Millisecond, Retries: 15}, "timer:(persist,200ms,15)"},
		{tcp.Timer{Kind: tcp.TimerRetransmit}, "timer:(on,0ms,0)"},
		{tcp.Timer{Kind: tcp.TimerRetransmit, Left: -5}, "timer:(on,0ms,0)"},
		{tcp.Timer{Kind: tcp.TimerTimeWait, Left: 59 * time.Second}, "timer:(timewait,59sec,0)"},
		{tcp.Timer{Kind: tcp.TimerKeepalive, Left: 63 * time.Second}, "timer:(keepalive,1min03sec,0)"},
		{tcp.Timer{Kind: tcp.TimerKeepalive, Left: 2 * time.Hour}, "timer:(keepalive,120min,0)"},
	} {
		if got := string(appendTimer(nil, &test.timer)); got != test.want {
			t.Errorf("%+v is %q, want %q", test.timer, got, test.want)
		}
	}
}

// socket makes a socket of whatever numbers and bytes there are.
func socket(name, address []byte, wide uint64, narrow uint32, small uint8) tcp.Socket {
	local, _ := netip.AddrFromSlice(address)
	d := time.Duration(wide)
	return tcp.Socket{
		Cookie: wide, CgroupID: wide, Local: netip.AddrPortFrom(local, uint16(narrow)), Remote: netip.AddrPortFrom(local, uint16(wide)),
		Age:     tcp.Age{Source: tcp.AgeSource(small), AtLeast: d, AtMost: d + time.Duration(narrow)},
		Holders: make([]tcp.Holder, small%4), Timer: tcp.Timer{Kind: tcp.TimerKind(small), Left: d, Retries: small},
		RTT: d, RTTVar: d, LastSent: d, LastReceived: -d, LastAck: d, BytesSent: wide, BytesRecv: wide, NetNS: narrow, UID: narrow,
		Inode: narrow, RecvQ: narrow, SendQ: narrow, Retrans: narrow, Mark: narrow, Device: narrow, PID: narrow * uint32(small&1),
		Errno: uint16(narrow), Family: tcp.Family(small), State: tcp.State(narrow>>8) % (tcp.States + 2), Kind: tcp.Kind(small >> 2),
		Evidence: tcp.Evidence(small), Shutdown: tcp.Shutdown(small), Comm: comm(string(name)), Orphan: small&2 == 2,
		Unaccepted: small&4 == 4, Zombie: small&8 == 8, Autobound: small&16 == 16,
	}
}

func FuzzSocket(f *testing.F) {
	for i, s := range sockets() {
		f.Add(s.Comm[:], s.Remote.Addr().AsSlice(), s.Cookie<<(i%40), s.PID<<(i%20), uint8(i*7))
	}
	f.Add([]byte("\x1b]0;\a\r\n\xc2\x9b\u202e"), []byte{}, ^uint64(0), ^uint32(0), uint8(3))
	f.Fuzz(func(t *testing.T, name, address []byte, wide uint64, narrow uint32, small uint8) {
		s := socket(name, address, wide, narrow, small)
		for i := range s.Holders {
			s.Holders[i] = tcp.Holder{PID: narrow, FD: narrow, Comm: s.Comm}
		}
		names := HostNames{
			NetNS: func(uint32) string { return string(name) }, Cgroup: func(uint64) string { return string(name) },
			Container: func(uint64) string { return string(name) }, Service: func(uint16) string { return string(name) },
		}
		for _, o := range append(listFormats, ListOptions{Width: int(small) + 1, Holders: true}) {
			for _, measure := range []bool{false, true} {
				o.Names, o.Time = names, int64(wide)
				l := NewList(io.Discard, o)
				if measure {
					l.Measure([]*tcp.Socket{&s})
				}
				if err := l.Socket(&s); err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(string(l.buf)) {
					checkLine(t, Options{Format: o.Format, Width: o.Width}, line)
				}
			}
		}
	})
}
