package output

import "testing"

func TestLayoutFitsFromSomeWidthOn(t *testing.T) {
	for width := tailState; width <= 300; width++ {
		for _, style := range []TimeStyle{Clock, Full, Unix, Relative, None} {
			l := newLayout(style)
			l.remote, l.local, l.comm, l.pid = 47, 47, 15, 7
			l = l.fitted(width)
			if used := l.head() + l.tail; used > width {
				t.Errorf("%v: %d columns where there are %d: %+v", style, used, width, l)
			}
		}
	}
}

func TestLayoutWithoutTerminal(t *testing.T) {
	l := newLayout(Full)
	l.remote, l.local = 47, 47
	if got := l.fitted(0); got != l {
		t.Errorf("%+v became %+v", l, got)
	}
}

// TestLayoutNeverGrows when the terminal gets narrower.
func TestLayoutNeverGrows(t *testing.T) {
	before := newLayout(Clock).fitted(300)
	for width := 299; width > 0; width-- {
		l := newLayout(Clock).fitted(width)
		if l.tail > before.tail || l.comm > before.comm || l.time() > before.time() || l.via > before.via {
			t.Errorf("width %d: %+v, one wider: %+v", width, l, before)
		}
		before = l
	}
}

// TestLayoutSavings is the order in which things go.
func TestLayoutSavings(t *testing.T) {
	full := newLayout(Clock)
	want := full.head() + full.tail
	for _, test := range []struct {
		width int
		check func(l layout) bool
		what  string
	}{
		{want, func(l layout) bool { return l == full }, "all"},
		{want - 1, func(l layout) bool { return l.via == 0 && l.digits == clockDigits }, "no evidence"},
		{120, func(l layout) bool { return !l.tight && l.local == addressStart && l.digits == someDigits }, "milliseconds"},
		{100, func(l layout) bool { return l.tight && l.portOnly && l.remote == addressStart }, "port alone"},
		{80, func(l layout) bool { return l.digits == 0 && l.comm == commLeast && l.remote == 19 && l.inOld > 0 }, "seconds"},
		{60, func(l layout) bool { return l.whole == 0 && l.local == 0 && l.remote == addressLeast }, "no time"},
		{tailState, func(l layout) bool { return l.head() == 0 }, "the transition alone"},
	} {
		if l := full.fitted(test.width); !test.check(l) {
			t.Errorf("width %d, want %s: %+v", test.width, test.what, l)
		}
	}
}

func TestShrink(t *testing.T) {
	for _, test := range []struct{ width, excess, least, want int }{
		{21, 3, 15, 18}, {21, 30, 15, 15}, {10, 3, 15, 10}, {0, 3, 15, 0},
	} {
		if got := shrink(test.width, test.excess, test.least); got != test.want {
			t.Errorf("shrink(%d, %d, %d) = %d, want %d", test.width, test.excess, test.least, got, test.want)
		}
	}
}
