package alert

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// request is what a server has got.
type request struct {
	header http.Header
	body   string
	path   string
}

// server answers one request after the other as a test says, the last answer to all that follow, and keeps them.
type server struct {
	*httptest.Server
	mu  sync.Mutex
	got []request
}

func serve(t *testing.T, start func(*httptest.Server), answers ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.got = append(s.got, request{r.Header.Clone(), string(body), r.URL.RequestURI()})
		n := len(s.got)
		s.mu.Unlock()
		answers[min(n, len(answers))-1](w, r)
	}))
	start(s.Server)
	t.Cleanup(s.Server.Close)
	return s
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func answer(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func hook(t *testing.T, url string, secret []byte, o HTTPOptions) *Webhook {
	t.Helper()
	w, err := NewWebhook(url, secret, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func TestWebhook(t *testing.T) {
	s := serve(t, (*httptest.Server).Start, answer(204, ""))
	secret := []byte("sesame")
	w := hook(t, strings.Replace(s.URL, "http://", "http://user:p%40ss@", 1)+"/in?a=b#c", secret, HTTPOptions{UserAgent: "tcptrail/1.2"})
	deliver(t, w, "a")
	got := s.requests()[0]
	body := string(about("a", Firing).JSON)
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "tcptrail/1.2", "Authorization": "Basic dXNlcjpwQHNz",
		"X-Tcptrail-Event": "firing", "X-Tcptrail-Delivery": strings.Repeat("0", 32), "X-Tcptrail-Timestamp": "1767225600",
		"Idempotency-Key":          strings.Repeat("0", 32),
		"X-Tcptrail-Signature-256": Sign(secret, "1767225600", []byte(body)),
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	if got.body != body || got.path != "/in?a=b" {
		t.Errorf("%s with %s", got.path, got.body)
	}
	if want := "webhook " + s.URL; w.Name() != want {
		t.Errorf("%s, want %s", w.Name(), want)
	}
}

// TestSign checks the signature by what openssl makes of the same: printf '1767225600.{}' | openssl dgst -sha256 -hmac sesame.
func TestSign(t *testing.T) {
	const want = "sha256=90313e5ae40a83c39ecfda2d0ca51225117c68933ebc6b3cd948abb54ba5d234"
	if got := Sign([]byte("sesame"), "1767225600", []byte("{}")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWebhookWithoutSecret(t *testing.T) {
	s := serve(t, (*httptest.Server).Start, answer(200, "ok"))
	deliver(t, hook(t, s.URL, nil, HTTPOptions{}), "a")
	if h := s.requests()[0].header; h.Get("X-Tcptrail-Signature-256") != "" || h.Get("Authorization") != "" {
		t.Errorf("%v", h)
	}
}

func TestWebhookAnswers(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   string // in the error; "" is success
		final  bool
		after  time.Duration
	}{
		{"huge body", func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, "", false, 0},
		{"body that does not end", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "", false, 0},
		{"error with a long body", answer(500, strings.Repeat("x", 1<<20)), "answers 500 Internal Server Error: xxx", false, 0},
		{"not found", answer(404, "no such hook"), "answers 404 Not Found: no such hook", true, 0},
		{"control characters", answer(400, "a\x1b[31m"), "400", true, 0},
		{"too many", answer(429, "", "Retry-After", "17"), "429", false, 17 * time.Second},
		{"date", answer(503, "", "Retry-After", origin.Add(time.Minute).Format(http.TimeFormat)), "503", false, time.Minute},
		{"much too long", answer(503, "", "Retry-After", "99999999999999"), "503", false, MaxAfter},
		{"nonsense", answer(503, "", "Retry-After", "-5 soon"), "503", false, 0},
		{"timeout", answer(408, ""), "408", false, 0},
		{"redirect", answer(307, "", "Location", "http://elsewhere.invalid/secret?token=1"), "redirects (307), which is not followed; give the URL at which it takes alerts, on http://elsewhere.invalid", true, 0},
		{"moved", answer(301, "", "Location", "/x"), "redirects (301)", true, 0},
		{"without a place", answer(302, ""), "redirects (302)", true, 0},
		{"reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF", false, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, (*httptest.Server).Start, test.answer)
			err := hook(t, s.URL+"/path", nil, HTTPOptions{}).Deliver(t.Context(), delivery("a", Firing))
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *DeliveryError
			if !errors.As(err, &e) || !strings.Contains(e.Error(), test.want) || e.Final != test.final || e.After != test.after {
				t.Fatalf("%+v: %v", e, err)
			}
			if len(e.Error()) > 1000 || strings.Contains(e.Error(), "token") || strings.Contains(e.Error(), "/path") {
				t.Errorf("%v", e)
			}
			if e.Unheard != test.final {
				t.Errorf("unheard: %v", e.Unheard)
			}
		})
	}
}

// TestWebhookShowsNoSecrets holds that they do not come back by way of the server, either.
func TestWebhookShowsNoSecrets(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+" hunter2 sesame "+r.URL.String())
	}
	s := serve(t, (*httptest.Server).Start, echo)
	w := hook(t, strings.Replace(s.URL, "http://", "http://user:hunter2@", 1)+"/services/T0KEN", []byte("sesame"), HTTPOptions{})
	first := w.Deliver(t.Context(), delivery("a", Firing))
	s.Server.Close()
	w.Close() // what was sent on an old connection may have been heard
	second := w.Deliver(t.Context(), delivery("a", Firing))
	for _, text := range []string{first.Error(), second.Error(), w.Name()} {
		for _, secret := range []string{"hunter2", "sesame", "T0KEN", "dXNlcjpodW50ZXIy"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s in %s", secret, text)
			}
		}
	}
	var e *DeliveryError
	if !errors.As(second, &e) || !e.Unheard || e.Final {
		t.Errorf("a server that is gone: %+v", e)
	}
}

