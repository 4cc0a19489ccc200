package symbolize

import (
	"strings"
	"testing"
)

func TestPerfMap(t *testing.T) {
	const text = `1000 20 Lcom/app/Main;::run
0x2000 10 old
2000 10 new one
3000 100 outer
3010 10 inner
zz 1 bad
4000 0 empty
ffffffffffffffff 10 at the end
6000 10
6000  nothing
10000000000006000 10 more than 64 bits
7000 10 last`
	long := strings.Repeat("x", maxPerfLine)
	for _, around := range [...][2]string{{"", ""}, {long + "\n", ""}, {"1000 20 " + long + "\n", "9"}, {strings.Repeat("\x00", 1<<20) + "\n", "9"}} {
		for pc, want := range map[uint64]string{
			0x1000: "Lcom/app/Main;::run", 0x101f: "Lcom/app/Main;::run", 0x1020: "", 0x2005: "new one", 0x3005: "outer", 0x3015: "inner",
			0x3050: "outer", 0x4000: "", 0: "", 0x6000: "", 0x7000: "last", 1<<64 - 1: "at the end",
		} {
			if got := readPerfMap(strings.NewReader(around[0]+text+around[1]), []uint64{pc, 0x3050})[pc]; got != want && (got != "last9" || pc != 0x7000) {
				t.Errorf("%#x: %q, want %q", pc, got, want)
			}
		}
	}
}

func FuzzPerfMap(f *testing.F) {
	f.Add("1000 20 name\n", uint64(0x1001))
	f.Fuzz(func(t *testing.T, text string, pc uint64) {
		for at, name := range readPerfMap(strings.NewReader(text), []uint64{pc, 0}) {
			if at != pc && at != 0 || !strings.Contains(text, name) {
				t.Errorf("%#x: %q", at, name)
			}
		}
	})
}

func BenchmarkPerfMap(b *testing.B) {
	text := strings.Repeat("7f0012345678 1a0 Lcom/example/service/Handler;::handle(Ljava/lang/Object;)V\n", maxPerfMap/76)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		readPerfMap(strings.NewReader(text), []uint64{0x7f0012345680, 1})
	}
}
