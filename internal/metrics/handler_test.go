package metrics

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// sourceFunc is a source that does what a test says.
type sourceFunc func(context.Context) (*Reading, error)

func (f sourceFunc) Read(ctx context.Context) (*Reading, error) { return f(ctx) }

// scrape returns the status and the body of one answer.
func scrape(h http.Handler, accept string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", accept)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, request)
	return answer
}

func TestNegotiation(t *testing.T) {
	h := Handler(fixed{everything()}, Options{})
	for accept, want := range map[string]string{
		"": "text/plain; version=0.0.4", "text/html": "text/plain; version=0.0.4",
		"application/openmetrics-text;version=1.0.0": "application/openmetrics-text; version=1.0.0",
	} {
		answer := scrape(h, accept)
		if got := answer.Header().Get("Content-Type"); answer.Code != http.StatusOK || !strings.HasPrefix(got, want) {
			t.Errorf("%q: status %d, %s", accept, answer.Code, got)
		}
		for _, part := range []string{
			`tcptrail_sockets{state="CLOSE_WAIT"} 80`, `tcptrail_scrape_failures_total{reason="source"} 0`,
			"process_cpu_seconds_total ", "go_goroutines ", `tcptrail_events_seen_total 100`,
		} {
			if !strings.Contains(answer.Body.String(), part) {
				t.Errorf("%q: %s is not there", accept, part)
			}
		}
		if strings.Contains(accept, "openmetrics") && !strings.HasSuffix(answer.Body.String(), "# EOF\n") {
			t.Error("OpenMetrics does not end")
		}
	}
	const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	answer := scrape(h, protobuf)
	decoder := expfmt.NewDecoder(answer.Body, expfmt.ResponseFormat(answer.Header()))
	for {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); err != nil {
			t.Fatalf("durations as protobuf: %v", err)
		}
		if family.GetName() != "tcptrail_state_duration_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			if m.GetLabel()[0].GetValue() == tcp.CloseWait.String() && unpacked(m.GetHistogram())[3] != 1 {
				t.Errorf("%v", m)
			}
		}
		return
	}
}

func TestSourceFails(t *testing.T) {
	broken := true
	h := Handler(sourceFunc(func(context.Context) (*Reading, error) {
		if broken {
			return nil, errors.New("read counters: no \x1b[31mroom")
		}
		return everything(), nil
	}), Options{MaxAge: 1})
	for range 3 {
		answer := scrape(h, "")
		if answer.Code != http.StatusServiceUnavailable || answer.Body.String() != `read counters: no \u001b[31mroom`+"\n" {
			t.Errorf("status %d: %q", answer.Code, answer.Body)
		}
	}
	broken = false
	if answer := scrape(h, ""); !strings.Contains(answer.Body.String(), `tcptrail_scrape_failures_total{reason="source"} 3`) {
		t.Errorf("status %d, and the failures are not counted", answer.Code)
	}
	h = Handler(fixed{nil}, Options{})
	if answer := scrape(h, ""); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("without a reading the status is %d", answer.Code)
	}
}

// TestScrapesShareAReading has 200 scrapers come while one reads, and then some more.
func TestScrapesShareAReading(t *testing.T) {
	const scrapers = 200
	var reads atomic.Int32
	begun, finish := make(chan struct{}), make(chan struct{})
	h := Handler(sourceFunc(func(context.Context) (*Reading, error) {
		if reads.Add(1) == 1 {
			close(begun)
		}
		<-finish
		return everything(), nil
	}), Options{}).(*handler)
	var clock atomic.Int64
	h.readings.now = func() time.Time { return time.Unix(0, clock.Load()) }
	var all sync.WaitGroup
	var served atomic.Int32
	one := func() {
		if scrape(h, "").Code == http.StatusOK {
			served.Add(1)
		}
	}
	all.Go(one)
	<-begun
	for range scrapers - 1 {
		all.Go(one)
	}
	close(finish)
	all.Wait()
	if served.Load() != scrapers || reads.Load() != 1 {
		t.Errorf("%d served by %d readings", served.Load(), reads.Load())
	}
	clock.Store(int64(DefaultMaxAge) - 1)
	if one(); reads.Load() != 1 {
		t.Error("a young reading was not used again")
	}
	clock.Store(int64(DefaultMaxAge))
	if one(); reads.Load() != 2 {
		t.Errorf("an old reading was used again: %d readings", reads.Load())
	}
}

