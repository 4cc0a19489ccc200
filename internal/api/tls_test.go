package api

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// users has alice with the password "open sesame", hashed by bcrypt at its least cost.
const users = "basic_auth_users:\n  alice: $2a$04$9DhKbw7bP6xvjxl1wa9kPOJfH5kY017bLhf4bIXyjitH.gTHCn/aO\n"

const certificates = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"

// certify writes a new certificate for 127.0.0.1 and 127.0.0.2 and its key into a directory, and returns who trusts it.
func certify(t *testing.T, directory string, serial int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "tcptrail"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 2)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(directory, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

// configure writes a web configuration and returns its path.
func configure(t *testing.T, directory, text string) string {
	t.Helper()
	path := filepath.Join(directory, "web.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// trust makes a running server's client one of TLS.
func (r *running) trust(pool *x509.CertPool) {
	r.client.CloseIdleConnections()
	r.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
}

const basic = "Basic YWxpY2U6b3BlbiBzZXNhbWU=" // alice:open sesame

// TestTLSAndBasicAuthentication on two addresses at once; the socket has neither.
func TestTLSAndBasicAuthentication(t *testing.T) {
	directory := t.TempDir()
	pool := certify(t, directory, 1)
	b := newFake()
	r := start(t, newAPI(t, b, Options{}), ServerOptions{
		Addresses: []string{"127.0.0.1:0", "127.0.0.2:0", "unix:" + directory + "/http.sock"},
		WebConfig: configure(t, directory, certificates+users),
	})
	r.trust(pool)
	for _, address := range r.Addresses()[:2] {
		r.url = "https://" + address
		for _, test := range []struct {
			path, authorization string
			status              int
		}{
			{"/api/v1/count", "", 401},
			{"/api/v1/count", "Basic YWxpY2U6eA==", 401},
			{"/api/v1/count", "Basic Ym9iOng=", 401},
			{"/healthz", "", 401},
			{"/api/v1/count", basic, 200},
			{"/api/v1/list", basic, 200},
		} {
			response, _ := r.ask("GET", test.path, "Authorization", test.authorization)
			if response.StatusCode != test.status || response.ProtoMajor != 1 {
				t.Errorf("%s of %s as %q: %s, %s", test.path, address, test.authorization, response.Proto, response.Status)
			}
		}
		response, _ := r.ask("GET", "/api/v1/count", "Authorization", basic, "Host", "evil.example")
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("rebinding: %s", response.Status)
		}
	}
	f := r.follow("/api/v1/events", "Authorization", basic)
	b.publish(1)
	if e := f.next(); e.data != `{"n":1}` {
		t.Errorf("got %+v", e)
	}
	client := unixClient(directory + "/http.sock")
	defer client.CloseIdleConnections()
	response, err := client.Get("http://localhost/api/v1/count")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	response.Body.Close()
	r.url = "http://" + r.Addresses()[0]
	if response, _, err := r.try("GET", "/healthz"); err != nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: %v, %v", response, err)
	}
	r.stop()
	if e := f.next(); e.name != "end" {
		t.Errorf("got %+v", e)
	}
	r.client.CloseIdleConnections()
}

// TestANewCertificate is taken without a restart.
func TestANewCertificate(t *testing.T) {
	directory := t.TempDir()
	first := certify(t, directory, 1)
	r := start(t, newAPI(t, newFake(), Options{}), ServerOptions{WebConfig: configure(t, directory, certificates)})
	r.url = "https://" + r.Addresses()[0]
	r.trust(first)
	r.ask("GET", "/healthz")
	second := certify(t, directory, 2)
	r.trust(first)
	if _, _, err := r.try("GET", "/healthz"); err == nil {
		t.Error("the first certificate is still shown")
	}
	r.trust(second)
	if response, _ := r.ask("GET", "/healthz"); response.StatusCode != http.StatusOK {
		t.Error(response.Status)
	}
}

// TestReadersOfTLSThatVanish are given up as others are.
func TestReadersOfTLSThatVanish(t *testing.T) {
	directory := t.TempDir()
	pool := certify(t, directory, 1)
	b := newFake()
	b.write = endless
	a := newAPI(t, b, Options{})
	a.writeTimeout = 200 * time.Millisecond
	r := start(t, a, ServerOptions{WebConfig: configure(t, directory, certificates)})
	for name, after := range map[string]func(io.Closer){"stays": func(io.Closer) {}, "goes": func(c io.Closer) { c.Close() }} {
		plain, err := net.Dial("tcp", r.Addresses()[0])
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		c := tls.Client(plain, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
		if _, err := io.WriteString(c, "GET /api/v1/list HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		after(plain)
		await(t, "who "+name+" is given up", func() bool { return a.running.Load() == 0 })
	}
}

func TestAWebConfigurationThatIsWrong(t *testing.T) {
	directory := t.TempDir()
	certify(t, directory, 1)
	for name, text := range map[string]string{
		"unknown": "nonsense: 1\n", "no YAML": "{", "no hash": "basic_auth_users:\n  alice: open\n",
		"no key": "tls_server_config:\n  cert_file: cert.pem\n", "no file": "tls_server_config:\n  cert_file: x\n  key_file: y\n",
	} {
		_, err := Listen(t.Context(), newAPI(t, newFake(), Options{}), ServerOptions{
			Addresses: []string{"127.0.0.1:0"}, WebConfig: configure(t, directory, text),
		})
		if err == nil || !strings.HasPrefix(err.Error(), "read web configuration "+directory+"/web.yml: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Listen(t.Context(), newAPI(t, newFake(), Options{}), ServerOptions{
		Addresses: []string{"127.0.0.1:0"}, WebConfig: directory + "/none.yml",
	})
	if err == nil || strings.Count(err.Error(), "none.yml") != 1 {
		t.Errorf("none: %v", err)
	}
}

func TestNotes(t *testing.T) {
	directory := t.TempDir()
	certify(t, directory, 1)
	clients := certificates + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: cert.pem\n"
	for _, test := range []struct{ config, address, want string }{
		{"", ":9797", "neither TLS nor authentication"},
		{"", "0.0.0.0:1", "neither TLS nor authentication"},
		{"rate_limit:\n  burst: 1\n", "[::]:1", "neither TLS nor authentication"},
		{certificates, "192.0.2.1:1", "no authentication"},
		{users, "192.0.2.1:1", "no TLS"},
		{certificates + users, "192.0.2.1:1", ""},
		{clients, "192.0.2.1:1", ""},
		{"", "127.0.0.1:1", ""},
		{"", "[::1]:1", ""},
		{"", "unix:/x", ""},
	} {
		path := ""
		if test.config != "" {
			path = configure(t, directory, test.config)
		}
		p, err := readProtection(path)
		if err != nil {
			t.Errorf("%q: %v", test.config, err)
			continue
		}
		at, err := parseAddress(test.address)
		if err != nil {
			t.Fatal(err)
		}
		note := p.note(at)
		if (note == "") != (test.want == "") || !strings.Contains(note, test.want) || note != "" && !strings.HasPrefix(note, test.address+" ") {
			t.Errorf("%s with %q: note %q", test.address, test.config, note)
		}
	}
	s, err := Listen(t.Context(), newAPI(t, newFake(), Options{}), ServerOptions{Addresses: []string{"127.0.0.1:0", ":0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Notes()) != 1 {
		t.Errorf("notes %q", s.Notes())
	}
}

// safe is a buffer for several goroutines.
type safe struct {
	mu sync.Mutex
	bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.String()
}

// TestWhatClientsDoWrongIsNotLogged but for debugging: they would fill up the log.
func TestWhatClientsDoWrongIsNotLogged(t *testing.T) {
	directory := t.TempDir()
	certify(t, directory, 1)
	var info, debug safe
	for to, level := range map[*safe]slog.Level{&info: slog.LevelInfo, &debug: slog.LevelDebug} {
		log := slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))
		r := start(t, newAPI(t, newFake(), Options{Log: log}), ServerOptions{WebConfig: configure(t, directory, certificates), Log: log})
		got, _ := io.ReadAll(r.dial("\x16\x03\x01\x00\x05hello"))
		if len(got) == 0 {
			t.Error("no alert")
		}
		_ = r.end()
	}
	if strings.Contains(info.String(), "handshake") || !strings.Contains(debug.String(), "handshake") {
		t.Errorf("logged %q, for debugging %q", info.String(), debug.String())
	}
}
