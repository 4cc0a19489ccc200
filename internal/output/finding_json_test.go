package output

import (
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// readFinding reads one line of JSON.
func readFinding(tb testing.TB, line string) map[string]any {
	tb.Helper()
	var got map[string]any
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&got); err != nil {
		tb.Fatalf("%v in %q", err, line)
	}
	return got
}

// at returns what is at a path in what was read.
func at(value any, path ...any) any {
	for _, step := range path {
		switch key := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[key]
		case int:
			array, _ := value.([]any)
			if key >= len(array) {
				return nil
			}
			value = array[key]
		}
	}
	if number, ok := value.(json.Number); ok {
		return number.String()
	}
	return value
}

func TestFindingJSONValues(t *testing.T) {
	all := findings()
	blank := leak.Finding{Oldest: tcp.Unknown, FDs: leak.FDs{Known: true, Limit: 1, Exhausted: tcp.Unknown}}
	odd := leak.Finding{Growth: leak.Growth{Known: true, PerMinute: math.NaN()}, FDs: leak.FDs{Known: true, Share: math.Inf(1)}}
	type want struct {
		path  []any
		value any
	}
	path := func(steps ...any) []any { return steps }
	for _, test := range []struct {
		name string
		f    leak.Finding
		want []want
	}{
		{"leaking", all[0], []want{
			{path("time"), "2026-11-21T14:30:05.123456789Z"},
			{path("event"), "finding"},
			{path("status"), "firing"},
			{path("level"), "critical"},
			{path("state"), "CLOSE_WAIT"},
			{path("zombie"), nil},
			{path("cause"), "not_closed"},
			{path("pid"), "31163"},
			{path("comm"), "python3"},
			{path("netns"), nil},
			{path("direction"), "incoming"},
			{path("endpoint"), nil},
			{path("port"), "8080"},
			{path("endpoints"), nil},
			{path("count"), "79705"},
			{path("oldest_ms"), "2222000.000000"},
			{path("oldest_at_least"), true},
			{path("rate_per_min"), "120.400"},
			{path("fd_limit"), "100000"},
			{path("fd_share"), "0.797050"},
			{path("exhausted_ms"), "10080000.000000"},
			{path("signs", 0), "eof_read"},
			{path("holders", 0, "sockets"), "4"},
			{path("listener"), nil},
			{path("peer"), nil},
			{path("callsite"), "app::fetch(int) (client.cc:42)"},
			{path("sockets", 0, "cookie"), "4a1f00"},
			{path("sockets", 0, "fd"), "12"},
			{path("sockets", 0, "at_least"), nil},
			{path("sockets", 1, "at_least"), true},
			{path("sockets", 3, "age_ms"), "2219000.000000"},
			{path("others"), "79701"},
			{path("advice", "verify", 1), "ls -l /proc/31163/fd/12"},
		}},
		{"unaccepted", all[2], []want{
			{path("listener", "laddr"), "::"},
			{path("listener", "lport"), "8080"},
			{path("listener", "waiting"), "129"},
			{path("listener", "comm"), "nginx"},
			{path("sockets", 0, "fd"), nil},
			{path("rate_per_min"), nil},
			{path("fd_limit"), nil},
			{path("fd_used"), nil},
			{path("exhausted_ms"), nil},
		}},
		{"outgoing", all[5], []want{
			{path("endpoint"), "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:5432"},
			{path("port"), nil},
			{path("exhausted_ms"), "0.000000"},
			{path("rate_per_min"), "0.000"},
		}},
		{"peer", all[6], []want{
			{path("peer", "pid"), "42"},
			{path("peer", "cookie"), "4b0001"},
			{path("peer", "state"), "CLOSE_WAIT"},
			{path("peer", "cause"), "unread_data"},
			{path("peer", "netns_name"), "container web"},
			{path("endpoints"), "312"},
			{path("leg", "pairs"), "4"},
			{path("leg", "finding"), all[0].ID},
		}},
		{"zombie", all[7], []want{
			{path("state"), "CLOSE"},
			{path("zombie"), true},
			{path("oldest_ms"), nil},
			{path("oldest_at_least"), true},
			{path("proven"), "0"},
			{path("sockets", 0, "age_ms"), nil},
		}},
		{"unowned", all[9], []want{{path("pid"), nil}, {path("comm"), nil}, {path("netns"), "4026532281"}, {path("netns_name"), "container web"}}},
		{"blank", blank, []want{
			{path("id"), nil},
			{path("status"), nil},
			{path("level"), nil},
			{path("cause"), nil},
			{path("direction"), nil},
			{path("oldest_ms"), nil},
			{path("exhausted_ms"), nil},
			{path("callsite"), nil},
			{path("into"), nil},
		}},
		{"odd", odd, []want{{path("rate_per_min"), nil}, {path("fd_share"), nil}}},
		{"merged", over()[2], []want{{path("status"), "merged"}, {path("into"), "00f067aa0ba90281"}}},
	} {
		got := readFinding(t, news(t, findingOptions(JSON, 0), test.f))
		for _, w := range test.want {
			if value := at(got, w.path...); value != w.value {
				t.Errorf("%s: %v is %v, want %v", test.name, w.path, value, w.value)
			}
		}
	}
}

// TestReportAndNewsAreAlikeInJSON reads the lines of both.
func TestReportAndNewsAreAlikeInJSON(t *testing.T) {
	o := findingOptions(JSON, 0)
	if report(t, o, findings()...) != news(t, o, findings()...) {
		t.Error("a report differs from news")
	}
	if lines := strings.Count(report(t, o, append(findings(), over()...)...), "\n"); lines != len(findings()) {
		t.Errorf("%d lines for %d findings", lines, len(findings()))
	}
}

