package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// list returns what a List makes of sockets, measured or not.
func list(tb testing.TB, o ListOptions, measure bool, sockets ...tcp.Socket) string {
	tb.Helper()
	o.Time = snapshotTime
	var buf bytes.Buffer
	l := NewList(&buf, o)
	if measure {
		l.Measure(pointers(sockets))
	}
	for i := range sockets {
		if err := l.Socket(&sockets[i]); err != nil {
			tb.Fatal(err)
		}
	}
	if err := l.Flush(); err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

func TestListGolden(t *testing.T) {
	for _, test := range []struct {
		name    string
		o       ListOptions
		measure bool
	}{
		{"list", ListOptions{}, true},
		{"list-unmeasured", ListOptions{}, false},
		{"list-80", ListOptions{Width: 80}, true},
		{"list-100", ListOptions{Width: 100}, true},
		{"list-120", ListOptions{Width: 120, Holders: true}, true},
		{"list-color", ListOptions{Width: 120, Color: true}, true},
		{"list-names", ListOptions{Names: hostNames()}, true},
		{"list-wide", ListOptions{Format: Wide}, true},
		{"list-wide-names", ListOptions{Format: Wide, Names: hostNames(), Holders: true}, true},
		{"list-json", ListOptions{Format: JSON}, false},
		{"list-json-names", ListOptions{Format: JSON, Names: hostNames()}, true},
		{"list-csv", ListOptions{Format: CSV, Names: hostNames()}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.o.Header = true
			golden(t, test.name, list(t, test.o, test.measure, sockets()...))
		})
	}
}

func TestListNeverExceedsTheTerminal(t *testing.T) {
	for width := 1; width <= 260; width++ {
		for _, names := range []HostNames{{}, hostNames()} {
			for _, measure := range []bool{false, true} {
				o := ListOptions{Width: width, Color: true, Header: true, Holders: true, Names: names}
				for _, line := range lines(list(t, o, measure, sockets()...)) {
					if n := columns(bare(line)); n > width {
						t.Fatalf("%d columns where there are %d: %q", n, width, line)
					}
				}
			}
		}
	}
}

// TestListAligned looks where the titles are and what stands below them.
func TestListAligned(t *testing.T) {
	for _, o := range []ListOptions{{}, {Width: 80}, {Width: 120}, {Format: Wide}} {
		o.Header = true
		got := lines(list(t, o, true, sockets()...))
		for _, title := range []string{"STATE", "LOCAL", "REMOTE", "FD", "NETNS"} {
			at := strings.Index(" "+got[0]+" ", " "+title+" ")
			for _, row := range got[1:] {
				cells := []rune(row)
				if at >= 0 && (cells[at] == ' ' || at > 0 && cells[at-1] != ' ') {
					t.Errorf("%v %d: nothing begins below %s in %q", o.Format, o.Width, title, row)
				}
			}
		}
		for _, row := range got {
			if strings.HasSuffix(row, " ") {
				t.Errorf("%v %d: a space at the end of %q", o.Format, o.Width, row)
			}
		}
	}
}

func TestListMeasureMakesItNarrow(t *testing.T) {
	measured := lines(list(t, ListOptions{}, true, accepted()))
	usual := lines(list(t, ListOptions{}, false, accepted()))
	want := "CLOSE_WAIT >=37m02s      1      0 10.0.0.7:443 203.0.113.199:61234 1017 nginx 12+2 accept"
	if measured[0] != want {
		t.Errorf("\n got %s\nwant %s", measured[0], want)
	}
	if len(usual[0]) <= len(measured[0]) {
		t.Errorf("no wider without: %s", usual[0])
	}
}

func TestListColorChangesNoText(t *testing.T) {
	for _, o := range []ListOptions{{Width: 80}, {}, {Format: Wide}} {
		without := list(t, o, true, sockets()...)
		o.Color = true
		with := list(t, o, true, sockets()...)
		if bare(with) != without {
			t.Errorf("%v %d: another text with color", o.Format, o.Width)
		}
		for _, want := range []string{red + "ZOMBIE" + plain, yellow + "CLOSE_WAIT" + plain, dim + "(minisock)" + plain} {
			if !strings.Contains(with, want) {
				t.Errorf("%v %d: no %q", o.Format, o.Width, want)
			}
		}
	}
}

// TestListSaysWhatItIs looks for what tells kinds apart, at widths that people have.
func TestListSaysWhatItIs(t *testing.T) {
	waiting := leastKept(tcp.Full, tcp.CloseWait)
	waiting.Unaccepted = true
	owned := waiting
	owned.PID, owned.Comm, owned.Evidence = 1017, comm("nginx"), tcp.EvidenceListen
	orphan := leastKept(tcp.Full, tcp.LastAck)
	orphan.Orphan = true
	for _, test := range []struct {
		s     tcp.Socket
		width int
		want  string
	}{
		{waiting, 0, " (not accepted)"},
		{waiting, 80, " (queued)"},
		{owned, 0, " 1017 nginx    - listen, not accepted"},
		{owned, 80, " 1017 nginx    queued"},
		{owned, 121, " 1017 nginx    -      listen, not accepted"},
		{orphan, 80, " (orphan)"},
		{leastKept(tcp.Minisock, tcp.FinWait2), 80, " (minisock)"},
		{leastKept(tcp.Request, tcp.SynRecv), 80, " (request)"},
	} {
		got := lines(list(t, ListOptions{Width: test.width}, false, test.s))[0]
		if !strings.Contains(strings.Join(strings.Fields(got), " "), strings.Join(strings.Fields(test.want), " ")) {
			t.Errorf("width %d: no %q in %q", test.width, test.want, got)
		}
	}
}

