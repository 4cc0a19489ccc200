package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// someCounts are those of a busy host.
func someCounts() tcp.Counts {
	return tcp.Counts{
		States: [tcp.States + 1]uint64{
			tcp.Listen: 24, tcp.SynSent: 1, tcp.Established: 12_345, tcp.FinWait2: 3, tcp.TimeWait: 28_231, tcp.CloseWait: 612,
		},
		Zombies: 7,
	}
}

func writeCounts(tb testing.TB, c tcp.Counts, o CountOptions) string {
	tb.Helper()
	var buf bytes.Buffer
	if err := WriteCounts(&buf, &c, snapshotTime, o); err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}

var groupColumns = []Column{{Name: "remote_addr"}, {Name: "comm"}, {Name: "remote_port", Number: true}, {Name: "cgroup"}}

// someGroups has values that are long, unknown or hostile.
func someGroups() []Group {
	return []Group{
		{[]string{"10.0.0.1", "nginx", "443", "/system.slice/nginx.service"}, 612, ages[4].age},
		{[]string{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "systemd-resolve", "65535", "/" + strings.Repeat("kubepods.slice/", 20)}, 300, ages[2].age},
		{[]string{"", "", "", ""}, 88, tcp.Age{}},
		{[]string{"10.0.0.2", "\x1b[2J,\"\n\u202e", "80", "=HYPERLINK(1)"}, 1, ages[5].age},
		{[]string{"(others)", "", "(others)"}, 40_000, ages[6].age},
	}
}

func writeGroups(tb testing.TB, groups []Group, o CountOptions) string {
	tb.Helper()
	var buf bytes.Buffer
	if err := WriteGroups(&buf, groupColumns, groups, 41_001, snapshotTime, o); err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}

func TestCountGolden(t *testing.T) {
	for _, test := range []struct {
		name string
		o    CountOptions
	}{
		{"", CountOptions{}},
		{"-80", CountOptions{Width: 80}},
		{"-color", CountOptions{Width: 40, Color: true}},
		{"-json", CountOptions{Format: JSON}},
		{"-csv", CountOptions{Format: CSV}},
	} {
		test.o.Header = true
		t.Run(test.name, func(t *testing.T) {
			golden(t, "count"+test.name, writeCounts(t, someCounts(), test.o))
			golden(t, "group"+test.name, writeGroups(t, someGroups(), test.o))
		})
	}
}

func TestCountNeverExceedsTheTerminal(t *testing.T) {
	large := someCounts()
	large.States[tcp.Established] = 123_456_789_012
	for width := 20; width <= 200; width++ {
		o := CountOptions{Width: width, Header: true, Color: true}
		text := writeCounts(t, someCounts(), o) + writeCounts(t, large, o) + writeCounts(t, tcp.Counts{}, o) +
			writeGroups(t, someGroups(), o) + writeGroups(t, nil, o)
		for _, line := range lines(text) {
			if n := columns(bare(line)); n > width {
				t.Fatalf("%d columns where there are %d: %q", n, width, line)
			}
			if strings.HasSuffix(line, " ") {
				t.Fatalf("a space at the end of %q", line)
			}
		}
	}
	for width := 1; width < 20; width++ { // nobody has such a terminal
		writeCounts(t, large, CountOptions{Width: width, Header: true})
		writeGroups(t, someGroups(), CountOptions{Width: width, Header: true})
	}
}

// TestCountHasEveryState in every format, zeros included, and adds up.
func TestCountHasEveryState(t *testing.T) {
	c := someCounts()
	table, object := writeCounts(t, c, CountOptions{}), decode(t, writeCounts(t, c, CountOptions{Format: JSON}))
	record := readCSV(t, writeCounts(t, c, CountOptions{Format: CSV, Header: true}))[0]
	inTable := map[string]string{}
	for _, line := range lines(table) {
		fields := strings.Fields(line)
		inTable[fields[0]] = fields[1]
	}
	want := map[string]uint64{"ZOMBIE": c.Zombies, "total": c.Total()}
	for state := tcp.Established; state.Valid(); state++ {
		want[state.String()] = c.States[state]
	}
	if len(want) != tcp.States+2 || len(inTable) != len(want) || len(object) != len(want)+2 || len(record) != len(want)+2 {
		t.Errorf("%d in a table, %d in JSON, %d in CSV", len(inTable), len(object), len(record))
	}
	inTable["total"] = inTable["TOTAL"]
	for name, n := range want {
		text := string(appendUint(nil, n))
		if inTable[name] != text || object[name] != json.Number(text) || record[name] != text {
			t.Errorf("%s: %s, in JSON %v, in CSV %s, want %s", name, inTable[name], object[name], record[name], text)
		}
	}
	if object["event"] != "count" || object["time"] != "2026-11-21T14:30:05.123456789Z" || record["time"] != object["time"] {
		t.Errorf("%v %v", object["event"], object["time"])
	}
}

