package output

import (
	"fmt"
	"math"
	"strconv"
	"testing"
)

func TestAppendUint(t *testing.T) {
	for power, i := uint64(1), 0; i < 20; power, i = power*10, i+1 {
		for _, v := range []uint64{power - 1, power, power + 1} {
			checkNumbers(t, v)
		}
	}
	for bit := range 64 {
		for _, v := range []uint64{1<<bit - 1, 1 << bit, math.MaxUint64 >> bit} {
			checkNumbers(t, v)
		}
	}
	for v := range uint64(70_000) { // all ports, and most processes
		checkNumbers(t, v)
	}
}

func checkNumbers(t *testing.T, v uint64) {
	t.Helper()
	if got, want := string(appendUint([]byte("x"), v)), "x"+strconv.FormatUint(v, 10); got != want {
		t.Fatalf("appendUint(%d) = %q", v, got)
	}
	if got, want := string(appendHex([]byte("x"), v)), "x"+strconv.FormatUint(v, 16); got != want {
		t.Fatalf("appendHex(%#x) = %q", v, got)
	}
	if got, want := string(appendMillis([]byte("x"), v)), fmt.Sprintf("x%d.%06d", v/1e6, v%1e6); got != want {
		t.Fatalf("appendMillis(%d) = %q", v, got)
	}
	if got, want := string(appendNano([]byte("x"), v%1e9)), fmt.Sprintf("x%09d", v%1e9); got != want {
		t.Fatalf("appendNano(%d) = %q", v%1e9, got)
	}
}

func FuzzNumbers(f *testing.F) {
	f.Add(uint64(0))
	f.Add(uint64(99_999_999))
	f.Add(uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, v uint64) { checkNumbers(t, v) })
}

// TestSpread tries every number of eight digits that is wrong in no other way than one whose halves are wrong.
func TestSpread(t *testing.T) {
	for half := range uint64(10_000) {
		want := fmt.Sprintf("%04d%04d", half, 9_999-half)
		if got := string(put(make([]byte, 0, maxWord), spread(half*10_000+9_999-half)|zeros8, maxWord)); got != want {
			t.Fatalf("spread = %q, want %q", got, want)
		}
	}
}
