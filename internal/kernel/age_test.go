package kernel

import (
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// testTicks are those of a kernel with HZ=250.
var testTicks = ticks{length: 4 * time.Millisecond}

const testNow = 1_000 * time.Second // since boot

// sampleFull is a look at a connection that has not moved for a while, on a host that is up for testNow.
func sampleFull() snapshotFullRow {
	row := snapshotFullRow{LastSent: 100, LastReceived: 200, LastAck: 50}
	row.Head.Kind = uint8(snapshotRowKindROW_FULL)
	row.Head.State = uint8(tcp.Established)
	row.Head.Flags = uint8(snapshotRowFlagsROW_CONNECTED)
	row.Head.Cookie = 1
	row.Head.NowNs = uint64(testNow)
	row.Head.Jiffies = uint64(testNow / testTicks.length)
	return row
}

// checkAge wants what an age must be to mean anything.
func checkAge(t *testing.T, a tcp.Age) {
	t.Helper()
	switch {
	case !a.Known() && a != tcp.Age{}:
		t.Errorf("unknown age with bounds: %+v", a)
	case a.AtLeast < 0, a.AtMost != tcp.Unknown && a.AtMost < a.AtLeast:
		t.Errorf("age out of order: %+v", a)
	}
}

func TestAgeOfFull(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name   string
		state  tcp.State
		change func(*snapshotFullRow)
		want   tcp.Age
	}{
		{"between", tcp.Established, nil, tcp.Age{Source: tcp.AgeLastData, AtLeast: 796 * ms, AtMost: tcp.Unknown}},
		{
			"sent first", tcp.Established, func(r *snapshotFullRow) { r.LastSent = 300 },
			tcp.Age{Source: tcp.AgeLastData, AtLeast: 1196 * ms, AtMost: tcp.Unknown},
		},
		{
			"this very jiffy", tcp.Established, func(r *snapshotFullRow) { r.LastSent, r.LastReceived = 0, 0 },
			tcp.Age{Source: tcp.AgeLastData, AtMost: tcp.Unknown},
		},
		{"peer's ACKs go on", tcp.CloseWait, nil, tcp.Age{Source: tcp.AgeLastAck, AtLeast: 196 * ms, AtMost: 804 * ms}},
		{"FIN in the jiffy of the data", tcp.CloseWait, func(r *snapshotFullRow) { r.LastReceived = 50 }, tcp.ExactAge(tcp.AgeLastAck, 200*ms)},
		{
			"FIN a jiffy after the data", tcp.CloseWait, func(r *snapshotFullRow) { r.LastReceived = 51 },
			tcp.Age{Source: tcp.AgeLastAck, AtLeast: 196 * ms, AtMost: 208 * ms},
		},
		{
			"all this very jiffy", tcp.CloseWait, func(r *snapshotFullRow) { r.LastReceived, r.LastAck = 0, 0 },
			tcp.ExactAge(tcp.AgeLastAck, 2*ms),
		},
		{ // an ACK that came earlier than the data proves nothing new
			"ACK before the data", tcp.CloseWait, func(r *snapshotFullRow) { r.LastReceived = 20 },
			tcp.ExactAge(tcp.AgeLastAck, 196*ms),
		},
		{"simultaneous", tcp.Closing, nil, tcp.Age{Source: tcp.AgeLastAck, AtLeast: 196 * ms, AtMost: 804 * ms}},
		{"peer's ACKs go on", tcp.FinWait2, nil, tcp.Age{Source: tcp.AgeLastAck, AtLeast: 196 * ms, AtMost: 404 * ms}},
		{"closed at once", tcp.FinWait2, func(r *snapshotFullRow) { r.LastSent = 50 }, tcp.ExactAge(tcp.AgeLastAck, 200*ms)},
		{"after CLOSE_WAIT", tcp.LastAck, nil, tcp.Age{Source: tcp.AgeLastData, AtMost: 804 * ms}},
		{"zombie", tcp.Close, nil, tcp.Age{Source: tcp.AgeLastData, AtMost: 404 * ms}},
		{"never connected", tcp.Close, func(r *snapshotFullRow) { r.Head.Flags = 0 }, tcp.Age{}},
		{"listener", tcp.Listen, nil, tcp.Age{}},
		{"closing", tcp.FinWait1, nil, tcp.Age{}},
		{"crossed", tcp.SynRecv, nil, tcp.Age{}},
		{"no state", 0, nil, tcp.Age{}},
		{"no stamp", tcp.SynSent, nil, tcp.Age{}},
		{
			"milliseconds", tcp.SynSent, func(r *snapshotFullRow) { r.Head.StampMs = uint32((testNow - 3*time.Second) / ms) },
			tcp.ExactAge(tcp.AgeKernel, 3*time.Second),
		},
		{
			"milliseconds just begun", tcp.SynSent, func(r *snapshotFullRow) { r.Head.StampMs = uint32(testNow/ms) + 1 },
			tcp.ExactAge(tcp.AgeKernel, 0),
		},
		{
			"milliseconds wrapped", tcp.SynSent, func(r *snapshotFullRow) {
				r.Head.NowNs = uint64(1<<32*ms + 5*time.Second)
				r.Head.StampMs = 1<<32 - 2000
			}, tcp.ExactAge(tcp.AgeKernel, 7*time.Second),
		},
		{
			"microseconds", tcp.SynSent, func(r *snapshotFullRow) {
				r.Head.StampUs = uint64((testNow - 1234*time.Microsecond) / time.Microsecond)
			},
			tcp.ExactAge(tcp.AgeKernel, 1234*time.Microsecond),
		},
	}
	for _, test := range tests {
		row := sampleFull()
		row.Head.State = uint8(test.state)
		if test.change != nil {
			test.change(&row)
		}
		got := ageOfFull(&row, testTicks)
		checkAge(t, got)
		if got != test.want {
			t.Errorf("%v, %s: %+v, want %+v", test.state, test.name, got, test.want)
		}
	}
}

