package api

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/stream"
)

func TestEvents(t *testing.T) {
	b := newFake()
	r := start(t, newAPI(t, b, Options{}), ServerOptions{})
	all, even := r.follow("/api/v1/events"), r.follow("/api/v1/events?filter=even")
	b.publish(1, 2, 3)
	b.publish(4)
	prefixes := map[string]bool{}
	for f, want := range map[*follower][]int{all: {1, 2, 3, 4}, even: {2, 4}} {
		for i, n := range want {
			e := f.next()
			prefix, number, _ := strings.Cut(e.id, "-")
			if e.name != "transition" || e.data != fmt.Sprintf(`{"n":%d}`, n) || number != strconv.Itoa(i+1) {
				t.Errorf("got %+v, want %d", e, n)
			}
			prefixes[prefix] = true
		}
		checkHeaders(t, f.response, typeSSE)
	}
	if len(prefixes) != 2 {
		t.Errorf("ids begin with %v", prefixes)
	}
	b.hub.Close()
	for _, f := range []*follower{all, even} {
		if e := f.next(); e.name != "end" || e.data != `{"reason":"no more transitions come"}` {
			t.Errorf("got %+v", e)
		}
		if e := f.next(); e != (event{}) {
			t.Errorf("after the end: %+v", e)
		}
	}
	await(t, "subscriptions are closed", func() bool { return b.closed.Load() == 2 })
}

func TestALossIsTold(t *testing.T) {
	b := newFake()
	b.hub = stream.NewHub(func(line []byte, n *int) []byte {
		if *n == 9 {
			return append(line, make([]byte, 16<<10)...) // too long: lost
		}
		return append(line, "{}\n"...)
	}, 0)
	a := newAPI(t, b, Options{})
	r := start(t, a, ServerOptions{})
	f := r.follow("/api/v1/events")
	b.publish(1)
	first := f.next()
	b.publish(9, 9, 1)
	lost := f.next()
	last := f.next()
	if !strings.HasSuffix(first.id, "-1") || lost.name != "lost" || lost.data != `{"lost":2}` || !strings.HasSuffix(last.id, "-4") {
		t.Errorf("got %+v, %+v, %+v", first, lost, last)
	}
	if a.Stats().Lost != 2 {
		t.Errorf("stats %+v", a.Stats())
	}
}

// injecting is a subscription with lines that no backend should have.
type injecting struct{ ready chan struct{} }

func (s injecting) Ready() <-chan struct{} { return s.ready }
func (s injecting) Close()                 {}

func (s injecting) Take(batch [][]byte) ([][]byte, uint64, bool) {
	return append(batch, []byte("{}\n\nevent: end\ndata: {}"), []byte("{}\revent: x"), []byte(`{"n":1}`)), 0, false
}

type injector struct{ *fake }

func (injector) Subscribe(string) (Subscription, error) {
	s := injecting{make(chan struct{}, 1)}
	s.ready <- struct{}{}
	return s, nil
}

func TestALineIsNoOtherField(t *testing.T) {
	r := start(t, newAPI(t, injector{newFake()}, Options{}), ServerOptions{})
	f := r.follow("/api/v1/events")
	var got []string
	for e := f.next(); e != (event{}); e = f.next() {
		got = append(got, e.name+" "+e.data)
	}
	want := `[lost {"lost":1} lost {"lost":1} transition {"n":1} end {"reason":"no more transitions come"}]`
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestAGapIsTold(t *testing.T) {
	b := newFake()
	r := start(t, newAPI(t, b, Options{}), ServerOptions{})
	for id, want := range map[string]string{
		"18b.1-7":               `{"after":"18b.1-7","replayed":0}`,
		`"<x>`:                  `{"after":"\"\u003cx\u003e","replayed":0}`,
		strings.Repeat("x", 65): `{"after":"","replayed":0}`,
		"\xff":                  `{"after":"","replayed":0}`,
	} {
		f := r.follow("/api/v1/events", "Last-Event-ID", id)
		if e := f.next(); e.name != "gap" || e.data != want || e.id != "" {
			t.Errorf("%q: got %+v", id, e)
		}
		f.response.Body.Close()
	}
}

func TestAStreamWithoutEventsIsAlive(t *testing.T) {
	a := newAPI(t, newFake(), Options{})
	a.heartbeat = 10 * time.Millisecond
	f := start(t, a, ServerOptions{}).follow("/api/v1/events")
	for range 3 {
		if e := f.any(); e != (event{name: ":"}) {
			t.Errorf("got %+v", e)
		}
	}
}

func TestHeadOfEvents(t *testing.T) {
	b := newFake()
	r := start(t, newAPI(t, b, Options{}), ServerOptions{})
	response, _ := r.ask("HEAD", "/api/v1/events")
	if response.StatusCode != http.StatusOK {
		t.Errorf("%s", response.Status)
	}
	checkHeaders(t, response, typeSSE)
	await(t, "the subscription is closed", func() bool { return b.closed.Load() == 1 })
}

// TestAReaderThatVanishes lets go of everything, whether it says so or just reads no more.
func TestAReaderThatVanishes(t *testing.T) {
	b := newFake()
	a := newAPI(t, b, Options{})
	a.writeTimeout = 100 * time.Millisecond
	r := start(t, a, ServerOptions{})
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				b.hub.Publish(&n)
			}
			if n%100 == 0 {
				b.hub.Flush()
				time.Sleep(100 * time.Microsecond) // one that reads is to keep up
			}
		}
	})
	defer group.Wait()
	defer close(stop)
	reads := r.follow("/api/v1/events")
	for i, after := range []func(io.Closer){func(io.Closer) {}, func(c io.Closer) { c.Close() }} {
		c := r.dial("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		after(c)
		// The other reads on meanwhile.
		for end := time.Now().Add(patience); b.closed.Load() <= int64(i); {
			if e := reads.next(); e.name != "transition" && e.name != "lost" {
				t.Fatalf("the other one gets %+v", e)
			}
			if time.Now().After(end) {
				t.Fatal("it is not given up")
			}
		}
	}
	// A stream's place is given back after its subscription.
	await(t, "one stream is left", func() bool { return a.Stats().Streams == 1 })
	if n := b.hub.Listening(); n != 1 {
		t.Errorf("%d listen", n)
	}
}