func TestWebhookWithoutAnswer(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, (*httptest.Server).Start, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	w := hook(t, s.URL, nil, HTTPOptions{Timeout: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var e *DeliveryError
	if err := w.Deliver(ctx, delivery("a", Firing)); !errors.As(err, &e) || e.Unheard || !strings.Contains(e.Error(), "no answer") {
		t.Errorf("%v", err)
	}
}

// TestWebhookUsesOneConnection holds that requests follow each other on one, and that none is left in the end.
func TestWebhookUsesOneConnection(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){
		"HTTP/1": (*httptest.Server).Start,
		"HTTP/2": func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() },
	} {
		t.Run(name, func(t *testing.T) {
			var opened, open atomic.Int32
			var proto atomic.Value
			s := serve(t, func(s *httptest.Server) {
				s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
					switch state {
					case http.StateNew:
						opened.Add(1)
						open.Add(1)
					case http.StateClosed, http.StateHijacked:
						open.Add(-1)
					case http.StateActive, http.StateIdle:
					}
				}
				start(s)
			}, func(w http.ResponseWriter, r *http.Request) {
				proto.Store(r.Proto)
				answer(200, strings.Repeat("x", 5000))(w, r)
			})
			o := HTTPOptions{}
			if s.TLS != nil {
				o.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
			}
			w := hook(t, s.URL, nil, o)
			for range 5 {
				deliver(t, w, "a")
			}
			if opened.Load() != 1 || !strings.HasPrefix(proto.Load().(string), name) {
				t.Errorf("%d connections of %v", opened.Load(), proto.Load())
			}
			s.CloseClientConnections()
			eventually(t, "there is a new one", func() bool { return w.Deliver(t.Context(), delivery("a", Firing)) == nil })
			w.Close()
			eventually(t, "all connections are closed", func() bool { return open.Load() == 0 })
		})
	}
}

func TestWebhookTrustsNoStranger(t *testing.T) {
	s := serve(t, func(s *httptest.Server) {
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
	}, answer(200, ""))
	var e *DeliveryError
	if err := hook(t, s.URL, nil, HTTPOptions{}).Deliver(t.Context(), delivery("a", Firing)); !errors.As(err, &e) || !e.Unheard || len(s.requests()) != 0 {
		t.Errorf("%v", err)
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	for _, url := range []string{"", "example.com/x", "ftp://a/b", "http://", "http://:80/", "http://user:hunter2@ho st/", "http://user:hun%zzter2@host/", "http://user:hunter2@host:port/"} {
		_, err := NewWebhook(url, nil, HTTPOptions{})
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "give http://") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := NewWebhook("http://host/", []byte{}, HTTPOptions{}); err == nil {
		t.Error("an empty secret was taken")
	}
}

// TestWebhookIsFed has a dispatcher deliver to a server that fails at first.
func TestWebhookIsFed(t *testing.T) {
	s := serve(t, (*httptest.Server).Start, answer(500, ""), answer(429, "", "Retry-After", "0"), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, answer(200, ""))
	d := NewDispatcher(Options{Backoff: Backoff{First: time.Millisecond}}, hook(t, s.URL, nil, HTTPOptions{}))
	d.Notify(about("a", Firing))
	eventually(t, "it is delivered", func() bool { return d.Stats()[0].Delivered == 1 })
	closeNow(t, d)
	keys := map[string]bool{}
	for _, r := range s.requests() {
		keys[r.header.Get("X-Tcptrail-Delivery")] = true
	}
	// net/http itself may have sent the request that was reset again.
	if n := len(s.requests()); n < 4 || len(keys) != 1 {
		t.Errorf("%d requests of %d deliveries", n, len(keys))
	}
}
