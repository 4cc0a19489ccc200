package stream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// number encodes an int as a line that ends with a line feed.
func number(line []byte, n *int) []byte { return append(strconv.AppendInt(line, int64(*n), 10), '\n') }

// subscribe fails the test if it cannot.
func subscribe[E any](t testing.TB, h *Hub[E], match func(*E) bool) *Subscription[E] {
	t.Helper()
	s, err := h.Subscribe(match)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drain takes all that there is.
func drain[E any](s *Subscription[E]) (lines []string, lost uint64, open bool) {
	for {
		batch, n, still := s.Take(nil)
		lost += n
		for _, line := range batch {
			lines = append(lines, string(line))
		}
		if len(batch) == 0 && n == 0 {
			return lines, lost, still
		}
	}
}

func publish(h *Hub[int], numbers ...int) {
	for _, n := range numbers {
		h.Publish(&n)
	}
	h.Flush()
}

func TestEachGetsWhatItWantsFromWhenItCame(t *testing.T) {
	h := NewHub(number, 0)
	publish(h, 1)
	all := subscribe(t, h, nil)
	even := subscribe(t, h, func(n *int) bool { return *n%2 == 0 })
	publish(h, 2, 3, 4)
	late := subscribe(t, h, nil)
	if lines, _, open := drain(late); len(lines) > 0 || !open {
		t.Errorf("late has %q, open %v", lines, open)
	}
	publish(h, 5, 6)
	for _, test := range []struct {
		s    *Subscription[int]
		want string
	}{{all, "2 3 4 5 6"}, {even, "2 4 6"}, {late, "5 6"}} {
		lines, lost, open := drain(test.s)
		if got := strings.Join(lines, " "); got != test.want || lost != 0 || !open {
			t.Errorf("got %q, %d lost, open %v; want %q", got, lost, open, test.want)
		}
	}
}

func TestReadySaysThatThereIsSomething(t *testing.T) {
	h := NewHub(number, 0)
	s := subscribe(t, h, func(n *int) bool { return *n > 1 })
	isReady := func() bool {
		select {
		case <-s.Ready():
			return true
		default:
			return false
		}
	}
	if publish(h, 1); isReady() {
		t.Error("ready for what it does not want")
	}
	n := 2
	if h.Publish(&n); isReady() {
		t.Error("ready before the end of the batch")
	}
	if h.Flush(); !isReady() {
		t.Error("not ready")
	}
	drain(s)
	for range 3 * blockLines { // more than one Take brings
		h.Publish(&n)
	}
	h.Flush()
	got := 0
	for isReady() {
		lines, _, _ := s.Take(nil)
		got += len(lines)
	}
	if got != 3*blockLines {
		t.Errorf("taken %d lines as long as it was ready, of %d", got, 3*blockLines)
	}
	h.Close()
	if !isReady() {
		t.Error("nobody was told of the end")
	}
}

// TestTheSlowLoseAndTheFastDoNot fills the memory several times over.
func TestTheSlowLoseAndTheFastDoNot(t *testing.T) {
	h := NewHub(number, 3*blockBytes)
	slow, fast, thirds := subscribe(t, h, nil), subscribe(t, h, nil), subscribe(t, h, func(n *int) bool { return *n%3 == 0 })
	const total = 10 * blockLines
	var got []string
	for n := range total {
		publish(h, n)
		if n%100 == 99 || n == total-1 {
			lines, lost, _ := drain(fast)
			got = append(got, lines...)
			if lost != 0 {
				t.Fatalf("the fast one has lost %d", lost)
			}
		}
	}
	if len(got) != total {
		t.Errorf("the fast one has %d of %d", len(got), total)
	}
	_, lost, _ := slow.Take(nil)
	if lost != total-3*blockLines {
		t.Errorf("the slow one is told first of %d lost, want %d", lost, total-3*blockLines)
	}
	lines, more, _ := drain(slow)
	if last := lines[len(lines)-1]; more != 0 || last != strconv.Itoa(total-1) || len(lines) != 2*blockLines {
		t.Errorf("the slow one has %d lines more, up to %s, and lost %d more", len(lines), last, more)
	}
	lines, few, _ := drain(thirds)
	if uint64(len(lines))+few != (total+2)/3 || few == 0 {
		t.Errorf("every third: %d lines and %d lost, of %d", len(lines), few, (total+2)/3)
	}
	if h.Lost() != lost+few {
		t.Errorf("lost %d all together, want %d", h.Lost(), lost+few)
	}
}

// TestLinesStayWhileTheyAreWritten: what Take returned is not overwritten, however much is published.
func TestLinesStayWhileTheyAreWritten(t *testing.T) {
	h := NewHub(number, 2*blockBytes)
	s := subscribe(t, h, nil)
	publish(h, 0, 1, 2)
	lines, _, _ := s.Take(nil)
	for n := range 20 * blockLines {
		publish(h, n+1000)
	}
	if got := string(slices.Concat(lines...)); got != "012" {
		t.Errorf("it is %q now", got)
	}
}

func TestMemoryIsBoundedAndGivenBack(t *testing.T) {
	h := NewHub(number, 4*blockBytes)
	var all []*Subscription[int]
	for range MaxSubscriptions {
		all = append(all, subscribe(t, h, nil))
	}
	for n := range 50 * blockLines {
		publish(h, n)
		if n%blockLines == 0 {
			all[n/blockLines].Take(nil) // which holds a block
		}
		if h.blocks+len(h.free) > 4 {
			t.Fatalf("%d blocks and %d free ones", h.blocks, len(h.free))
		}
	}
	for _, s := range all[1:] {
		s.Close()
		s.Close()
	}
	drain(all[0])
	publish(h, 1)
	if all[0].Take(nil); len(h.free) == 0 || h.newest.pins != 1 {
		t.Errorf("before the end: %d free blocks, %d hold the newest", len(h.free), h.newest.pins)
	}
	all[0].Close()
	if h.blocks != 1 || h.oldest != h.newest || h.newest.pins != 0 || len(h.free) != 0 || h.Listening() != 0 {
		t.Errorf("left: %d blocks, %d hold the newest, %d free, %d listening", h.blocks, h.newest.pins, len(h.free), h.Listening())
	}
}

func TestThereIsAnEnd(t *testing.T) {
	h := NewHub(number, 0)
	s, unseen, closed := subscribe(t, h, nil), subscribe(t, h, func(*int) bool { return false }), subscribe(t, h, nil)
	closed.Close()
	n := 7
	h.Publish(&n)
	h.Close()
	if lines, _, open := s.Take(nil); len(lines) != 1 || !open {
		t.Errorf("got %q, open %v", lines, open)
	}
	for _, s := range []*Subscription[int]{s, unseen, closed} {
		if lines, lost, open := s.Take(nil); len(lines) != 0 || lost != 0 || open {
			t.Errorf("got %q, %d lost, open %v after the end", lines, lost, open)
		}
	}
	if _, err := h.Subscribe(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("subscribe: %v", err)
	}
}

func TestSubscriptionsAreLimited(t *testing.T) {
	h := NewHub(number, 0)
	var first *Subscription[int]
	for range MaxSubscriptions {
		first = subscribe(t, h, nil)
	}
	if _, err := h.Subscribe(nil); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	first.Close()
	subscribe(t, h, nil) // although nothing was published meanwhile
	publish(h, 1)
}

func TestALineTooLongIsLost(t *testing.T) {
	h := NewHub(func(line []byte, n *int) []byte { return append(line, strings.Repeat("x", *n)...) }, 0)
	s := subscribe(t, h, nil)
	publish(h, 1, maxLine+1, maxLine, 2)
	lines, lost, _ := drain(s)
	if len(lines) != 3 || len(lines[1]) != maxLine || lines[2] != "xx" || lost != 1 {
		t.Errorf("%d lines, %d lost", len(lines), lost)
	}
}

// TestRandom compares with what each reader should have, whatever the order of things.
func TestRandom(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		h := NewHub(number, 2*blockBytes)
		type reader struct {
			s        *Subscription[int]
			modulus  int
			next     int // number that must not be passed over without being lost
			consumed uint64
			wanted   uint64
		}
		var readers []*reader
		check := func(r *reader) {
			batch, lost, _ := r.s.Take(nil)
			r.consumed += lost + uint64(len(batch))
			for i, line := range batch {
				n, err := strconv.Atoi(string(line))
				if err != nil || n%r.modulus != 0 || n < r.next || i > 0 && n != r.next {
					t.Fatalf("seed %d: line %q, %d expected, every %d", seed, line, r.next, r.modulus)
				}
				r.next = n + r.modulus
			}
		}
		for n := range 3000 {
			h.Publish(&n)
			for _, r := range readers {
				if n%r.modulus == 0 {
					r.wanted++
				}
			}
			switch random.IntN(12) {
			case 0, 1:
				h.Flush()
			case 2:
				if len(readers) < 20 {
					m := 1 + random.IntN(4)
					readers = append(readers, &reader{s: subscribe(t, h, func(n *int) bool { return *n%m == 0 }), modulus: m})
				}
			case 3:
				if len(readers) > 0 {
					check(readers[random.IntN(len(readers))])
				}
			case 4:
				if len(readers) > 10 {
					readers[0].s.Close()
					readers = readers[1:]
				}
			}
		}
		h.Close()
		for _, r := range readers {
			for open := true; open; {
				before := r.consumed
				check(r)
				open = r.consumed > before
			}
			if r.consumed != r.wanted {
				t.Fatalf("seed %d: %d lines or losses, of %d", seed, r.consumed, r.wanted)
			}
		}
	}
}

