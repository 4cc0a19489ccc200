package census

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// plainOrders say the same as Order, one way and slowly: whether the value is unknown, and who comes first.
var plainOrders = map[string]struct {
	unknown func(s *tcp.Socket) bool
	compare func(a, b *tcp.Socket) int
}{
	"age": {
		func(s *tcp.Socket) bool { return s.Age.Source == tcp.AgeUnknown },
		func(a, b *tcp.Socket) int { return -cmp.Compare(a.Age.AtLeast, b.Age.AtLeast) },
	},
	"recvq": {nil, func(a, b *tcp.Socket) int { return -cmp.Compare(a.RecvQ, b.RecvQ) }},
	"sendq": {nil, func(a, b *tcp.Socket) int { return -cmp.Compare(a.SendQ, b.SendQ) }},
	"rtt": {
		func(s *tcp.Socket) bool { return s.RTT == tcp.Unknown },
		func(a, b *tcp.Socket) int { return -cmp.Compare(a.RTT, b.RTT) },
	},
	"retrans": {nil, func(a, b *tcp.Socket) int { return -cmp.Compare(a.Retrans, b.Retrans) }},
	"state": {nil, func(a, b *tcp.Socket) int {
		return cmp.Compare(fmt.Sprintf("%02d %t", a.State, a.Zombie), fmt.Sprintf("%02d %t", b.State, b.Zombie))
	}},
	"local": {
		func(s *tcp.Socket) bool { return !s.Local.Addr().IsValid() },
		func(a, b *tcp.Socket) int { return a.Local.Compare(b.Local) },
	},
	"remote": {
		func(s *tcp.Socket) bool { return !s.Remote.Addr().IsValid() },
		func(a, b *tcp.Socket) int { return a.Remote.Compare(b.Remote) },
	},
	"pid": {
		func(s *tcp.Socket) bool { return s.PID == 0 },
		func(a, b *tcp.Socket) int { return cmp.Compare(a.PID, b.PID) },
	},
	"comm": {
		func(s *tcp.Socket) bool { return s.PID == 0 },
		func(a, b *tcp.Socket) int { return bytes.Compare(a.Comm.Bytes(), b.Comm.Bytes()) },
	},
}

func plainSort(name string, reversed bool, sockets []tcp.Socket) []*tcp.Socket {
	plain := plainOrders[name]
	sorted := make([]*tcp.Socket, len(sockets))
	for i := range sockets {
		sorted[i] = &sockets[i]
	}
	slices.SortStableFunc(sorted, func(a, b *tcp.Socket) int {
		if plain.unknown != nil && plain.unknown(a) != plain.unknown(b) {
			return compareBool(plain.unknown(a), plain.unknown(b))
		}
		c := 0
		if plain.unknown == nil || !plain.unknown(a) {
			c = plain.compare(a, b)
		}
		if reversed {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.Cookie, b.Cookie))
	})
	return sorted
}

// TestOrdersAgreeWithPlainSorting sorts random sockets, many of them equal, in every order and both ways, whole and cut.
func TestOrdersAgreeWithPlainSorting(t *testing.T) {
	if len(plainOrders) != len(columnNames)-1 {
		t.Fatalf("%d orders here, %d there", len(plainOrders), len(columnNames)-1)
	}
	for name := range plainOrders {
		for _, prefix := range []string{"", "-", "r"} {
			order, err := ParseOrder(prefix + name)
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{0, 1, 2, 100, 1500} {
				sockets := sampleSockets(uint64(size), size)
				for i := range sockets { // a zone has no order of its own: the kernel's addresses have none
					sockets[i].Local = withoutZone(sockets[i].Local)
					sockets[i].Remote = withoutZone(sockets[i].Remote)
				}
				want := plainSort(name, prefix != "", sockets)
				for _, n := range []int{-1, 0, 1, 7, size / 2, size - 1, size, size + 1} {
					cut := want
					if n > 0 {
						cut = want[:min(n, size)]
					}
					if got := order.Top(sockets, n); !slices.Equal(got, cut) {
						t.Fatalf("%s%s: Top(%d) of %d differs", prefix, name, n, size)
					}
				}
				if got := order.Sort(sockets); !slices.Equal(got, want) {
					t.Fatalf("%s%s: Sort of %d differs", prefix, name, size)
				}
			}
		}
	}
}

func TestTopOfWhatComesInTheWorstOrder(t *testing.T) {
	sockets := make([]tcp.Socket, 10_000)
	for i := range sockets {
		sockets[i].PID = uint32(len(sockets) - i)
	}
	order, _ := ParseOrder("pid")
	for i, s := range order.Top(sockets, 300) {
		if s.PID != uint32(i+1) {
			t.Fatalf("place %d has pid %d", i, s.PID)
		}
	}
}

func TestZeroOrderLeavesAllAsItIs(t *testing.T) {
	sockets := sampleSockets(1, 1000)
	for _, n := range []int{0, 10, 400} {
		for i, s := range (Order{}).Top(sockets, n) {
			if s != &sockets[i] {
				t.Fatalf("Top(%d): place %d has another socket", n, i)
			}
		}
	}
}

// TestUnknownComesLastBothWays has ages that differ in what is known of them.
func TestUnknownComesLastBothWays(t *testing.T) {
	sockets := []tcp.Socket{
		{Cookie: 1},
		{Cookie: 2, Age: tcp.ExactAge(tcp.AgeTraced, time.Second)},
		{Cookie: 3, Age: tcp.Age{Source: tcp.AgeLastAck, AtLeast: time.Hour, AtMost: tcp.Unknown}},
		{Cookie: 4, Age: tcp.ExactAge(tcp.AgeKernel, 0)},
	}
	for text, want := range map[string]string{"age": "3 2 4 1", "-age": "4 2 3 1"} {
		order, _ := ParseOrder(text)
		var got []string
		for _, s := range order.Sort(sockets) {
			got = append(got, fmt.Sprint(s.Cookie))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
}

func TestParseOrderRefuses(t *testing.T) {
	for _, text := range []string{"", "-", "r", "--age", "rrage", "ages", "age,pid", "+age", " age", "\x1b[2J"} {
		order, err := ParseOrder(text)
		if err == nil {
			t.Errorf("ParseOrder(%q) = %s, want an error", text, order)
			continue
		}
		for name := range plainOrders {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("ParseOrder(%q): %q does not name %s", text, err, name)
			}
		}
		if strings.Contains(err.Error(), "\x1b") {
			t.Errorf("ParseOrder(%q): the error has a control character", text)
		}
	}
}

func FuzzParseOrder(f *testing.F) {
	f.Add("-age")
	f.Add("rremote")
	f.Fuzz(func(t *testing.T, text string) {
		order, err := ParseOrder(text)
		if err != nil {
			return
		}
		if again, err := ParseOrder(order.String()); err != nil || again != order {
			t.Errorf("%q gives %q, which gives %q, %v", text, order, again, err)
		}
	})
}

func BenchmarkOrder(b *testing.B) {
	sockets := manySockets()
	for _, name := range columnNames[1:] {
		order, _ := ParseOrder(name)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				order.Sort(sockets)
			}
		})
	}
	b.Run("age/top=100", func(b *testing.B) {
		order, _ := ParseOrder("age")
		for b.Loop() {
			order.Top(sockets, 100)
		}
	})
}
