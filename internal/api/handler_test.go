package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEveryRoute(t *testing.T) {
	b := newFake()
	b.hub.Close() // so that an event stream ends
	r := start(t, newAPI(t, b, Options{}), ServerOptions{})
	const array, lines = "application/json", "application/x-ndjson"
	for _, test := range []struct{ path, accept, contentType, body string }{
		{"/", "", "text/html; charset=utf-8", "/api/v1/findings"},
		{"/healthz", "", "text/plain; charset=utf-8", "ok\n"},
		{"/readyz", "", "text/plain; charset=utf-8", "ready\n"},
		{"/api/v1/count", "", array, `{"by":null,"count":""}` + "\n"},
		{"/api/v1/count?filter=x", array, array, `{"by":null,"count":"x"}` + "\n"},
		{"/api/v1/count?by=comm,pid", "", lines, `{"by":["comm","pid"],"count":""}` + "\n"},
		{"/api/v1/count?by=comm", array, array, `[{"by":["comm"],"count":""}` + "\n]\n"},
		{"/api/v1/list?filter=x&limit=3", "", lines, `{"limit":3,"list":"x"}` + "\n"},
		{"/api/v1/list", array, array, `[{"limit":0,"list":""}` + "\n]\n"},
		{"/api/v1/findings?filter=x", "*/*", lines, `{"findings":"x"}` + "\n"},
		{"/api/v1/openapi.json", "", array, `"openapi": "3.1.0"`},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			response, body := r.ask(method, test.path, "Accept", test.accept)
			want := test.body
			if method == http.MethodHead {
				want = ""
			}
			if response.StatusCode != http.StatusOK || !strings.Contains(body, want) || method == http.MethodHead && body != "" {
				t.Errorf("%s %s: %s, %q", method, test.path, response.Status, body)
			}
			checkHeaders(t, response, test.contentType)
		}
	}
	if response, _ := r.ask(http.MethodHead, "/api/v1/events"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("events of a hub that is closed: %s", response.Status)
	}
}

func checkHeaders(t *testing.T, response *http.Response, contentType string) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type": contentType, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Access-Control-Allow-Origin": "",
		"Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", response.Request.URL.Path, name, got, want)
		}
	}
}

func checkProblem(t *testing.T, response *http.Response, body string, status int, want problem) {
	t.Helper()
	var got problem
	if err := json.Unmarshal([]byte(body), &got); err != nil || got != want || response.StatusCode != status {
		t.Errorf("%s %s: %s, %q (%v), want %d, %+v", response.Request.Method, response.Request.URL, response.Status, body, err, status, want)
	}
	checkHeaders(t, response, "application/json")
}

func TestWhatIsRefused(t *testing.T) {
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{})
	for _, test := range []struct {
		method, path string
		status       int
		want         problem
	}{
		{"GET", "/nothing", 404, problem{Error: "no such page: / lists those that there are"}},
		{"GET", "/healthz/", 404, problem{Error: "no such page: / lists those that there are"}},
		{"GET", "//healthz", 404, problem{Error: "no such page: / lists those that there are"}},
		{"GET", "/%3Cscript%3E", 404, problem{Error: "no such page: / lists those that there are"}},
		{"POST", "/", 405, problem{Error: "there is nothing to change here: use GET or HEAD"}},
		{"OPTIONS", "/api/v1/count", 405, problem{Error: "there is nothing to change here: use GET or HEAD"}},
		{"DELETE", "/nothing", 405, problem{Error: "there is nothing to change here: use GET or HEAD"}},
		{"TRACE", "/", 405, problem{Error: "there is nothing to change here: use GET or HEAD"}},
		{"GET", "/healthz?x=1", 400, problem{Error: "there are no parameters here"}},
		{"GET", "/api/v1/count?limit=1", 400, problem{Error: `unknown parameter "limit": parameters here are filter, by`}},
		{"GET", "/api/v1/list?by=pid", 400, problem{Error: `unknown parameter "by": parameters here are filter, limit`}},
		{"GET", "/api/v1/events?limti=1", 400, problem{Error: `unknown parameter "limti": parameters here are filter`}},
		{"GET", "/api/v1/list?limit=x", 400, problem{Error: "limit must be a number from 1 to 10000000; leave it out for no limit", Parameter: "limit"}},
		{"GET", "/api/v1/events?filter=bad", 400, problem{Error: "column 2: no such word", Parameter: "filter", Column: 2}},
		{"GET", "/api/v1/events?filter=busy", 503, problem{Error: "there is no answer at the moment: try again later"}},
	} {
		response, body := r.ask(test.method, test.path)
		checkProblem(t, response, body, test.status, test.want)
		if allow := response.Header.Get("Allow"); (allow == "GET, HEAD") != (test.status == 405) {
			t.Errorf("%s %s: Allow is %q", test.method, test.path, allow)
		}
	}
}