// TestConcurrently is for the race detector: readers come, fall behind and go while events are published.
func TestConcurrently(t *testing.T) {
	h := NewHub(number, 2*blockBytes)
	var group sync.WaitGroup
	stop := make(chan struct{})
	for i := range 20 {
		group.Go(func() {
			for turn := 0; ; turn++ {
				select {
				case <-stop:
					return
				default:
				}
				s, err := h.Subscribe(func(n *int) bool { return *n%(i+1) == 0 })
				if err != nil {
					t.Error(err)
					return
				}
				last := -1
				for range turn % 50 {
					select {
					case <-s.Ready():
					case <-stop:
					}
					lines, _, _ := s.Take(nil)
					for _, line := range lines {
						n, _ := strconv.Atoi(string(line))
						if n <= last || n%(i+1) != 0 {
							t.Errorf("%d after %d", n, last)
						}
						last = n
					}
				}
				s.Close()
			}
		})
	}
	for n := range 100_000 {
		h.Publish(&n)
		if n%50 == 0 {
			h.Flush()
		}
	}
	close(stop)
	group.Wait()
	if h.Listening() != 0 || h.blocks > 1 {
		t.Errorf("%d listening, %d blocks", h.Listening(), h.blocks)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	h := NewHub(number, 0)
	s := subscribe(t, h, func(*int) bool { return true })
	slow := subscribe(t, h, nil)
	defer slow.Close()
	batch := make([][]byte, 0, blockLines)
	n := 0
	step := func() {
		for range 100 {
			h.Publish(&n)
		}
		h.Flush()
		s.Take(batch[:0])
	}
	for range 2 * DefaultMemory / blockBytes * blockLines / 100 { // until all memory is there
		step()
	}
	if allocated := testing.AllocsPerRun(1000, step); allocated != 0 {
		t.Errorf("%v allocations for 100 events", allocated)
	}
}

const line = `{"time":"2026-11-21T10:00:00.123456789Z","event":"transition","cookie":123456,"netns":4026531840,"family":4,` +
	`"laddr":"192.0.2.1","lport":443,"raddr":"198.51.100.7","rport":51234,"old":"ESTABLISHED","new":"CLOSE_WAIT","ms":1234.567,` +
	`"pid":4242,"comm":"nginx","evidence":"accept"}`

// BenchmarkHub publishes batches of 100 events of a usual length; each reader runs by itself and does no more than take.
func BenchmarkHub(b *testing.B) {
	for _, readers := range []int{0, 1, 10, 200} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			h := NewHub(func(dst []byte, _ *int) []byte { return append(dst, line...) }, 0)
			var group sync.WaitGroup
			taken := make([]uint64, readers)
			for i := range readers {
				s := subscribe(b, h, nil)
				group.Go(func() {
					batch := make([][]byte, 0, blockLines)
					for open := true; open; {
						<-s.Ready()
						var lines [][]byte
						lines, _, open = s.Take(batch[:0])
						taken[i] += uint64(len(lines))
					}
				})
			}
			b.ReportAllocs()
			n := new(int)
			for b.Loop() {
				h.Publish(n)
				if *n++; *n%100 == 0 {
					h.Flush()
				}
			}
			b.StopTimer()
			h.Close()
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			if readers > 0 {
				var all uint64
				for _, n := range taken {
					all += n
				}
				b.ReportMetric(100*float64(all)/float64(b.N)/float64(readers), "%taken")
			}
		})
	}
}

