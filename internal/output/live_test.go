package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// someSamples are the first of a run, one of a busy second, and one in which nothing happened.
func someSamples() []LiveSample {
	first := LiveSample{Time: snapshotTime, Counts: someCounts(), Reconciled: true}
	busy := LiveSample{
		Time: snapshotTime + 2e9, Elapsed: 2 * time.Second, Counts: someCounts(), Drift: 2, Missed: 3, Lost: 4,
	}
	busy.Counts.States[tcp.Established] += 1234
	busy.Counts.States[tcp.CloseWait] -= 12
	busy.Transitions[tcp.Listen][tcp.SynRecv] = 2_000_000
	busy.Transitions[tcp.SynRecv][tcp.Established] = 2_000_000
	busy.Transitions[tcp.Listen][tcp.Close] = 1
	busy.Transitions[tcp.Established][tcp.CloseWait] = 30
	busy.Transitions[tcp.CloseWait][tcp.LastAck] = 42
	busy.Transitions[tcp.FinWait1][tcp.FinWait1] = 5
	idle := busy
	idle.Time, idle.Transitions = busy.Time+2e9, [tcp.States + 1][tcp.States + 1]uint64{}
	return []LiveSample{first, busy, idle}
}

func live(tb testing.TB, o LiveOptions, samples ...LiveSample) string {
	tb.Helper()
	o.Location = zone
	var buf bytes.Buffer
	l := NewLive(&buf, o)
	for i := range samples {
		if err := l.Sample(&samples[i]); err != nil {
			tb.Fatal(err)
		}
	}
	return buf.String()
}

func TestLiveGolden(t *testing.T) {
	for _, test := range []struct {
		name string
		o    LiveOptions
	}{
		{"live", LiveOptions{}},
		{"live-matrix", LiveOptions{Matrix: true}},
		{"live-80", LiveOptions{CountOptions: CountOptions{Width: 80}, Matrix: true}},
		{"live-40", LiveOptions{CountOptions: CountOptions{Width: 40}, Matrix: true}},
		{"live-redraw", LiveOptions{CountOptions: CountOptions{Width: 80, Color: true}, Redraw: true}},
		{"live-json", LiveOptions{CountOptions: CountOptions{Format: JSON}}},
		{"live-csv", LiveOptions{CountOptions: CountOptions{Format: CSV}}},
	} {
		test.o.Header = true
		t.Run(test.name, func(t *testing.T) { golden(t, test.name, live(t, test.o, someSamples()...)) })
	}
}

// crowded has a transition between any two states.
func crowded() LiveSample {
	s := someSamples()[1]
	for from := range s.Transitions[1:] {
		for to := range s.Transitions[1:] {
			s.Transitions[from+1][to+1] = uint64(from*to) * 99_999
		}
	}
	return s
}

func TestLiveNeverExceedsTheTerminal(t *testing.T) {
	for width := 20; width <= 200; width++ {
		o := LiveOptions{CountOptions: CountOptions{Width: width, Header: true, Color: true}, Matrix: true}
		for _, line := range lines(live(t, o, append(someSamples(), crowded())...)) {
			if n := columns(bare(line)); n > width {
				t.Fatalf("%d columns where there are %d: %q", n, width, line)
			}
			if strings.HasSuffix(line, " ") {
				t.Fatalf("a space at the end of %q", line)
			}
		}
	}
}

func TestLiveMatrixFits100Columns(t *testing.T) {
	o := LiveOptions{CountOptions: CountOptions{Width: 100}, Matrix: true}
	got := lines(live(t, o, crowded()))
	matrix := got[len(got)-tcp.States-1:]
	if fields := strings.Fields(matrix[0]); len(fields) != 3+tcp.States {
		t.Errorf("the matrix begins with %q", matrix[0])
	}
	for i, state := range lifeCycle {
		if fields := strings.Fields(matrix[i+1]); len(fields) != 1+tcp.States || fields[0] != state.String() {
			t.Errorf("row %d is %q", i, matrix[i+1])
		}
	}
}

// TestFlow has a child's birth, which does not make its listener leave, and a self-transition, which is no move.
func TestFlow(t *testing.T) {
	s := someSamples()[1]
	for _, test := range []struct {
		state   tcp.State
		in, out uint64
	}{
		{tcp.Listen, 0, 1},
		{tcp.SynRecv, 2_000_000, 2_000_000},
		{tcp.Established, 2_000_000, 30},
		{tcp.CloseWait, 30, 42},
		{tcp.FinWait1, 0, 0},
		{tcp.Close, 1, 0},
	} {
		if in, out := flow(&s, test.state); in != test.in || out != test.out {
			t.Errorf("%v: %d in, %d out, want %d and %d", test.state, in, out, test.in, test.out)
		}
	}
}

