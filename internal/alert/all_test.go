package alert

import (
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestAllSinks feeds one of each kind, and dead ones, and holds that each hears all, that the dead ones are named, and
// that no goroutine and no descriptor is left in the end.
func TestAllSinks(t *testing.T) {
	goroutines, open := runtime.NumGoroutine(), descriptors(t)
	dir := t.TempDir()
	var web *httptest.Server
	s := serve(t, func(s *httptest.Server) { web = s; s.Start() }, answer(200, ""))
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	local, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "socket")})
	if err != nil {
		t.Fatal(err)
	}
	journal, err := NewJournal(filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	alive := []Sink{
		openFile(t, filepath.Join(dir, "log")), script(t, ExecOptions{}, "cat >> "+filepath.Join(dir, "exec")),
		hook(t, s.URL, nil, HTTPOptions{}), alertmanager(t, s.URL, AlertmanagerOptions{}),
		syslogTo(t, "tcp://"+stream.Addr().String()), journal,
	}
	dead := []Sink{
		hook(t, closed.URL, nil, HTTPOptions{}), alertmanager(t, closed.URL, AlertmanagerOptions{}),
		syslogTo(t, strings.Replace(closed.URL, "http", "tcp", 1)), script(t, ExecOptions{Timeout: 20 * time.Millisecond}, "sleep 1000"),
	}
	d := NewDispatcher(Options{Backoff: Backoff{First: time.Millisecond}}, append(alive, dead...)...)
	// One after the other, for else some need not hear of the first.
	for i, a := range []Alert{about("a", Firing), about("a", Escalated), about("a", Resolved)} {
		d.Notify(a)
		eventually(t, "all have heard", func() bool {
			for _, h := range d.Stats()[:len(alive)] {
				if h.Delivered != uint64(i+1) {
					return false
				}
			}
			return true
		})
	}
	d.Notify(about("b", Firing))
	err = d.Close(t.Context())
	if err == nil || strings.Count(err.Error(), "not delivered") != len(dead) {
		t.Errorf("%v", err)
	}
	for i, h := range d.Stats() {
		if i < len(alive) && (h.Delivered != 4 || h.Failing() || h.Err != "") || i >= len(alive) && !h.Failing() {
			t.Errorf("%+v", h)
		}
	}
	local.Close()
	stream.Close()
	web.Close()
	eventually(t, "goroutines and descriptors are gone", func() bool {
		return runtime.NumGoroutine() <= goroutines && descriptors(t) <= open
	})
}
