package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseAddress(t *testing.T) {
	for text, isLocal := range map[string]bool{
		"127.0.0.1:9797": true, "[::1]:9797": true, "127.9.9.9:0": true, "[::ffff:127.0.0.1]:1": true, "unix:/run/x.sock": true,
		"0.0.0.0:9797": false, "[::]:9797": false, ":9797": false, "192.0.2.1:80": false, "[fe80::1%eth0]:80": false,
	} {
		a, err := parseAddress(text)
		if err != nil || a.isLocal() != isLocal || a.String() != text {
			t.Errorf("%q: %v, local %v, %v", text, a, a.isLocal(), err)
		}
	}
	for _, text := range []string{
		"", ":", ":x", ":65536", ":-1", "9797", "127.0.0.1", "localhost:9797", "::1:9797x", "127.0.0.1:65536", "[::1]", "unix:", "unix:x",
		"unix:/", "unix:@x", "unix:/a/../b", "unix:/a/", "unix:/" + strings.Repeat("x", 107), "http://127.0.0.1:9797",
	} {
		if text == "unix:/" {
			continue // a directory, which listening finds out
		}
		if a, err := parseAddress(text); err == nil {
			t.Errorf("%q is %v", text, a)
		}
	}
}

func TestIsHere(t *testing.T) {
	hosts := []string{"monitor.example", "other.example."}
	for host, want := range map[string]bool{
		"": true, "127.0.0.1": true, "127.0.0.1:9797": true, "127.1.2.3:1": true, "[::1]": true, "[::1]:9797": true, "::1": true,
		"localhost": true, "LOCALHOST:9797": true, "localhost.": true, "localhost.:9797": true, "[::ffff:127.0.0.1]:1": true,
		"monitor.example:9797": true, "Monitor.Example.": true, "other.example": true,
		"evil.example": false, "evil.example:9797": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"192.0.2.1": false, "192.0.2.1:9797": false, "0.0.0.0:9797": false, "[::]:9797": false, "x.monitor.example": false, ":": false,
		"evil.example:9797:1": false, ".": false, "0x7f.1": false,
	} {
		if got := isHere(host, hosts); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestRebindingIsRefused(t *testing.T) {
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{Hosts: []string{"monitor.example"}})
	response, body := r.ask("GET", "/api/v1/count", "Host", "evil.example")
	checkProblem(t, response, body, 403, problem{
		Error: "this is for loopback addresses and localhost: ask by one of them, or let tcptrail know the host's name",
	})
	for _, host := range []string{"monitor.example:9797", "localhost:9797"} {
		if response, _ := r.ask("GET", "/api/v1/count", "Host", host); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", host, response.Status)
		}
	}
	got, _ := io.ReadAll(r.dial("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
	if !strings.HasPrefix(string(got), "HTTP/1.1 403 ") {
		t.Errorf("an absolute URL: %q", got)
	}
	got, _ = io.ReadAll(r.dial("GET /healthz HTTP/1.0\r\n\r\n"))
	if !strings.HasPrefix(string(got), "HTTP/1.0 200 ") {
		t.Errorf("no host: %q", got)
	}
}

func TestEveryAddress(t *testing.T) {
	path := t.TempDir() + "/http.sock"
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{Addresses: []string{"127.0.0.1:0", "[::1]:0", "127.0.0.2:0", "unix:" + path}})
	addresses := r.Addresses()
	if len(addresses) != 4 || addresses[3] != "unix:"+path || len(r.Notes()) != 0 {
		t.Errorf("addresses %q, notes %q", addresses, r.Notes())
	}
	for _, address := range addresses[:3] {
		r.url = "http://" + address
		if response, _ := r.ask("GET", "/healthz"); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", address, response.Status)
		}
	}
	client := unixClient(path)
	defer client.CloseIdleConnections()
	for _, host := range []string{"localhost", "d", "evil.example"} { // no browser is there
		response, err := client.Get("http://" + host + "/healthz")
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("by the socket: %v, %v", response, err)
		}
		response.Body.Close()
	}
}

func unixClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
}

// TestAllAddressesOrNone: what was opened is closed when another cannot be.
func TestAllAddressesOrNone(t *testing.T) {
	path := t.TempDir() + "/http.sock"
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	a := newAPI(t, newFake(), Options{})
	_, err = Listen(t.Context(), a, ServerOptions{Addresses: []string{"unix:" + path, taken.Addr().String()}})
	if !errors.Is(err, syscall.EADDRINUSE) || strings.Count(err.Error(), taken.Addr().String()) != 1 {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is left")
	}
	if _, err := Listen(t.Context(), a, ServerOptions{}); err == nil {
		t.Error("no address is taken")
	}
	if _, err := Listen(t.Context(), a, ServerOptions{Addresses: []string{"unix:" + path, "x"}}); err == nil {
		t.Error("a wrong address is taken")
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	b := newFake()
	r := start(t, newAPI(t, b, Options{}), ServerOptions{})
	idle := r.dial("") // which is not waited for
	f := r.follow("/api/v1/events")
	await(t, "it is there", func() bool { return len(r.doors[0].listener.slots) == 2 })
	b.publish(1)
	if e := f.next(); e.name != "transition" {
		t.Errorf("got %+v", e)
	}
	r.stop()
	if e := f.next(); e != (event{name: "end", data: `{"reason":"tcptrail ends"}`}) {
		t.Errorf("got %+v", e)
	}
	if n, err := idle.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d, %v", n, err)
	}
	if err := r.end(); err != nil { // after less than DefaultShutdown
		t.Error(err)
	}
	if _, _, err := r.try("GET", "/healthz"); err == nil {
		t.Error("it answers after the end")
	}
}