// TestNothingIsReflected: not even where it is quoted does a query bring markup or control characters.
func TestNothingIsReflected(t *testing.T) {
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{})
	for _, path := range []string{"/api/v1/list?%3Cscript%3E%1b%0a=1", "/api/v1/count?by=%3Cscript%3E%1b%0a,%3Cscript%3E%1b%0a", "/%3Cscript%3E?%3Cscript%3E"} {
		if _, body := r.ask("GET", path); strings.ContainsAny(strings.TrimSuffix(body, "\n"), "<>\x1b\n") {
			t.Errorf("%s: %q", path, body)
		}
	}
}

func TestErrorsOfTheBackend(t *testing.T) {
	const secret = "/proc/42/secret"
	var logged bytes.Buffer
	a := newAPI(t, newFake(), Options{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	a.requestTimeout = 50 * time.Millisecond
	b := a.backend.(*fake)
	r := start(t, a, ServerOptions{})
	notNow := problem{Error: "there is no answer at the moment: try again later"}
	for _, test := range []struct {
		name   string
		write  func(ctx context.Context, w io.Writer) error
		status int
		want   problem
		log    bool
	}{
		{"bad", func(context.Context, io.Writer) error {
			return fmt.Errorf("count: %w", &BadRequestError{Parameter: "filter", Column: 3, What: "column 3: \"<x>\""})
		}, 400, problem{Error: "column 3: \"<x>\"", Parameter: "filter", Column: 3}, false},
		{"internal", func(context.Context, io.Writer) error { return errors.New(secret) }, 500, problem{Error: "internal error: the log of tcptrail says more"}, true},
		{"after a few bytes", func(_ context.Context, w io.Writer) error {
			_, _ = io.WriteString(w, "{}\n")
			return errors.New(secret)
		}, 500, problem{Error: "internal error: the log of tcptrail says more"}, true},
		{"busy", func(context.Context, io.Writer) error { return fmt.Errorf("%w: "+secret, ErrUnavailable) }, 503, notNow, false},
		{"too long", func(ctx context.Context, _ io.Writer) error { <-ctx.Done(); return ctx.Err() }, 503, notNow, false},
		{"panic", func(context.Context, io.Writer) error { panic(secret) }, 500, problem{Error: "internal error: the log of tcptrail says more"}, true},
	} {
		b.write = test.write
		logged.Reset()
		response, body := r.ask("GET", "/api/v1/list")
		checkProblem(t, response, body, test.status, test.want)
		if retry := response.Header.Get("Retry-After"); (retry != "") != (test.status == 503) {
			t.Errorf("%s: Retry-After is %q", test.name, retry)
		}
		if got := strings.Contains(logged.String(), secret); got != test.log {
			t.Errorf("%s: logged: %v, %q", test.name, got, logged.String())
		}
	}
	if s := a.Stats(); s.Failed != 4 || s.Panics != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestNothingIsAnAnswerToo(t *testing.T) {
	b := newFake()
	b.write = func(context.Context, io.Writer) error { return nil }
	r := start(t, newAPI(t, b, Options{}), ServerOptions{})
	for contentType, want := range map[string]string{typeLines: "", typeJSON: "[]\n"} {
		response, body := r.ask("GET", "/api/v1/list", "Accept", contentType)
		if response.StatusCode != http.StatusOK || body != want {
			t.Errorf("%s: %s, %q", contentType, response.Status, body)
		}
		checkHeaders(t, response, contentType)
	}
}

// TestHalfAnAnswerIsNotAWholeOne: what goes wrong later breaks the connection off.
func TestHalfAnAnswerIsNotAWholeOne(t *testing.T) {
	b := newFake()
	r := start(t, newAPI(t, b, Options{}), ServerOptions{})
	for name, write := range map[string]func(context.Context, io.Writer) error{
		"error":       func(context.Context, io.Writer) error { return errors.New("no more") },
		"bad request": func(context.Context, io.Writer) error { return &BadRequestError{What: "too late"} },
		"panic":       func(context.Context, io.Writer) error { panic("no more") },
	} {
		b.write = func(ctx context.Context, w io.Writer) error {
			for range 3 * answerBuffer / 8 {
				_, _ = io.WriteString(w, "1234567\n")
			}
			return write(ctx, w)
		}
		for _, accept := range []string{typeJSON, typeLines} {
			response, body, err := r.try("GET", "/api/v1/list", "Accept", accept)
			if !errors.Is(err, io.ErrUnexpectedEOF) || response.StatusCode != http.StatusOK || len(body) < answerBuffer {
				t.Errorf("%s: %d bytes, %v", name, len(body), err)
			}
		}
	}
}

func TestNotReady(t *testing.T) {
	b := newFake()
	b.ready = func() error { return errors.New("attached is \x1b[2Jnothing") }
	a := newAPI(t, b, Options{})
	r := start(t, a, ServerOptions{})
	response, body := r.ask("GET", "/readyz")
	checkProblem(t, response, body, 503, problem{Error: "attached is \x1b[2Jnothing"})
	if strings.Contains(body, "\x1b") {
		t.Errorf("body %q", body)
	}
	if response, body := r.ask("GET", "/healthz"); response.StatusCode != http.StatusOK || body != "ok\n" {
		t.Errorf("health: %s, %q", response.Status, body)
	}
	b.ready = nil
	a.End()
	response, body = r.ask("GET", "/readyz")
	checkProblem(t, response, body, 503, problem{Error: "tcptrail ends"})
	response, body = r.ask("GET", "/api/v1/events")
	checkProblem(t, response, body, 503, problem{Error: "tcptrail ends"})
}

func TestExtraPages(t *testing.T) {
	extra := map[string]http.Handler{
		"/metrics": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // as promhttp's users do
			fmt.Fprintf(w, "up 1 %s\n", r.URL.Query())
		}),
		"/<b>":   http.NotFoundHandler(),
		"/panic": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no") }),
	}
	a := newAPI(t, newFake(), Options{Extra: extra})
	r := start(t, a, ServerOptions{})
	if response, body := r.ask("GET", "/metrics?any=1"); response.StatusCode != http.StatusOK || body != "up 1 map[any:[1]]\n" {
		t.Errorf("%s, %q", response.Status, body)
	}
	if response, _ := r.ask("POST", "/metrics"); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
	if response, _ := r.ask("GET", "/panic"); response.StatusCode != http.StatusInternalServerError || a.Stats().Panics != 1 {
		t.Errorf("panic: %s, %+v", response.Status, a.Stats())
	}
	if _, body := r.ask("GET", "/"); !strings.Contains(body, `<a href="/metrics">`) || strings.Contains(body, "<b>") {
		t.Errorf("index %q", body)
	}
	for _, path := range []string{"/healthz", "metrics", ""} {
		if _, err := New(newFake(), Options{Extra: map[string]http.Handler{path: http.NotFoundHandler()}}); err == nil {
			t.Errorf("%q is taken", path)
		}
	}
	if _, err := New(newFake(), Options{Extra: map[string]http.Handler{"/x": nil}}); err == nil {
		t.Error("no handler is taken")
	}
}

// TestARequestWithABody is refused, and nobody waits for the body.
func TestARequestWithABody(t *testing.T) {
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{}, func(s *Server) { s.doors[0].server.ReadTimeout = 2 * patience })
	for _, head := range []string{
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx",
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
	} {
		got, err := io.ReadAll(r.dial(head))
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 400 ") || !strings.Contains(string(got), "has no body") {
			t.Errorf("%q: %q, %v", head, got, err)
		}
	}
}