// Whatever a tracer saw is exact, in every state, and wins.
func TestAgeTraced(t *testing.T) {
	for state := tcp.Established; state <= tcp.NewSynRecv; state++ {
		row := sampleFull()
		row.Head.State = uint8(state)
		row.SinceNs = uint64(testNow - 42*time.Nanosecond)
		if got, want := ageOfFull(&row, testTicks), tcp.ExactAge(tcp.AgeTraced, 42); got != want {
			t.Errorf("%v: %+v, want %+v", state, got, want)
		}
		row.SinceNs = row.Head.NowNs + 1 // it changed while it was looked at
		if got := ageOfFull(&row, testTicks); got.Source == tcp.AgeTraced {
			t.Errorf("%v: entered after the look: %+v", state, got)
		}
	}
}

// A host that is up for longer than 32 bits of jiffies last: no upper bound can be had from them.
func TestAgeOnAHostThatIsUpForLong(t *testing.T) {
	for _, test := range []struct {
		length time.Duration
		wrap   time.Duration
	}{
		{time.Millisecond, 1193 * time.Hour}, {4 * time.Millisecond, 4772 * time.Hour}, {10 * time.Millisecond, 11930 * time.Hour},
	} {
		ticks := ticks{length: test.length}
		if got := ticks.wrap().Truncate(time.Hour); got != test.wrap {
			t.Errorf("a jiffy of %v: wrap after %v, want %v", test.length, got, test.wrap)
		}
		for _, state := range []tcp.State{tcp.CloseWait, tcp.Closing, tcp.FinWait2, tcp.LastAck, tcp.Close} {
			row := sampleFull()
			row.Head.State = uint8(state)
			row.Head.NowNs = uint64(ticks.wrap()) - 1
			if got := ageOfFull(&row, ticks); got.AtMost == tcp.Unknown || !got.Known() {
				t.Errorf("%v, up for %v: %+v, want an upper bound", state, time.Duration(row.Head.NowNs), got)
			}
			row.Head.NowNs++
			got := ageOfFull(&row, ticks)
			checkAge(t, got)
			if got.Known() && got.AtMost != tcp.Unknown {
				t.Errorf("%v, up for %v: %+v, want no upper bound", state, time.Duration(row.Head.NowNs), got)
			}
			if lower := state == tcp.CloseWait || state == tcp.Closing || state == tcp.FinWait2; got.Known() != lower {
				t.Errorf("%v, up for %v: %+v", state, time.Duration(row.Head.NowNs), got)
			}
		}
	}
}

// A time that the kernel never noted stands at zero, and would be taken for the moment when jiffies were zero.
func TestAgeWithoutStamps(t *testing.T) {
	for state := tcp.Established; state <= tcp.NewSynRecv; state++ {
		row := sampleFull()
		row.Head.State = uint8(state)
		never := uint32(row.Head.Jiffies)
		row.LastSent, row.LastReceived, row.LastAck = never, never, never
		if got := ageOfFull(&row, testTicks); got.Known() {
			t.Errorf("%v: %+v of nothing", state, got)
		}
		var s tcp.Socket
		socketOfFull(&s, &row, testTicks)
		if s.LastSent != tcp.Unknown || s.LastReceived != tcp.Unknown || s.LastAck != tcp.Unknown {
			t.Errorf("%v: last sent %v, received %v, ACK %v, want all unknown", state, s.LastSent, s.LastReceived, s.LastAck)
		}
	}
}