// TestAReaderIsWoken waits as a reader does.
func TestAReaderIsWoken(t *testing.T) {
	h := NewHub(number, 0)
	s := subscribe(t, h, nil)
	go publish(h, 1)
	select {
	case <-s.Ready():
	case <-time.After(10 * time.Second):
		t.Fatal("it was not")
	}
	if lines, _, _ := s.Take(nil); len(lines) != 1 {
		t.Errorf("got %q", lines)
	}
}

// What never came is told to everybody, with the next lines or alone.
func TestLose(t *testing.T) {
	h := NewHub(func(line []byte, n *int) []byte { return strconv.AppendInt(line, int64(*n), 10) }, 0)
	s, err := h.Subscribe(nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Lose(3)
	<-s.Ready()
	if lines, lost, open := s.Take(nil); len(lines) != 0 || lost != 3 || !open {
		t.Errorf("%q, %d lost, %v", lines, lost, open)
	}
	h.Lose(2)
	n := 7
	h.Publish(&n)
	h.Flush()
	if lines, lost, _ := s.Take(nil); len(lines) != 1 || string(lines[0]) != "7" || lost != 2 {
		t.Errorf("%q, %d lost", lines, lost)
	}
	if h.Lost() != 0 {
		t.Errorf("%d by slow readers", h.Lost())
	}
}