// TestLiveRatesOfWhatIsNotTraced are unknown and not zero.
func TestLiveRatesOfWhatIsNotTraced(t *testing.T) {
	s := someSamples()[1]
	if in, out := rates(&s, tcp.TimeWait); in != "-" || out != "-" {
		t.Errorf("TIME_WAIT: %s in, %s out", in, out)
	}
	s.Transitions[tcp.FinWait2][tcp.TimeWait] = 4
	if in, out := rates(&s, tcp.TimeWait); in != "2.0" || out != "0" {
		t.Errorf("TIME_WAIT, when told of: %s in, %s out", in, out)
	}
}

func TestLiveRedraw(t *testing.T) {
	o := LiveOptions{CountOptions: CountOptions{Width: 80, Header: true}, Redraw: true, Matrix: true, Height: 10}
	var to writes
	l := NewLive(&to, o)
	for _, s := range someSamples() {
		to.Reset()
		if err := l.Sample(&s); err != nil {
			t.Fatal(err)
		}
		got := to.String()
		if !strings.HasPrefix(got, cursorHome) || !strings.HasSuffix(got, clearBelow) {
			t.Errorf("got %q", got)
		}
		if n := strings.Count(got, "\n"); n != 9 || strings.Count(got, clearToEnd+"\n") != n {
			t.Errorf("%d lines on a terminal of ten: %q", n, got)
		}
	}
	if to.calls != 3 {
		t.Errorf("%d writes of three samples", to.calls)
	}
}

func TestLiveUnknownOfTheFirst(t *testing.T) {
	got := lines(live(t, LiveOptions{}, someSamples()[0]))
	if fields := strings.Fields(got[1]); strings.Join(fields, " ") != "LISTEN 24 - - -" {
		t.Errorf("got %q", got[1])
	}
	object := decode(t, live(t, LiveOptions{CountOptions: CountOptions{Format: JSON}}, someSamples()[0]))
	if object["interval_ms"] != nil || object["reconciled"] != true || len(object["transitions"].(map[string]any)) != 0 {
		t.Errorf("got %v", object)
	}
}

func TestLiveJSON(t *testing.T) {
	object := decode(t, live(t, LiveOptions{CountOptions: CountOptions{Format: JSON}}, someSamples()[1]))
	want := map[string]any{
		"LISTEN>SYN_RECV": json.Number("2000000"), "SYN_RECV>ESTABLISHED": json.Number("2000000"), "LISTEN>CLOSE": json.Number("1"),
		"ESTABLISHED>CLOSE_WAIT": json.Number("30"), "CLOSE_WAIT>LAST_ACK": json.Number("42"), "FIN_WAIT1>FIN_WAIT1": json.Number("5"),
	}
	if fmt.Sprint(object["transitions"]) != fmt.Sprint(want) {
		t.Errorf("transitions %v, want %v", object["transitions"], want)
	}
	for name, want := range map[string]any{
		"event": "count", "interval_ms": json.Number("2000.000000"), "ESTABLISHED": json.Number("13579"),
		"ZOMBIE": json.Number("7"), "drift": json.Number("2"), "missed": json.Number("3"), "lost": json.Number("4"), "reconciled": nil,
	} {
		if object[name] != want {
			t.Errorf("%s is %v, want %v", name, object[name], want)
		}
	}
}

func TestLiveCSV(t *testing.T) {
	text := live(t, LiveOptions{CountOptions: CountOptions{Format: CSV, Header: true}}, someSamples()...)
	records := readCSV(t, text)
	if len(records) != 3 || records[0]["interval_ms"] != "" || records[1]["interval_ms"] != "2000.000000" {
		t.Errorf("got %q", text)
	}
	const want = "LISTEN>SYN_RECV:2000000 LISTEN>CLOSE:1 SYN_RECV>ESTABLISHED:2000000 ESTABLISHED>CLOSE_WAIT:30 " +
		"FIN_WAIT1>FIN_WAIT1:5 CLOSE_WAIT>LAST_ACK:42"
	if got := records[1]["transitions"]; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLiveErrorStays(t *testing.T) {
	to := &writes{failAt: 1}
	l, s := NewLive(to, LiveOptions{}), someSamples()[0]
	for range 2 {
		if err := l.Sample(&s); !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
	}
	if to.calls != 1 {
		t.Errorf("%d writes, want none after the failed one", to.calls)
	}
}

func TestRate(t *testing.T) {
	for _, test := range []struct {
		n       uint64
		elapsed time.Duration
		want    string
	}{
		{5, 0, "-"},
		{0, time.Second, "0"},
		{1, time.Minute, "<0.1"},
		{1, 4 * time.Second, "0.2"},
		{199, 2 * time.Second, "99.5"},
		{1_999_999, 2 * time.Second, "1.00M"},
		{1 << 63, 1, "999T"},
		{25_000, time.Second, "25000"},
	} {
		if got := rate(test.n, test.elapsed); got != test.want {
			t.Errorf("%d in %v is %s, want %s", test.n, test.elapsed, got, test.want)
		}
	}
}

func TestBrief(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0", 99_999: "99999", 123_456: "123k", 1_239_999: "1.23M", 12_345_678: "12.3M", 4_294_967_295: "4.29G", 5e12: "5.00T", 1 << 63: "999T",
	} {
		if got := string(appendBrief(nil, n)); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