// TestSourceHangs has a source that does not even heed its context: everybody is told in time, nobody reads twice, and
// all goes on when it comes back.
func TestSourceHangs(t *testing.T) {
	var reads atomic.Int32
	back := make(chan struct{})
	h := Handler(sourceFunc(func(ctx context.Context) (*Reading, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("a reading without a deadline")
		}
		reads.Add(1)
		<-back
		return everything(), nil
	}), Options{Timeout: 20 * time.Millisecond, MaxAge: time.Hour}).(*handler)
	for range 3 {
		if answer := scrape(h, ""); answer.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d", answer.Code)
		}
	}
	if reads.Load() != 1 {
		t.Errorf("%d readings at a time", reads.Load())
	}
	close(back)
	<-h.readings.current().done
	if answer := scrape(h, ""); !strings.Contains(answer.Body.String(), `tcptrail_scrape_failures_total{reason="timeout"} 3`) {
		t.Errorf("status %d, and the failures are not counted", answer.Code)
	}
}

// TestScraperLeaves holds that nobody else suffers, and that it is no failure.
func TestScraperLeaves(t *testing.T) {
	finish := make(chan struct{})
	h := Handler(sourceFunc(func(ctx context.Context) (*Reading, error) {
		<-finish
		return everything(), ctx.Err()
	}), Options{})
	ctx, leave := context.WithCancel(t.Context())
	leave()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil).WithContext(ctx))
	if answer.Code != http.StatusServiceUnavailable { // an empty 200 would be a scrape without metrics
		t.Errorf("status %d", answer.Code)
	}
	close(finish)
	for _, reason := range []string{"source", "timeout", "busy"} {
		body := scrape(h, "").Body.String()
		if !strings.Contains(body, `tcptrail_scrape_failures_total{reason="`+reason+`"} 0`) {
			t.Errorf("a scraper that left counts as %s", reason)
		}
	}
}

// pipes listens on pipes, which hold nothing: a client that does not read blocks the server at once.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { close(p.closed); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// TestClientDoesNotRead takes the only slot and does not read. Others are refused, until the deadline frees the slot. A
// client that reads can come back by the same connection after any time.
func TestClientDoesNotRead(t *testing.T) {
	h := Handler(fixed{everything()}, Options{Timeout: 300 * time.Millisecond, MaxInFlight: 1}).(*handler)
	listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("/metrics", h)
	mux.HandleFunc("/other", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "tcptrail_sockets") })
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()

	stuck := listener.dial()
	defer stuck.Close()
	if _, err := io.WriteString(stuck, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the slot is taken", func() bool { return len(h.slots) == 1 })
	ctx, leave := context.WithCancel(t.Context())
	leave()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil).WithContext(ctx)) // no failure
	other := *h
	other.timeout = time.Millisecond
	if answer := scrape(&other, ""); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("without a slot the status is %d", answer.Code)
	}
	eventually(t, "the slot is free again", func() bool { return len(h.slots) == 0 })
	body := scrape(h, "").Body.String()
	if !strings.Contains(body, `tcptrail_scrape_failures_total{reason="busy"} 1`) {
		t.Error("the refused one is not counted")
	}

	var dials atomic.Int32
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		return listener.dial(), nil
	}}}
	defer client.CloseIdleConnections()
	for _, path := range []string{"/metrics", "/metrics", "/other"} { // which sets no deadline of its own
		began := time.Now()
		answer, err := client.Get("http://pipe" + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || !strings.Contains(string(text), "tcptrail_sockets") {
			t.Errorf("%d bytes, %v", len(text), err)
		}
		eventually(t, "the deadline of this answer is over", func() bool { return time.Since(began) > 400*time.Millisecond })
	}
	if dials.Load() != 1 {
		t.Errorf("%d connections: one did not outlive its deadline", dials.Load())
	}
}