func TestPagesOfOtherSites(t *testing.T) {
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{})
	for _, test := range []struct {
		site, mode string
		status     int
	}{
		{"cross-site", "no-cors", 403},
		{"cross-site", "cors", 403},
		{"cross-site", "navigate", 200},
		{"same-origin", "cors", 200},
		{"none", "navigate", 200},
		{"same-site", "cors", 200},
	} {
		response, _ := r.ask("GET", "/api/v1/count", "Sec-Fetch-Site", test.site, "Sec-Fetch-Mode", test.mode)
		if response.StatusCode != test.status {
			t.Errorf("%s, %s: %s", test.site, test.mode, response.Status)
		}
	}
}

func TestRequestsAreLimited(t *testing.T) {
	b := newFake()
	release := make(chan struct{})
	b.write = func(_ context.Context, w io.Writer) error {
		<-release
		_, err := io.WriteString(w, "{}\n")
		return err
	}
	a := newAPI(t, b, Options{})
	r := start(t, a, ServerOptions{})
	var group sync.WaitGroup
	for i := range MaxRequests {
		path := []string{"/api/v1/count", "/api/v1/list", "/api/v1/findings"}[i%3]
		group.Go(func() {
			if response, body, err := r.try("GET", path); err != nil || response.StatusCode != http.StatusOK || body != "{}\n" {
				t.Errorf("%s: %v, %q", path, err, body)
			}
		})
	}
	await(t, "all are at it", func() bool { return a.Stats().Requests == MaxRequests })
	response, body := r.ask("GET", "/api/v1/list")
	checkProblem(t, response, body, 503, problem{Error: "too many requests of this kind at a time: try again later"})
	if retry := response.Header.Get("Retry-After"); retry != "1" || a.Stats().Busy != 1 {
		t.Errorf("Retry-After %q, %+v", retry, a.Stats())
	}
	if response, _ := r.ask("GET", "/healthz"); response.StatusCode != http.StatusOK {
		t.Errorf("health: %s", response.Status)
	}
	close(release)
	group.Wait()
	if response, _ := r.ask("GET", "/api/v1/list"); response.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %s", response.Status)
	}
}