// TestFindingJSONFields holds the order, which is a contract.
func TestFindingJSONFields(t *testing.T) {
	const want = "time event id status level state zombie cause pid comm netns direction endpoint port endpoints count proven " +
		"oldest_ms oldest_at_least rate_per_min fd_limit fd_used fd_held fd_share exhausted_ms signs holders other_holders " +
		"listener peer blames leg callsite into sockets others recv_q send_q advice call frames"
	line := news(t, findingOptions(JSON, 0), findings()[7])
	var got []string
	depth, name := 0, true
	decoder := json.NewDecoder(strings.NewReader(line))
	for {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		switch delim, _ := token.(json.Delim); {
		case delim == '{' || delim == '[':
			depth++
			name = depth == 1
		case delim == '}' || delim == ']':
			depth--
			name = depth == 1
		case depth == 1 && name:
			text, _ := token.(string)
			got, name = append(got, text), false
		case depth == 1:
			name = true
		}
	}
	if text := strings.Join(got, " "); text != want {
		t.Errorf("fields\n got %s\nwant %s", text, want)
	}
}

// anyFinding makes a finding of whatever numbers and bytes there are.
func anyFinding(name, address []byte, wide uint64, narrow uint32, small uint8) leak.Finding {
	addr, _ := netip.AddrFromSlice(address)
	ends := netip.AddrPortFrom(addr, uint16(wide))
	socket := tcp.Socket{
		Cookie: wide, Local: ends, Remote: netip.AddrPortFrom(addr, uint16(narrow)), NetNS: narrow, RecvQ: narrow,
		SendQ: uint32(wide), PID: narrow, Inode: narrow, State: tcp.State(small), Kind: tcp.Kind(small), Comm: comm(string(name)),
		Zombie: small&1 == 1, Orphan: small&2 == 2, Unaccepted: small&4 == 4,
		Holders: []tcp.Holder{{PID: narrow + uint32(small&8), FD: narrow, Comm: comm(string(name))}}[:small>>4&1],
	}
	d, n := time.Duration(wide), int(int64(wide))
	peer := &leak.Peer{
		Cookie: wide, NetNS: narrow, PID: narrow, Comm: comm(string(name)), State: tcp.State(small), Cause: leak.Cause(small),
		Finding: string(name), Sockets: n,
	}
	stuck := leak.Stuck{Socket: socket, Age: d, AtLeast: small&1 == 0, Cause: leak.Cause(small), Signs: leak.Signs(wide), Peer: peer}
	f := leak.Finding{
		ID: string(name), Status: leak.Status(small % 8), Level: leak.Level(small % 5), Count: n, Proven: int(narrow), Oldest: d,
		AtLeast: small&32 == 0, Signs: leak.Signs(narrow), RecvQ: wide, SendQ: uint64(narrow), Endpoints: n, Others: n,
		OtherHolders: n, Into: string(name), Blames: []string{string(name), ""}[:small&1],
		Key: leak.Key{
			PID: narrow, Comm: comm(string(name)), NetNS: narrow, Condition: leak.Condition(small) % (leak.Zombie + 1), Cause: leak.Cause(narrow),
			Direction: leak.Direction(small % 4), Endpoint: ends, CallSite: wide,
		},
		Growth: leak.Growth{Known: small&2 == 0, PerMinute: math.Float64frombits(wide), Over: d},
		FDs: leak.FDs{
			Known: small&4 == 0, Limit: wide, Used: n, Held: int(narrow), Share: math.Float64frombits(wide), Exhausted: d,
		},
		Holders: make([]leak.Process, small%19), Sample: []leak.Stuck{stuck, stuck, stuck, stuck}[:small%5],
	}
	for i := range f.Holders {
		f.Holders[i] = leak.Process{PID: narrow + uint32(i), Comm: comm(string(name)), Sockets: n}
	}
	if small&64 == 0 {
		f.Peer, f.Leg = peer, &leak.Leg{Finding: string(name), Pairs: n}
		f.Listener = &leak.Listener{Local: ends, PID: narrow, Comm: comm(string(name)), Waiting: narrow, Backlog: uint32(wide)}
	}
	return f
}

func FuzzFinding(f *testing.F) {
	for i, e := range samples() {
		f.Add(e.Comm[:], e.Remote.Addr().AsSlice(), e.Cookie<<(i%40), e.PID<<(i%20), uint8(i*11))
	}
	f.Add([]byte("\x1b]0;\a\r\n\xc2\x9b\u202e"), []byte{}, ^uint64(0), ^uint32(0), uint8(5))
	f.Add([]byte(`\"""""""""""""""`), make([]byte, 16), uint64(1)<<63, uint32(0x07070707), uint8(0))
	f.Add([]byte("                "), make([]byte, 4), uint64(0x7ff0000000000000), uint32(0), uint8(255))
	f.Fuzz(func(t *testing.T, name, address []byte, wide uint64, narrow uint32, small uint8) {
		finding := anyFinding(name, address, wide, narrow, small)
		for _, format := range []Format{Table, Wide, JSON} {
			for _, width := range []int{0, 80, leastWidth + int(small)} {
				o := findingOptions(format, width)
				o.Color = small&1 == 1
				o.CallSite = func(uint64) (Site, bool) {
					frame := Frame{Function: string(name), File: string(name), Module: string(name), Line: int(narrow), Guess: small&2 == 0}
					return Site{Call: string(name), Place: int(small) - 1, Frames: []Frame{frame, {PC: wide}}[:small%3]}, small&4 == 0
				}
				checkPage(t, o, report(t, o, finding, finding))
				line := news(t, o, finding)
				checkPage(t, o, line)
				if strings.Count(line, "\n") != 1 {
					t.Fatalf("%v: news in %d lines: %q", format, strings.Count(line, "\n"), line)
				}
			}
		}
	})
}
