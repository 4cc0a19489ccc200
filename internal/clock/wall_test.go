package clock

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const second = int64(time.Second)

// fakeClocks are clocks that move by steps[n] ns at the n-th reading, and by one after the last step.
type fakeClocks struct {
	mono, offset int64
	steps        []int64
	readings     int
	err          error
}

func (f *fakeClocks) read(id int32) (int64, error) {
	f.readings++
	step := int64(1)
	if len(f.steps) > 0 {
		step, f.steps = f.steps[0], f.steps[1:]
	}
	f.mono += step
	switch {
	case f.err != nil:
		return 0, f.err
	case id == unix.CLOCK_MONOTONIC:
		return f.mono, nil
	case id == unix.CLOCK_REALTIME:
		return f.mono + f.offset, nil
	}
	return 0, unix.EINVAL
}

func mustWall(tb testing.TB, f *fakeClocks, ahead int64) *Wall {
	tb.Helper()
	w, err := newWall(f.read, ahead)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func TestSampleBelievesTheNarrowest(t *testing.T) {
	// The third is undisturbed: mono, wall, mono with 10 ns between. All others are torn.
	f := &fakeClocks{offset: 1000 * second, steps: []int64{
		1, 5000, 1, 1, 1, 5000, 1, 10, 10,
	}}
	w := mustWall(t, f, 0)
	if got, want := w.At(7), 1000*second+7; got != want {
		t.Errorf("At(7) = %d, want %d", got, want)
	}
}

func TestSampleErrorIsHalfTheWidth(t *testing.T) {
	steps := make([]int64, 0, 3*tries)
	for range tries {
		steps = append(steps, 1, 0, 100) // the wall clock is read at the very beginning of the 100 ns
	}
	w := mustWall(t, &fakeClocks{offset: second, steps: steps}, 0)
	if got, want := w.At(0), second-50; got != want {
		t.Errorf("At(0) = %d, want %d", got, want)
	}
}

func TestRefreshSeesAStepAtOnce(t *testing.T) {
	f := &fakeClocks{offset: 1000 * second}
	w := mustWall(t, f, 0)
	f.offset = 900 * second // somebody sets the wall clock back
	if now := w.Refresh(); now != f.mono {
		t.Errorf("Refresh returned %d, want %d", now, f.mono)
	}
	if got, want := w.At(0), 900*second; got != want {
		t.Errorf("At(0) = %d, want %d", got, want)
	}
}

func TestRefreshKeepsTheOffsetWhenClocksFail(t *testing.T) {
	f := &fakeClocks{offset: 1000 * second}
	w := mustWall(t, f, 0)
	f.err = unix.EPERM
	w.Refresh()
	if got, want := w.At(1), 1000*second+1; got != want {
		t.Errorf("At(1) = %d, want %d", got, want)
	}
}

func TestNewReportsForbiddenClocks(t *testing.T) {
	f := &fakeClocks{err: unix.EPERM}
	if _, err := newWall(f.read, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("got %v", err)
	}
}

func TestTimeNamespaceIsTakenOff(t *testing.T) {
	// Inside, monotonic time reads 500 s more than the kernel's, so that the wall clock seems to be closer to it.
	w := mustWall(t, &fakeClocks{mono: 500 * second, offset: 1000 * second}, 500*second)
	if got, want := w.At(0), 1500*second; got != want {
		t.Errorf("At(0) = %d, want %d", got, want)
	}
	if now := w.Refresh(); now < 0 || now > second {
		t.Errorf("Refresh returned %d, want the kernel's own time, just above 0", now)
	}
}

func TestRealClocksAgree(t *testing.T) {
	w, err := New()
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().UnixNano()
	mono, err := gettime(unix.CLOCK_MONOTONIC)
	if err != nil {
		t.Fatal(err)
	}
	after := time.Now().UnixNano()
	const slack = int64(time.Millisecond) // of slewing, and of a sample torn five times
	if got := w.At(mono - w.ahead); got < before-slack || got > after+slack {
		t.Errorf("At(now) = %d, want %d to %d", got, before, after)
	}
}

func TestNoAllocations(t *testing.T) {
	w, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	n := testing.AllocsPerRun(100, func() {
		w.Refresh()
		sum += w.At(1)
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0 (%d)", n, sum)
	}
}

func BenchmarkRefresh(b *testing.B) {
	w, err := New()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.Refresh()
	}
}