// TestARequestMayEndFirst, and a stream at the same time need not.
func TestARequestMayEndFirst(t *testing.T) {
	b := newFake()
	begun, release := make(chan struct{}), make(chan struct{})
	b.write = func(_ context.Context, w io.Writer) error {
		close(begun)
		<-release
		_, err := io.WriteString(w, "{}\n")
		return err
	}
	r := start(t, newAPI(t, b, Options{}), ServerOptions{})
	got := make(chan string)
	go func() {
		_, body, err := r.try("GET", "/api/v1/list")
		if err != nil {
			body = err.Error()
		}
		got <- body
	}()
	<-begun
	f := r.follow("/api/v1/events")
	r.stop()
	if e := f.next(); e.name != "end" {
		t.Errorf("got %+v", e)
	}
	close(release)
	if body := <-got; body != "{}\n" {
		t.Errorf("got %q", body)
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

func TestARequestThatDoesNotEndIsBrokenOff(t *testing.T) {
	b := newFake()
	begun := make(chan struct{})
	b.write = func(ctx context.Context, _ io.Writer) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}
	r := start(t, newAPI(t, b, Options{}), ServerOptions{Shutdown: 50 * time.Millisecond})
	// With more behind it than a buffer holds, net/http does not notice that the connection is closed, nor end the context.
	c := r.dial("GET /api/v1/list HTTP/1.1\r\nHost: localhost\r\n\r\n" + strings.Repeat("x", 16<<10))
	<-begun
	if err := r.end(); !errors.Is(err, ErrBrokenOff) || err.Error() != "stop serving: requests took too long, and were broken off" {
		t.Errorf("got %v", err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the client has an answer")
	}
}

// TestABackendThatDoesNotEnd is told of.
func TestABackendThatDoesNotEnd(t *testing.T) {
	b := newFake()
	begun, release := make(chan struct{}), make(chan struct{})
	b.write = func(context.Context, io.Writer) error {
		close(begun)
		<-release
		return nil
	}
	a := newAPI(t, b, Options{})
	r := start(t, a, ServerOptions{Shutdown: 50 * time.Millisecond})
	go func() { _, _, _ = r.try("GET", "/api/v1/list") }()
	<-begun
	err := r.end()
	close(release)
	if !errors.Is(err, ErrBrokenOff) || !strings.HasSuffix(err.Error(), ", but 1 go on") {
		t.Errorf("got %v", err)
	}
	await(t, "it ends", func() bool { return a.running.Load() == 0 })
}

func TestAListenerThatFailsEndsAll(t *testing.T) {
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{Addresses: []string{"127.0.0.1:0", "127.0.0.2:0"}})
	r.ask("GET", "/healthz")
	r.doors[1].listener.Listener.Close()
	<-r.done
	if r.err == nil || !strings.HasPrefix(r.err.Error(), "serve on 127.0.0.2:0: ") {
		t.Errorf("got %v", r.err)
	}
}

func TestServeOfAContextThatHasEnded(t *testing.T) {
	s, err := Listen(t.Context(), newAPI(t, newFake(), Options{}), ServerOptions{Addresses: []string{"127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Error(err)
	}
}

// TestWhoIsSlowToAsk is given up, with a head or with a part of one.
func TestWhoIsSlowToAsk(t *testing.T) {
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{}, func(s *Server) {
		s.doors[0].server.ReadHeaderTimeout, s.doors[0].server.IdleTimeout = 50*time.Millisecond, 50*time.Millisecond
	})
	for _, text := range []string{"", "GET /healthz HTTP/1.1\r\nHost: loc", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
		got, err := io.ReadAll(r.dial(text)) // ends when the server closes
		if err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestAHeadIsLimited(t *testing.T) {
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{})
	for length, want := range map[int]string{maxHeader - 200: "HTTP/1.1 200 ", maxHeader + 5000: "HTTP/1.1 431 "} {
		got, _ := io.ReadAll(r.dial("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: " + strings.Repeat("x", length) + "\r\n\r\n"))
		if !strings.HasPrefix(string(got), want) {
			t.Errorf("%d bytes: %.50q", length, got)
		}
	}
}

// TestConnectionsAreLimited at each listener by itself: who is over the limit waits.
func TestConnectionsAreLimited(t *testing.T) {
	a := newAPI(t, newFake(), Options{})
	r := start(t, a, ServerOptions{Addresses: []string{"127.0.0.1:0", "127.0.0.2:0"}}, func(s *Server) {
		s.doors[0].listener.slots = make(slots, 2)
	})
	first, second := r.follow("/api/v1/events"), r.follow("/api/v1/events")
	third := r.dial("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	r.url = "http://" + r.Addresses()[1]
	if response, _ := r.ask("GET", "/healthz"); response.StatusCode != http.StatusOK {
		t.Errorf("at the other: %s", response.Status)
	}
	if a.Stats().Streams != 2 || len(r.doors[0].listener.slots) != 2 {
		t.Errorf("%+v, %d connections", a.Stats(), len(r.doors[0].listener.slots))
	}
	first.response.Body.Close()
	if got, err := io.ReadAll(third); err != nil || !strings.HasSuffix(string(got), "ok\n") {
		t.Errorf("the third: %q, %v", got, err)
	}
	second.response.Body.Close()
}

// TestThePatienceOfTheKernel: connections inherit what is set on the listener.
func TestThePatienceOfTheKernel(t *testing.T) {
	a, err := parseAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := listenTCP(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := option(t, l.(*net.TCPListener), syscall.SOL_SOCKET, syscall.SO_PROTOCOL); got != syscall.IPPROTO_TCP {
		t.Errorf("protocol %d", got)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if got := option(t, accepted.(*net.TCPConn), syscall.IPPROTO_TCP, tcpUserTimeout); got != silence {
		t.Errorf("user timeout %d", got)
	}
	if got := option(t, accepted.(*net.TCPConn), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); got != 1 {
		t.Errorf("keepalive %d", got)
	}
}

func option(t *testing.T, c syscall.Conn, level, name int) (value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if controlErr := raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, name) }); controlErr != nil {
		t.Fatal(controlErr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return value
}
