package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/alert"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// posted is a request that a webhook made.
type posted struct {
	header http.Header
	body   string
}

// hook is a server that remembers, and answers with the status that it is told.
func hook(t *testing.T, status int) (url string, requests <-chan posted) {
	c := make(chan posted, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c <- posted{r.Header, string(body)}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, c
}

func TestSinksAreRefusedEarly(t *testing.T) {
	for args, want := range map[string]string{
		"leaks --webhook ftp://x":                              "--webhook:",
		"leaks --alertmanager nonsense":                        "--alertmanager:",
		"leaks --exec nonesuch-program":                        "--exec:",
		"leaks --syslog=nonsense://":                           "--syslog:",
		"leaks --alert-file /no/such/dir/file":                 "--alert-file:",
		"leaks --webhook-key x":                                "there is no --webhook",
		"leaks --webhook http://h --webhook-key /no/such/file": "read secret",
		"leaks --exec nonesuch --webhook ftp://":               "--webhook:",
	} {
		w := newWorld(t)
		if code := w.run(strings.Fields(args)...); code != ExitUsage || !strings.Contains(w.stderr.String(), want) || len(w.opened) > 0 {
			t.Errorf("%s: exit %d: %s, want %q", args, code, w.stderr, want)
		}
	}
}

// One look tells all sinks, any number of each kind, before it ends.
func TestLeaksOnceTellsSinks(t *testing.T) {
	w := newWorld(t)
	w.environ[webhookSecretEnv] = "s3cret"
	w.look.sockets = []tcp.Socket{stuckSocket(400)}
	first, requests := hook(t, http.StatusOK)
	second, more := hook(t, http.StatusNoContent)
	dir := t.TempDir()
	code := w.run("leaks", "--once", "-o", "json", "--webhook", first, "--webhook", second, "--alert-file", dir+"/log",
		"--exec", "sh -c 'cat > "+dir+"/stdin; env > "+dir+"/env'")
	w.wants(code, ExitFound, "")
	line := strings.TrimSpace(w.stdout.String())
	for _, c := range []<-chan posted{requests, more} {
		r := <-c
		if strings.TrimSpace(r.body) != line || r.header.Get("X-Tcptrail-Event") != "firing" {
			t.Errorf("posted %s %s, want what stdout has: %s", r.header.Get("X-Tcptrail-Event"), r.body, line)
		}
		if got, want := r.header.Get("X-Tcptrail-Signature-256"), alert.Sign([]byte("s3cret"), r.header.Get("X-Tcptrail-Timestamp"), []byte(r.body)); got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
	}
	for _, file := range []string{"log", "stdin"} {
		if text, err := os.ReadFile(dir + "/" + file); err != nil || strings.TrimSpace(string(text)) != line {
			t.Errorf("%s: %v: %s, want %s", file, err, text, line)
		}
	}
	if env, err := os.ReadFile(dir + "/env"); err != nil || strings.Contains(string(env), "s3cret") || !strings.Contains(string(env), "TCPTRAIL_STATUS=firing") {
		t.Errorf("environment of the command: %v: %s", err, env)
	}
}

// The life of a finding reaches a sink; one that fails is told of, and stops nothing.
func TestLeaksLiveTellsSinks(t *testing.T) {
	w := newWorld(t)
	url, requests := hook(t, http.StatusOK)
	down, _ := hook(t, http.StatusInternalServerError)
	w.look.put(stuckSocket(61))
	w.start("leaks", "-o", "json", "--limit", "CLOSE_WAIT=1s", "--webhook", url, "--webhook", down+"/x?token=hidden")
	status := func() string {
		r, ok := receive(requests)
		if !ok {
			t.Fatalf("nothing was posted\nstdout: %s\nstderr: %s", w.stdout, w.stderr)
		}
		var f found
		if err := json.Unmarshal([]byte(r.body), &f); err != nil {
			t.Fatal(err)
		}
		return f.Status
	}
	if got := status(); got != "firing" {
		t.Errorf("first %s", got)
	}
	w.look.put()
	if got := status(); got != "resolved" {
		t.Errorf("then %s", got)
	}
	w.stderr.await(t, "began to fail", 1)
	w.signals <- syscall.SIGINT
	code := w.wait()
	if text := w.stderr.String(); code != ExitFailed || !strings.Contains(text, "alerts not delivered") || strings.Contains(text, "hidden") {
		t.Errorf("exit %d: %s", code, text)
	}
}

// A terminal or a pipe that nobody reads keeps back no alert, and what was not printed is.
func TestLeaksStuckOutput(t *testing.T) {
	w := newWorld(t)
	url, requests := hook(t, http.StatusOK)
	w.stdout.block()
	w.look.put(stuckSocket(61))
	w.start("leaks", "-o", "json", "--limit", "CLOSE_WAIT=1s", "--webhook", url)
	<-w.stdout.entered
	for _, want := range []string{"firing", "resolved", "firing", "resolved"} {
		r, ok := receive(requests)
		if !ok || !strings.Contains(r.body, `"status":"`+want+`"`) {
			t.Fatalf("posted %q, want %s", r.body, want)
		}
		if want == "firing" {
			w.look.put()
		} else {
			w.look.put(stuckSocket(61))
		}
	}
	w.look.put()
	w.stdout.release()
	got := w.stdout.await(t, `"status":"resolved"`, 2)
	if strings.Count(got, "firing") < 2 {
		t.Errorf("printed %s", got)
	}
	w.signals <- syscall.SIGINT
	if code := w.wait(); code != ExitDone {
		t.Errorf("exit %d: %s", code, w.stderr)
	}
}

// Changes that nobody reads take no memory without end, and are counted.
func TestTellerKeepsNoMoreThanItSays(t *testing.T) {
	tell := &teller{env: &Env{Stderr: io.Discard}, over: make(chan struct{})}
	tell.more = sync.NewCond(&tell.mu)
	for range maxUntold + 3 {
		if err := tell.tell(&report{findings: []leak.Finding{{ID: "a", News: true}}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, changes, dropped, _ := tell.take(); len(changes) != maxUntold || dropped != 3 || tell.told != maxUntold+3 {
		t.Errorf("%d kept and %d dropped of %d", len(changes), dropped, tell.told)
	}
}