func TestAgeOfBare(t *testing.T) {
	const ms = time.Millisecond
	sample := func(kind snapshotRowKind, state tcp.State) snapshotSocketRow {
		return snapshotSocketRow{Kind: uint8(kind), State: uint8(state), NowNs: uint64(testNow), Timer: uint8(tcp.TimerTimeWait)}
	}
	timewait := func(left time.Duration, sinceBirth time.Duration) snapshotSocketRow {
		row := sample(snapshotRowKindROW_MINISOCK, tcp.TimeWait)
		row.TimerLeft = int64(left / testTicks.length)
		if sinceBirth != tcp.Unknown {
			row.StampMs = uint32((testNow - sinceBirth) / ms)
		}
		return row
	}
	half := sample(snapshotRowKindROW_MINISOCK, tcp.FinWait2)
	halfStamped := half
	halfStamped.StampMs = uint32((testNow - 5*time.Second) / ms)
	request := sample(snapshotRowKindROW_REQUEST, tcp.SynRecv)
	answered := request
	answered.StampUs = uint64((testNow - 77*time.Microsecond) / time.Microsecond)
	early := request
	early.StampUs = uint64(testNow/time.Microsecond) + 1
	tests := []struct {
		name string
		row  snapshotSocketRow
		want tcp.Age
	}{
		{"timer alone", timewait(40*time.Second, tcp.Unknown), tcp.Age{Source: tcp.AgeTimer, AtLeast: 20*time.Second - 4*ms, AtMost: tcp.Unknown}},
		{"timer and birth", timewait(40*time.Second, 20*time.Second), tcp.ExactAge(tcp.AgeTimer, 20*time.Second-2*ms)},
		{
			"out of FIN_WAIT2", timewait(40*time.Second, 30*time.Second),
			tcp.Age{Source: tcp.AgeTimer, AtLeast: 20*time.Second - 4*ms, AtMost: 30 * time.Second},
		},
		{"just begun", timewait(60*time.Second, 0), tcp.ExactAge(tcp.AgeTimer, 0)},
		{"longer than a minute left", timewait(61*time.Second, 0), tcp.ExactAge(tcp.AgeTimer, 0)},
		{"overdue", timewait(-time.Second, tcp.Unknown), tcp.Age{Source: tcp.AgeTimer, AtLeast: 60*time.Second - 4*ms, AtMost: tcp.Unknown}},
		{"overdue and birth", timewait(-time.Second, 61*time.Second), tcp.Age{Source: tcp.AgeTimer, AtLeast: 60*time.Second - 4*ms, AtMost: 61 * time.Second}},
		{"FIN_WAIT2 without a stamp", half, tcp.Age{}},
		{"FIN_WAIT2", halfStamped, tcp.Age{Source: tcp.AgeKernel, AtLeast: 5 * time.Second, AtMost: tcp.Unknown}},
		{"request without a stamp", request, tcp.Age{}},
		{"request", answered, tcp.ExactAge(tcp.AgeKernel, 77*time.Microsecond)},
		{"request stamped after the look", early, tcp.Age{}},
	}
	for _, test := range tests {
		var s tcp.Socket
		socketOfBare(&s, &test.row, testTicks)
		checkAge(t, s.Age)
		if s.Age != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, s.Age, test.want)
		}
	}
}

// Bounds become one where the clocks that they were read from allow no more: two jiffies, and two milliseconds for the
// stamps that are kept in those.
func TestMerge(t *testing.T) {
	const ms = time.Millisecond
	for _, length := range []time.Duration{ms, 4 * ms, 10 * ms} {
		ticks, near := ticks{length: length}, 2*length+2*ms
		for _, test := range []struct{ a, want tcp.Age }{
			{tcp.Age{AtLeast: 5, AtMost: tcp.Unknown}, tcp.Age{AtLeast: 5, AtMost: tcp.Unknown}},
			{tcp.Age{AtLeast: 5, AtMost: 5}, tcp.Age{AtLeast: 5, AtMost: 5}},
			{tcp.Age{AtLeast: ms, AtMost: ms + near}, tcp.Age{AtLeast: ms + near/2, AtMost: ms + near/2}},
			{tcp.Age{AtLeast: ms, AtMost: ms + near + 1}, tcp.Age{AtLeast: ms, AtMost: ms + near + 1}},
			{tcp.Age{AtLeast: 9 * ms, AtMost: 5 * ms}, tcp.Age{AtLeast: 9 * ms, AtMost: 9 * ms}},
			{tcp.Age{AtLeast: 0, AtMost: time.Hour}, tcp.Age{AtLeast: 0, AtMost: time.Hour}},
		} {
			if got := merge(test.a, ticks); got != test.want {
				t.Errorf("a jiffy of %v: %+v becomes %+v, want %+v", length, test.a, got, test.want)
			}
		}
	}
}

func TestTicksOfKernel(t *testing.T) {
	ticks, err := ticksOfKernel()
	if err != nil {
		t.Fatal(err)
	}
	hz := int64(time.Second) / int64(ticks.length)
	switch hz { // CONFIG_HZ (kernel/Kconfig.hz)
	case 100, 250, 300, 1000:
	default:
		t.Errorf("%d jiffies a second (%v each)", hz, ticks.length)
	}
	if ticks.of(hz) < 999*time.Millisecond || ticks.of(hz) > 1001*time.Millisecond || ticks.of(0) != 0 {
		t.Errorf("%d jiffies are %v", hz, ticks.of(hz))
	}
}
