package output

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// rows returns the lines of a table.
func rows(tb testing.TB, o Options, events ...tcp.Event) []string {
	tb.Helper()
	return strings.Split(strings.TrimSuffix(render(tb, o, events...), "\n"), "\n")
}

// bare returns text without the sequences that color it.
func bare(text string) string {
	return strings.NewReplacer(dim, "", red, "", green, "", yellow, "", plain, "").Replace(text)
}

func TestTableNeverExceedsTheTerminal(t *testing.T) {
	for width := 1; width <= 260; width++ {
		for _, style := range []TimeStyle{Clock, Full, Relative, None} {
			for _, row := range rows(t, Options{Width: width, Time: style, Color: true, Header: true}, samples()...) {
				if n := columns(bare(row)); n > width {
					t.Fatalf("%d columns where there are %d: %q", n, width, row)
				}
			}
		}
	}
}

func TestTableColorChangesNoText(t *testing.T) {
	for _, o := range []Options{{Width: 80}, {Width: 120}, {}, {Format: Wide}} {
		o.Header = true
		without := render(t, o, samples()...)
		o.Color = true
		with := render(t, o, samples()...)
		if bare(with) != without {
			t.Errorf("%v %d: another text with color", o.Format, o.Width)
		}
		if with == without {
			t.Errorf("%v %d: no color", o.Format, o.Width)
		}
	}
}

func TestTableColors(t *testing.T) {
	reset := client()
	reset.Old, reset.New, reset.Reason = tcp.Established, tcp.Close, tcp.ReasonResetReceived
	stuck := client()
	stuck.Old, stuck.New = tcp.Established, tcp.CloseWait
	orderly := client()
	orderly.Old, orderly.New, orderly.Reason = tcp.FinWait2, tcp.Close, tcp.ReasonFinLocal
	for _, test := range []struct {
		e    tcp.Event
		want string
	}{
		{reset, green + "ESTABLISHED" + plain + " -> CLOSE " + red + "reset received" + plain},
		{stuck, green + "ESTABLISHED" + plain + " -> " + yellow + "CLOSE_WAIT" + plain},
		{orderly, yellow + "FIN_WAIT2" + plain + "   -> CLOSE FIN by us"},
	} {
		row := render(t, Options{Color: true}, test.e)
		if !strings.HasSuffix(row, test.want+"\n") {
			t.Errorf("%q does not end in %q", row, test.want)
		}
		if !strings.HasPrefix(row, dim) {
			t.Errorf("the time is not dim: %q", row)
		}
	}
}

// TestTableAligned looks where the arrows are.
func TestTableAligned(t *testing.T) {
	for _, width := range []int{0, 120, 150, 200} {
		want := -1
		for _, row := range rows(t, Options{Width: width, Header: true}, connection()...) {
			at := columns(row[:strings.Index(row, "->")])
			if want < 0 {
				want = at
			}
			if at != want {
				t.Errorf("width %d: the arrow is in column %d, want %d: %s", width, at, want, row)
			}
		}
	}
}

// TestTableStaysWide after something wide has come.
func TestTableStaysWide(t *testing.T) {
	narrow := client()
	narrow.Old, narrow.New = tcp.Established, tcp.FinWait1
	wide := narrow
	wide.PID, wide.Comm = 4194304, comm("systemd-resolve")
	wide.Remote = netip.MustParseAddrPort("[2001:db8:85a3:8d3:1319:8a2e:370:7348]:65535")
	for _, o := range []Options{{}, {Width: 250}, {Format: Wide}} {
		got := rows(t, o, narrow, wide, narrow, wide)
		at := func(i int) int { return strings.Index(got[i], "->") }
		if at(0) >= at(1) || at(2) != at(1) || at(3) != at(1) {
			t.Errorf("%v %d: arrows in columns %d, %d, %d, %d", o.Format, o.Width, at(0), at(1), at(2), at(3))
		}
	}
}