func TestBar(t *testing.T) {
	for _, test := range []struct {
		n, most uint64
		want    string
	}{
		{8, 8, "██"},
		{4, 8, "█"},
		{1, 8, "▎"},
		{1, 1_000_000, "▏"},
		{5, 8, "█▎"},
		{math.MaxUint64, math.MaxUint64, "██"},
	} {
		if got := string(appendBar(nil, test.n, test.most, 2)); got != test.want {
			t.Errorf("%d of %d is %q, want %q", test.n, test.most, got, test.want)
		}
	}
}

func TestGroupJSON(t *testing.T) {
	got := lines(writeGroups(t, someGroups(), CountOptions{Format: JSON}))
	for i, test := range []map[string]any{
		{
			"remote_addr": "10.0.0.1", "comm": "nginx", "remote_port": json.Number("443"), "count": json.Number("612"),
			"total": json.Number("41001"), "oldest_ms": nil, "oldest_at_least_ms": json.Number("2222000.000000"),
			"oldest_at_most_ms": nil, "oldest_source": "last_ack", "event": "group",
		},
		{"oldest_ms": json.Number("252000.000000")},
		{"remote_addr": nil, "comm": nil, "remote_port": nil, "cgroup": nil, "oldest_source": nil},
		{"comm": "\x1b[2J,\"\n\u202e"},
		{"remote_addr": "(others)", "remote_port": "(others)", "cgroup": nil},
	} {
		object := decode(t, got[i]+"\n")
		if len(object) != 4+len(groupColumns)+4 {
			t.Errorf("line %d has %d fields", i, len(object))
		}
		for name, want := range test {
			if object[name] != want {
				t.Errorf("line %d: %s is %v, want %v", i, name, object[name], want)
			}
		}
	}
}

func TestGroupCSV(t *testing.T) {
	records := readCSV(t, writeGroups(t, someGroups(), CountOptions{Format: CSV, Header: true}))
	if got := records[3]["comm"]; got != `?[2J,"????` {
		t.Errorf("comm is %q", got)
	}
	if got := records[3]["cgroup"]; got != "'=HYPERLINK(1)" {
		t.Errorf("cgroup is %q", got)
	}
	if got := records[2]; got["remote_addr"] != "" || got["oldest_at_least_ms"] != "" || got["count"] != "88" {
		t.Errorf("unknown is %v", got)
	}
}

func TestGroupIsNumber(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "443": true, "": false, "007": false, "-1": false, "1e5": false, "x": false} {
		if isNumber(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestShare(t *testing.T) {
	for _, test := range []struct {
		n, total uint64
		want     string
	}{{0, 10, "0%"}, {1, 1000, "<1%"}, {1, 3, "33%"}, {2, 3, "67%"}, {5, 5, "100%"}, {11, 10, "100%"}, {0, 0, "-"}} {
		if got := string(appendShare(nil, test.n, test.total)); got != test.want {
			t.Errorf("%d of %d is %s, want %s", test.n, test.total, got, test.want)
		}
	}
}

func TestCountErrors(t *testing.T) {
	c := someCounts()
	for _, format := range []Format{Table, JSON, CSV} {
		o := CountOptions{Format: format}
		if err := WriteCounts(&writes{failAt: 1}, &c, 0, o); !errors.Is(err, errFull) {
			t.Errorf("counts, %v: %v", format, err)
		}
		if err := WriteGroups(&writes{failAt: 1}, groupColumns, someGroups(), 1, 0, o); !errors.Is(err, errFull) {
			t.Errorf("groups, %v: %v", format, err)
		}
	}
}

func FuzzGroup(f *testing.F) {
	f.Add("\x1b[2J\n", uint64(5), uint64(3), int64(time.Second), 40)
	f.Add("caf\u00e9\xff\u202e\",", uint64(math.MaxUint64), uint64(0), int64(-1), 1)
	f.Fuzz(func(t *testing.T, text string, n, total uint64, age int64, width int) {
		groups := []Group{{[]string{text, text}, n, tcp.Age{Source: tcp.AgeTimer, AtLeast: time.Duration(age), AtMost: time.Duration(age) + 5}}}
		for _, o := range []CountOptions{{Format: JSON}, {Format: CSV}, {}, {Width: 30 + width&127}} {
			var buf bytes.Buffer
			if err := WriteGroups(&buf, groupColumns[1:3], groups, total, age, o); err != nil {
				t.Fatal(err)
			}
			checkLine(t, Options{Format: o.Format, Width: o.Width}, buf.String())
		}
	})
}
