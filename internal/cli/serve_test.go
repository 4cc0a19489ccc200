package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// served is a daemon in a world of fakes: the first tracer is its own, each further one that of its readers.
type served struct {
	*world
	at      string
	mu      sync.Mutex
	readers []*fakeSource
}

var listening = regexp.MustCompile(`listening on (\S+)\n`)

func serve(t *testing.T, args ...string) *served {
	s := &served{world: newWorld(t)}
	open, first := s.env.Open, true
	s.env.Open = func(o kernel.Options) (Source, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if first {
			first = false
			return open(o)
		}
		source := newFakeSource()
		s.readers = append(s.readers, source)
		return source, nil
	}
	s.look.tallies = []tcp.Tally{{Full: [tcp.States + 1]uint64{tcp.Listen: 3, tcp.CloseWait: 2}}}
	s.look.sockets = []tcp.Socket{stuckSocket(61), socket(tcp.Listen, 1000)}
	s.start(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	s.stderr.await(t, "listening on ", 1)
	eventually(t, "where it listens", func() bool {
		m := listening.FindStringSubmatch(s.stderr.String())
		if m != nil {
			s.at = "http://" + m[1]
		}
		return m != nil
	})
	eventually(t, "ready", func() bool { code, _ := s.get("/readyz"); return code == http.StatusOK })
	return s
}

func (s *served) get(path string) (code int, body string) {
	s.Helper()
	r, err := http.Get(s.at + path)
	if err != nil {
		s.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		s.Fatal(err)
	}
	return r.StatusCode, string(text)
}

func (s *served) end() {
	s.Helper()
	s.signals <- syscall.SIGTERM
	if code := s.wait(); code != ExitDone {
		s.Errorf("exit %d: %s", code, s.stderr)
	}
}

func TestServe(t *testing.T) {
	s := serve(t, "--limit", "CLOSE_WAIT=10s:1h")
	eventually(t, "processes are counted", func() bool {
		_, text := s.get("/metrics")
		return strings.Contains(text, "tcptrail_process_sockets{comm=\"web\"")
	})
	_, text := s.get("/metrics")
	for _, want := range []string{
		`tcptrail_sockets{state="LISTEN"} 3`, `tcptrail_sockets{state="TIME_WAIT"} 0`, `tcptrail_findings{level="warn"} 1`,
		`tcptrail_stuck_sockets{cause="unread_fin",state="CLOSE_WAIT"} 1`, `tcptrail_process_stuck_sockets{comm="web",pid="4242"} 1`,
		`tcptrail_events_lost_total 0`, `tcptrail_stream_subscribers 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "tcptrail_log_") || strings.Contains(text, "state_duration") {
		t.Error("what is not known is shown")
	}
	for path, want := range map[string]string{
		"/api/v1/count": `"LISTEN":3`, "/api/v1/count?filter=state+close-wait": `"CLOSE_WAIT":1`,
		"/api/v1/count?by=state": `"state":"CLOSE_WAIT"`, "/api/v1/list?filter=state+listening": `"state":"LISTEN"`,
		"/api/v1/findings": `"cause":"unread_fin"`, "/api/v1/findings?filter=pid+4242": `"pid":4242`, "/healthz": "",
	} {
		if code, text := s.get(path); code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s, want %s", path, code, text, want)
		}
	}
	if _, text := s.get("/api/v1/list?limit=1"); strings.Count(text, "\n") != 1 {
		t.Errorf("limit: %s", text)
	}
	if _, text := s.get("/api/v1/findings?filter=pid+7"); text != "" {
		t.Errorf("findings of another: %s", text)
	}
	for path, want := range map[string]string{
		"/api/v1/list?filter=" + url.QueryEscape("state close-wait and nonsense"): `"column":22`, "/api/v1/count?by=shoe": "shoe",
		"/api/v1/events?filter=recvq+gt+1": "no transition says",
	} {
		if code, text := s.get(path); code != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s, want %s", path, code, text, want)
		}
	}
	s.end()
	if got := s.opened[0]; got.Stacks || !got.Gauges || got.Filter.States == 0 || len(s.readers) != 0 {
		t.Errorf("opened %+v, and %d for readers that are not there", got, len(s.readers))
	}
}

// Transitions are traced for who reads them, one tracer for all, and each gets those of its filter.
func TestServeEvents(t *testing.T) {
	s := serve(t)
	read := func(filter string) (*bufio.Reader, context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.at+"/api/v1/events?filter="+url.QueryEscape(filter), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { answer.Body.Close() })
		return bufio.NewReader(answer.Body), cancel
	}
	all, cancelAll := read("")
	some, cancelSome := read("pid 7")
	defer cancelSome()
	if len(s.readers) != 1 {
		t.Fatalf("%d tracers for two readers", len(s.readers))
	}
	events := []tcp.Event{newTape(t).event(1, 1, tcp.Established, tcp.CloseWait), newTape(t).event(2, 2, tcp.Established, tcp.CloseWait)}
	events[1].PID = 7
	s.readers[0].feed(events...)
	next := func(r *bufio.Reader) (e struct{ Cookie string }) {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if data, ok := strings.CutPrefix(line, "data: {"); ok {
				if err := json.Unmarshal([]byte("{"+data), &e); err != nil {
					t.Fatal(err)
				}
				return e
			}
		}
	}
	if a, b := next(all), next(all); a.Cookie != "1" || b.Cookie != "2" {
		t.Errorf("all: %v, %v", a, b)
	}
	if a := next(some); a.Cookie != "2" {
		t.Errorf("some: %v", a)
	}
	// What the kernel's side lost is told to each.
	s.readers[0].count(kernel.Stats{Seen: 3, Lost: 3})
	s.readers[0].feed(events...)
	for line := ""; line != "data: {\"lost\":3}\n"; {
		var err error
		if line, err = all.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if _, text := s.get("/metrics"); !strings.Contains(text, "tcptrail_events_lost_total 3\n") {
		t.Error("no metric of what was lost")
	}
	cancelAll()
	s.end() // with a reader that is still there
	if !s.readers[0].closed.Load() {
		t.Error("the readers' tracer was not closed")
	}
}

func TestServeEndsTheTracerOfNobody(t *testing.T) {
	f := newFeed(&Env{Open: func(kernel.Options) (Source, error) { return newFakeSource(), nil }, Stderr: io.Discard}, filter.Filter{}, false)
	a, err := f.subscribe(func(*tcp.Event) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	f.mu.Lock()
	source := f.source.(*fakeSource)
	if err := f.end(); err != nil || f.source != nil || !source.closed.Load() {
		t.Errorf("not closed: %v, %v, %v", err, f.source, source.closed.Load())
	}
	f.mu.Unlock()
	b, err := f.subscribe(func(*tcp.Event) bool { return true })
	if err != nil || f.source == nil {
		t.Errorf("the next reader has no tracer: %v", err)
	}
	b.Close()
	if err := f.close(); err != nil {
		t.Error(err)
	}
	if _, err := f.subscribe(nil); err == nil {
		t.Error("subscribed after the end")
	}
}

func TestServeRefusals(t *testing.T) {
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"serve --top 1000":                    {ExitUsage, "up to 200"},
		"serve --limit CLOSE_WAIT":            {ExitUsage, "use STATE=DURATION"},
		"serve something":                     {ExitUsage, "something"},
		"serve --listen nowhere":              {ExitFailed, "nowhere"},
		"serve --web-config /no/such":         {ExitFailed, "/no/such"},
		"serve --listen unix:/no/such/socket": {ExitFailed, "/no/such"},
	} {
		w := newWorld(t)
		code := w.run(strings.Fields(args)...)
		if got := w.stderr.String(); code != want.code || !strings.Contains(got, want.text) || len(w.opened) != 0 {
			t.Errorf("%s: exit %d, want %d: %s, want %q", args, code, want.code, got, want.text)
		}
	}
	w := newWorld(t)
	w.openErr = &kernel.UnsupportedError{What: "no BTF"}
	if code := w.run("serve", "--listen", "unix:"+filepath.Join(t.TempDir(), "s")); code != ExitUnsupported {
		t.Errorf("exit %d: %s", code, w.stderr)
	}
	w = newWorld(t)
	w.keepErr = io.ErrUnexpectedEOF
	if code := w.run("serve", "--listen", "127.0.0.1:0"); code != ExitFailed || len(w.opened) != 0 {
		t.Errorf("exit %d: %s", code, w.stderr)
	}
}
