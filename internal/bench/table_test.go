package main

import (
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{4, 1}, 2.5},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 100, 2}, 3},
	} {
		if got := median(test.values, func(x float64) float64 { return x }); got != test.want {
			t.Errorf("median of %v: %v, want %v", test.values, got, test.want)
		}
	}
}

func TestThreeDigits(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0.000", 0.0004: "0.000", 0.0061: "0.006", 0.456: "0.456", 1.234: "1.23", 12.34: "12.3", 99.94: "99.9", 123.4: "123", 60000: "60000",
	} {
		if got := threeDigits(x); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 20: "20", 999: "999", 1000: "1,000", 200_000: "200,000", 1_000_000: "1,000,000"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func took(seconds ...float64) []figures {
	var runs []figures
	for _, s := range seconds {
		wall := time.Duration(s * float64(time.Second))
		runs = append(runs, figures{wall: wall, cpu: wall / 2, rss: 20e6})
	}
	return runs
}

func TestRatios(t *testing.T) {
	c := comparison{runs: [][]figures{took(1, 2, 9), took(1, 1, 3), took(20)}}
	for i, want := range []string{"2.00", "1.00", "20.0"} {
		if got := ratioCell(&c, i); got != want {
			t.Errorf("contender %d: %s, want %s", i, got, want)
		}
	}
}

// What is a bound is shown as one: a run that was cut, and memory that is hidden behind our own.
func TestCells(t *testing.T) {
	cut, small, both := took(60), took(1, 1), took(60)
	cut[0].cut, small[1].rssBound, both[0].cut, both[0].rssBound = true, true, true, true
	c := comparison{runs: [][]figures{cut, took(1)}}
	for got, want := range map[string]string{
		wallCell(took(0.25)): "0.250 s",
		wallCell(cut):        "> 60.0 s",
		cpuCell(cut):         "> 30.0 s",
		memoryCell(cut):      "> 20.0 MB",
		memoryCell(small):    "≤ 20.0 MB",
		memoryCell(took(1)):  "20.0 MB",
		memoryCell(both):     "memory unknown",
		ratioCell(&c, 0):     "> 60.0",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestReportSnapshot(t *testing.T) {
	who := []contender{{argv: []string{"bin/tcptrail", "list", "-o", "json"}}, {argv: []string{"bin/tcptrail", "list"}}, {argv: []string{"ss"}, debian: "x"}}
	var b strings.Builder
	reportSnapshot(&b, who, []comparison{
		{sockets: 1000, closeWait: 50, holders: 1, namespaces: 2, others: 3, runs: [][]figures{took(2), took(1), took(0.5)}},
	})
	for _, want := range []string{
		"| sockets | `tcptrail list -o json` | `tcptrail list` | `ss` |\n| --- | --- | --- | --- |\n",
		"| 1,000 | 2.00 s, 20.0 MB | 1.00 s, 20.0 MB | 0.500 s, 20.0 MB |\n",
		"| 1,000 | 1.00 s | 0.500 s | 0.250 s |\n",
		"Times the wall time of `tcptrail list`",
		"| 1,000 | 2.00 | 1.00 | 0.500 |\n",
		"1,000 sockets: 50 in CLOSE_WAIT, 50 in FIN_WAIT2, the others ESTABLISHED; processes with them: 1; " +
			"network namespaces on the host: 2; sockets in the others, which only tcptrail shows: 3\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}
