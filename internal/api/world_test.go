package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/stream"
)

var _ Subscription = (*stream.Subscription[int])(nil)

// patience is how long a test waits for what has to happen, on a machine that has much else to do.
const patience = time.Minute

// await polls.
func await(t testing.TB, what string, isDone func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !isDone(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in %s", what, patience)
		}
	}
}

// fake is a backend that does as a test says. What is not set answers with a line, or with what was asked.
type fake struct {
	write  func(ctx context.Context, w io.Writer) error
	ready  func() error
	hub    *stream.Hub[int]
	closed atomic.Int64 // subscriptions
}

func newFake() *fake {
	return &fake{hub: stream.NewHub(func(line []byte, n *int) []byte {
		return append(strconv.AppendInt(append(line, `{"n":`...), int64(*n), 10), "}\n"...)
	}, 0)}
}

func (f *fake) publish(numbers ...int) {
	for _, n := range numbers {
		f.hub.Publish(&n)
	}
	f.hub.Flush()
}

func (f *fake) answer(ctx context.Context, w io.Writer, asked map[string]any) error {
	if f.write != nil {
		return f.write(ctx, w)
	}
	line, _ := json.Marshal(asked)
	_, err := w.Write(append(line, '\n'))
	return err
}

func (f *fake) Count(ctx context.Context, w io.Writer, filter string, by []string) error {
	return f.answer(ctx, w, map[string]any{"count": filter, "by": by})
}

func (f *fake) List(ctx context.Context, w io.Writer, filter string, limit int) error {
	return f.answer(ctx, w, map[string]any{"list": filter, "limit": limit})
}

func (f *fake) Findings(ctx context.Context, w io.Writer, filter string) error {
	return f.answer(ctx, w, map[string]any{"findings": filter})
}

// Subscribe knows the filters "", "even", "bad" and "busy".
func (f *fake) Subscribe(filter string) (Subscription, error) {
	var match func(*int) bool
	switch filter {
	case "even":
		match = func(n *int) bool { return *n%2 == 0 }
	case "bad":
		return nil, &BadRequestError{Parameter: "filter", Column: 2, What: "column 2: no such word"}
	case "busy":
		return nil, ErrUnavailable
	}
	s, err := f.hub.Subscribe(match)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return &counting{s, f}, nil
}

// counting counts how many are closed.
type counting struct {
	*stream.Subscription[int]
	of *fake
}

func (c *counting) Close() {
	c.Subscription.Close()
	c.of.closed.Add(1)
}

func (f *fake) Ready() error {
	if f.ready != nil {
		return f.ready()
	}
	return nil
}

func newAPI(t testing.TB, b Backend, o Options) *API {
	t.Helper()
	a, err := New(b, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// running is a server, and a client for it.
type running struct {
	*Server
	t      testing.TB
	client *http.Client
	url    string // of the first address
	stop   context.CancelFunc
	done   chan struct{}
	err    error // when done
}

// start serves until the test ends, and sees to it that no goroutine is left then.
func start(t testing.TB, a *API, o ServerOptions, tune ...func(*Server)) *running {
	t.Helper()
	goroutines := runtime.NumGoroutine()
	if len(o.Addresses) == 0 {
		o.Addresses = []string{"127.0.0.1:0"}
	}
	s, err := Listen(t.Context(), a, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tune {
		f(s)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Server: s, t: t, stop: stop, url: "http://" + s.Addresses()[0], done: make(chan struct{})}
	r.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	go func() {
		r.err = s.Serve(ctx)
		close(r.done)
	}()
	t.Cleanup(func() {
		_ = r.end()
		r.client.CloseIdleConnections()
		await(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
		if n := a.running.Load() + int64(len(a.streams)+len(a.requests)); n != 0 {
			t.Errorf("%d requests or slots are left", n)
		}
	})
	return r
}

// end stops the server and waits.
func (r *running) end() error {
	r.t.Helper()
	r.stop()
	select {
	case <-r.done:
	case <-time.After(patience):
		r.t.Fatal("the server does not end")
	}
	return r.err
}

// ask makes a request, with headers as name, value, and returns the answer with the body read. It must be as described.
func (r *running) ask(method, path string, headers ...string) (*http.Response, string) {
	r.t.Helper()
	response, body, err := r.try(method, path, headers...)
	if err != nil {
		r.t.Fatal(err)
	}
	checkDescribed(r.t, strings.SplitN(path, "?", 2)[0], response)
	return response, body
}

func (r *running) try(method, path string, headers ...string) (*http.Response, string, error) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

// dial opens a connection, and says what is to be said first.
func (r *running) dial(text string) net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// event is one of a stream. Comments have the name ":".
type event struct{ name, id, data string }

// follower reads a stream.
type follower struct {
	t        testing.TB
	response *http.Response
	lines    *bufio.Scanner
}

// follow opens a stream and waits until it has begun.
func (r *running) follow(path string, headers ...string) *follower {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	r.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := r.client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { response.Body.Close() })
	checkDescribed(r.t, pathEvents, response)
	if response.StatusCode != http.StatusOK {
		r.t.Fatalf("status %s", response.Status)
	}
	f := &follower{r.t, response, bufio.NewScanner(response.Body)}
	if first := f.any(); first.name != ":" {
		r.t.Fatalf("it begins with %+v", first)
	}
	return f
}

// next returns the next event that is no heartbeat; one without a name at the end.
func (f *follower) next() event {
	for {
		if e := f.any(); e.name != ":" {
			return e
		}
	}
}

// any returns the next event or comment.
func (f *follower) any() (e event) {
	for f.lines.Scan() {
		line := f.lines.Text()
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			return e
		case name == "":
			e.name = ":"
		case name == "event":
			e.name = value
		case name == "id":
			e.id = value
		case name == "data":
			e.data += value
		case name == "retry":
		default:
			f.t.Errorf("line %q", line)
		}
	}
	return event{}
}