// endless writes until it cannot.
func endless(_ context.Context, w io.Writer) error {
	line := strings.Repeat("x", 1000) + "\n"
	for {
		if _, err := io.WriteString(w, line); err != nil {
			return errors.New("of my own") // backends need not pass it on
		}
	}
}

// TestWhoDoesNotReadIsGivenUp, and who goes in the middle of an answer is not waited for.
func TestWhoDoesNotReadIsGivenUp(t *testing.T) {
	var logged bytes.Buffer
	b := newFake()
	b.write = endless
	a := newAPI(t, b, Options{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	a.writeTimeout = 100 * time.Millisecond
	r := start(t, a, ServerOptions{})
	for name, after := range map[string]func(io.Closer){"stays": func(io.Closer) {}, "goes": func(c io.Closer) { c.Close() }} {
		c := r.dial("GET /api/v1/list HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		after(c)
		await(t, "who "+name+" is given up", func() bool { return a.running.Load() == 0 })
	}
	if a.Stats().Failed != 0 || logged.Len() > 0 {
		t.Errorf("%+v, log %q", a.Stats(), logged.String())
	}
}

// TestAnAnswerEnds although its reader takes a little all the time.
func TestAnAnswerEnds(t *testing.T) {
	b := newFake()
	b.write = endless
	a := newAPI(t, b, Options{})
	a.requestTimeout = 100 * time.Millisecond
	r := start(t, a, ServerOptions{})
	response, _, err := r.try("GET", "/api/v1/list")
	if err == nil || response.StatusCode != http.StatusOK {
		t.Errorf("it ended with %v", err)
	}
}

// FuzzRequest: whatever is asked, on loopback, is answered as protected text, and an error as JSON without what was asked.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /api/v1/list?limit=3&filter=%3Cx HTTP/1.1\r\nHost: [::1]:1\r\nAccept: application/json;q=0.1\r\n\r\n",
		"HEAD /api/v1/events HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "GET /\x7f<b> HTTP/1.1\r\nHost: a:b:c\r\n\r\n",
		"GET /api/v1/events?filter=bad HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1\r\n\r\n",
	} {
		f.Add(seed)
	}
	b := newFake()
	b.hub.Close()
	a, err := New(b, Options{})
	if err != nil {
		f.Fatal(err)
	}
	handler := guard(a, []string{"x"})
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Content-Type") == "" {
			t.Fatalf("%q: headers %v", text, w.Header())
		}
		if w.Code == http.StatusOK {
			return
		}
		var p problem
		body := w.Body.String()
		if err := json.Unmarshal([]byte(body), &p); err != nil || p.Error == "" || strings.ContainsAny(strings.TrimSuffix(body, "\n"), "<>&\x1b\r\n") {
			t.Fatalf("%q: %d, %q", text, w.Code, body)
		}
		if a.Stats().Panics > 0 || a.running.Load() != 0 {
			t.Fatalf("%q: %+v", text, a.Stats())
		}
	})
}