func TestListDescriptors(t *testing.T) {
	for _, test := range []struct {
		pid     uint32
		holders []tcp.Holder
		want    string
	}{
		{7, nil, "-"},
		{0, nil, "-"},
		{7, []tcp.Holder{{PID: 7, FD: 0}}, "0"},
		{7, []tcp.Holder{{PID: 6, FD: 9}, {PID: 7, FD: 12}, {PID: 7, FD: 13}}, "12+2"},
		{7, []tcp.Holder{{PID: 6, FD: 9}}, "+1"},
		{0, []tcp.Holder{{PID: 6, FD: 9}, {PID: 8, FD: 9}}, "+2"},
	} {
		s := accepted()
		s.PID, s.Holders, s.Evidence, s.Comm = test.pid, test.holders, tcp.EvidenceNone, comm("x")
		got := strings.Fields(list(t, ListOptions{}, true, s))
		if fd := got[len(got)-2]; fd != test.want {
			t.Errorf("%+v: %s, want %s", test.holders, fd, test.want)
		}
	}
}

func TestListHolders(t *testing.T) {
	one := accepted()
	one.Holders = one.Holders[1:2]
	got := lines(list(t, ListOptions{Holders: true}, true, accepted(), one))
	want := []string{"    1016 nginx    fd 9", "    1017 nginx    fd 12", "    1018 php-fpm  fd 12"}
	if len(got) != 5 || strings.Join(got[1:4], "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q between two sockets", got, want)
	}
}

func TestListServices(t *testing.T) {
	s := accepted()
	got := list(t, ListOptions{Names: hostNames()}, true, s)
	if !strings.Contains(got, " 10.0.0.7:https ") || !strings.Contains(got, " 203.0.113.199:61234 ") {
		t.Errorf("got %q, want the one port's name and the other's number", got)
	}
	if got := list(t, ListOptions{Names: hostNames(), Width: 50}, false, s); strings.Contains(got, "\x1b") {
		t.Errorf("got %q", got)
	}
}

func TestListHeaderWithoutSockets(t *testing.T) {
	for _, format := range []Format{Table, Wide, JSON, CSV} {
		got := list(t, ListOptions{Format: format, Header: true}, true)
		if want := format != JSON; (strings.Count(got, "\n") == 1) != want {
			t.Errorf("%v: %q", format, got)
		}
	}
}

func TestListErrorStays(t *testing.T) {
	to := &writes{failAt: 1}
	l, s := NewList(to, ListOptions{Format: JSON}), accepted()
	if err := l.Socket(&s); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{l.Flush(), l.Socket(&s), l.Flush()} {
		if !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
	}
	if to.calls != 1 {
		t.Errorf("%d writes, want none after the failed one", to.calls)
	}
}

// TestListAsksOnce for each namespace and cgroup.
func TestListAsksOnce(t *testing.T) {
	asked := map[string]int{}
	names := HostNames{
		NetNS:     func(inode uint32) string { asked[fmt.Sprint("netns ", inode)]++; return "" },
		Cgroup:    func(id uint64) string { asked[fmt.Sprint("cgroup ", id)]++; return "" },
		Container: func(id uint64) string { asked[fmt.Sprint("container ", id)]++; return "" },
	}
	for _, format := range []Format{Wide, JSON, CSV} {
		clear(asked)
		list(t, ListOptions{Format: format, Names: names}, true, sockets()...)
		for what, times := range asked {
			if times != 1 {
				t.Errorf("%v: %d times %s", format, times, what)
			}
		}
		if len(asked) == 0 {
			t.Errorf("%v: nothing asked", format)
		}
	}
}

var listFormats = []ListOptions{
	{Width: 100, Color: true, Holders: true}, {}, {Format: Wide}, {Format: JSON}, {Format: CSV},
}

func TestListAllocs(t *testing.T) {
	all := sockets()
	for _, o := range listFormats {
		o.Names = hostNames()
		o.Names.Service = func(uint16) string { return "https" }
		l := NewList(io.Discard, o)
		l.Measure(pointers(all))
		each := func() {
			for i := range all {
				if err := l.Socket(&all[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		each()
		if allocs := testing.AllocsPerRun(50, each); allocs != 0 {
			t.Errorf("%v: %v allocations in %d sockets", o.Format, allocs, len(all))
		}
	}
}

// benchmarkList writes 10,000 sockets; all of them are one operation.
func benchmarkList(b *testing.B, o ListOptions) {
	all := make([]tcp.Socket, 10_000)
	kinds := sockets()[:11]
	for i := range all {
		all[i] = kinds[i%len(kinds)]
	}
	b.ReportAllocs()
	for b.Loop() {
		l := NewList(io.Discard, o)
		l.Measure(pointers(all))
		for i := range all {
			if err := l.Socket(&all[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := l.Flush(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListTable(b *testing.B) { benchmarkList(b, ListOptions{Width: 120, Color: true}) }
func BenchmarkListWide(b *testing.B)  { benchmarkList(b, ListOptions{Format: Wide}) }
func BenchmarkListJSON(b *testing.B)  { benchmarkList(b, ListOptions{Format: JSON}) }
func BenchmarkListCSV(b *testing.B)   { benchmarkList(b, ListOptions{Format: CSV}) }

func pointers(sockets []tcp.Socket) []*tcp.Socket {
	all := make([]*tcp.Socket, len(sockets))
	for i := range sockets {
		all[i] = &sockets[i]
	}
	return all
}