// TestTableAtEveryUsualWidth has what a reader must find there.
func TestTableAtEveryUsualWidth(t *testing.T) {
	e := server()
	e.Old, e.New, e.InOld = tcp.Established, tcp.CloseWait, 1_234_567
	for _, test := range []struct {
		width int
		want  string
	}{
		{80, "16:30:05  1017 nginx  :443   203.0.113.199:61234 1.23ms ESTAB->CLOSE_WAIT"},
		{100, "16:30:05.123  1017 nginx    :443   203.0.113.199:61234   1.23ms ESTAB->CLOSE_WAIT"},
		{120, "16:30:05.123  1017 nginx    10.0.0.7:443          203.0.113.199:61234   1.23ms ESTABLISHED -> CLOSE_WAIT"},
		{140, "16:30:05.123456  1017 nginx    accept  10.0.0.7:443          203.0.113.199:61234   1.23ms " +
			"ESTABLISHED -> CLOSE_WAIT"},
	} {
		e.Time = newScript().now
		if got := rows(t, Options{Width: test.width}, e)[0]; got != test.want {
			t.Errorf("width %d\n got %s\nwant %s", test.width, got, test.want)
		}
	}
}

func TestTableUnknownOwner(t *testing.T) {
	e := server()
	e.PID, e.Evidence, e.Old, e.New, e.InOld = 0, tcp.EvidenceNone, tcp.Established, tcp.CloseWait, tcp.Unknown
	want := "    - -        -       10.0.0.7:443          203.0.113.199:61234        - ESTABLISHED -> CLOSE_WAIT"
	if got := rows(t, Options{Time: None}, e)[0]; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// TestTableShowsMissed wherever there is room for a mark.
func TestTableShowsMissed(t *testing.T) {
	e := server()
	e.Old, e.New, e.Missed = tcp.CloseWait, tcp.LastAck, true
	for width, want := range map[int]string{80: "CLOSE_WAIT->LAST_ACK !", 120: "LAST_ACK (missed before)"} {
		if got := rows(t, Options{Width: width}, e)[0]; !strings.HasSuffix(got, want) {
			t.Errorf("width %d: %q does not end in %q", width, got, want)
		}
	}
}

func TestWideHasEveryTotal(t *testing.T) {
	e := client()
	e.Old, e.New, e.InOld, e.SRTT = tcp.FinWait2, tcp.Close, 5, 1_342_000
	e.BytesSent, e.BytesRecv, e.Retrans, e.Errno = 123_456_789_012, 7, 3, 104
	e.Reason, e.Next = tcp.ReasonFinLocal, tcp.TimeWait
	want := "4a1f03 4026531840 10412 1000 48213 ECONNRESET 123456789012 7 3 1.34ms TIME_WAIT FIN by us"
	row := rows(t, Options{Format: Wide}, e)[0]
	if got := strings.Join(strings.Fields(row), " "); !strings.HasSuffix(got, want) {
		t.Errorf("%s does not end in %s", got, want)
	}
}

// TestWideAligned compares where the header's words and the cells below them are.
func TestWideAligned(t *testing.T) {
	got := rows(t, Options{Format: Wide, Header: true}, connection()...)
	for i, row := range got {
		if len(row) < len(got[0])-len("NEXT      REASON") {
			t.Fatalf("row %d is short: %s", i, row)
		}
	}
	for _, title := range []string{"COMM", "VIA", "LOCAL", "REMOTE", "ERRNO", "NEXT"} {
		at := strings.Index(got[0], " "+title+" ") + 1
		for _, row := range got[1:] {
			if row[at-1] != ' ' || row[at] == ' ' {
				t.Errorf("%s does not begin in column %d: %s", title, at, row)
			}
		}
	}
}

func TestNoTrailingSpace(t *testing.T) {
	for _, o := range []Options{{}, {Width: 80}, {Format: Wide}, {Format: Wide, Header: true}} {
		for i, row := range rows(t, o, samples()...) {
			if strings.HasSuffix(row, " ") {
				t.Errorf("%v %d, row %d: %q", o.Format, o.Width, i, row)
			}
		}
	}
}

func ExampleWriter() {
	e := client()
	e.Time, e.Old, e.New, e.InOld = newScript().now, tcp.SynSent, tcp.Established, 1_204_113
	var text strings.Builder
	w := New(&text, Options{Width: 120, Location: zone})
	if err := w.Event(&e); err != nil {
		fmt.Println(err)
	}
	if err := w.Flush(); err != nil {
		fmt.Println(err)
	}
	fmt.Print(text.String())
	// Output: 16:30:05.123 48213 curl     192.168.10.25:54321   93.184.216.34:443     1.20ms SYN_SENT    -> ESTABLISHED
}