// TestMany reads with 200 at once, each everything and in order.
func TestMany(t *testing.T) {
	const readers, events = 200, 500
	b := newFake()
	r := start(t, newAPI(t, b, Options{}), ServerOptions{})
	var group sync.WaitGroup
	for range readers {
		f := r.follow("/api/v1/events")
		group.Go(func() {
			for n := range events {
				e := f.next()
				if e.data != fmt.Sprintf(`{"n":%d}`, n) || !strings.HasSuffix(e.id, fmt.Sprintf("-%d", n+1)) {
					t.Errorf("got %+v, want %d", e, n)
					return
				}
			}
		})
	}
	for n := range events {
		b.hub.Publish(&n)
		if n%50 == 0 {
			b.hub.Flush()
		}
	}
	b.hub.Flush()
	group.Wait()
}

func TestStreamsAreLimited(t *testing.T) {
	b := newFake()
	a := newAPI(t, b, Options{})
	r := start(t, a, ServerOptions{})
	var last *follower
	for range MaxStreams {
		last = r.follow("/api/v1/events")
	}
	response, body := r.ask("GET", "/api/v1/events")
	checkProblem(t, response, body, 503, problem{Error: "too many requests of this kind at a time: try again later"})
	if retry := response.Header.Get("Retry-After"); retry != "10" {
		t.Errorf("Retry-After %q", retry)
	}
	if response, _ := r.ask("GET", "/api/v1/count"); response.StatusCode != http.StatusOK {
		t.Errorf("count: %s", response.Status)
	}
	last.response.Body.Close()
	await(t, "there is room", func() bool { return a.Stats().Streams < MaxStreams })
	r.follow("/api/v1/events")
}

// TestAStreamOutlivesTheTimeToAsk: the server's deadline for reading a request is not one for the stream.
func TestAStreamOutlivesTheTimeToAsk(t *testing.T) {
	a := newAPI(t, newFake(), Options{})
	a.heartbeat = 50 * time.Millisecond
	f := start(t, a, ServerOptions{}, func(s *Server) {
		s.doors[0].server.ReadTimeout, s.doors[0].server.ReadHeaderTimeout = a.heartbeat, a.heartbeat
		s.doors[0].server.WriteTimeout = a.heartbeat
	}).follow("/api/v1/events")
	for range 5 {
		if e := f.any(); e.name != ":" {
			t.Fatalf("got %+v", e)
		}
	}
}

// BenchmarkEvents publishes to readers over loopback TCP that throw away what they get; b.N counts events, of which slow
// readers lose some.
func BenchmarkEvents(b *testing.B) {
	const line = `{"time":"2026-11-21T10:00:00.123456789Z","event":"transition","cookie":123456,"netns":4026531840,"family":4,` +
		`"laddr":"192.0.2.1","lport":443,"raddr":"198.51.100.7","rport":51234,"old":"ESTABLISHED","new":"CLOSE_WAIT","ms":1234.567,` +
		`"pid":4242,"comm":"nginx","evidence":"accept"}` + "\n"
	for _, readers := range []int{1, 10, 200} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			f := newFake()
			f.hub = stream.NewHub(func(dst []byte, _ *int) []byte { return append(dst, line...) }, 0)
			a := newAPI(b, f, Options{})
			r := start(b, a, ServerOptions{})
			var group sync.WaitGroup
			for range readers {
				s := r.follow("/api/v1/events")
				group.Go(func() { _, _ = io.Copy(io.Discard, s.response.Body) })
			}
			b.ReportAllocs()
			n := new(int)
			for b.Loop() {
				f.hub.Publish(n)
				if *n++; *n%100 == 0 {
					f.hub.Flush()
				}
			}
			f.hub.Close()
			group.Wait()
			sent := float64(b.N*readers) - float64(a.Stats().Lost)
			b.ReportMetric(sent/b.Elapsed().Seconds(), "sent/s")
			b.ReportMetric(100*float64(a.Stats().Lost)/float64(b.N*readers), "%lost")
		})
	}
}
