package systemlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/systemlog/logtest"
)

func entry(id string) []byte { return AppendField(nil, "MESSAGE", id) }

func openJournal(t *testing.T) (*Journal, *logtest.Datagrams) {
	t.Helper()
	path, d := logtest.Journal(t)
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, d
}

type sender interface {
	Send(ctx context.Context, messages ...[]byte) (int, error)
}

func mustSend(t *testing.T, s sender, messages ...[]byte) {
	t.Helper()
	if n, err := s.Send(t.Context(), messages...); n != len(messages) || err != nil {
		t.Fatalf("sent %d, %v", n, err)
	}
}

func TestFields(t *testing.T) {
	b := AppendField(nil, "A", "x=y")
	b = AppendField(b, "B", "several\nlines\n")
	b = AppendField(b, "C", "")
	if want := "A=x=y\nB\n\x0e\x00\x00\x00\x00\x00\x00\x00several\nlines\n\nC=\n"; string(b) != want {
		t.Errorf("%q, want %q", b, want)
	}
}

func FuzzFields(f *testing.F) {
	f.Add("x", "a\nb")
	f.Fuzz(func(t *testing.T, one, two string) {
		fields, err := logtest.ParseEntry(string(AppendField(AppendField(nil, "A", one), "B", two)))
		if err != nil || fields["A"] != one || fields["B"] != two {
			t.Errorf("%q: %v", fields, err)
		}
	})
}

func TestJournalIsRestarted(t *testing.T) {
	j, d := openJournal(t)
	mustSend(t, j, entry("a"))
	d.End()
	if n, err := j.Send(t.Context(), entry("b")); n != 0 || !errors.Is(err, ErrConnect) {
		t.Errorf("without a journal: sent %d, %v", n, err)
	}
	d = logtest.Listen(t, "unixgram", j.path)
	mustSend(t, j, entry("b"))
	if got := d.Entry()["MESSAGE"]; got != "b" {
		t.Error(got)
	}
	d.End()
	d = logtest.Listen(t, "unixgram", j.path)
	mustSend(t, j, entry("c"), entry("d")) // one that was restarted is no failure
	if one, two := d.Entry()["MESSAGE"], d.Entry()["MESSAGE"]; one != "c" || two != "d" {
		t.Error(one, two)
	}
}

// A journal that takes nothing is waited for until the context ends, and no longer.
func TestJournalStalls(t *testing.T) {
	j, d := openJournal(t)
	many := make([][]byte, 1<<14) // more than net.unix.max_dgram_qlen anywhere
	for i := range many {
		many[i] = entry(fmt.Sprint(i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	type result struct {
		n   int
		err error
	}
	done := make(chan result)
	go func() {
		n, err := j.Send(ctx, many...)
		done <- result{n, err}
	}()
	if got := d.Entry()["MESSAGE"]; got != "0" { // it has begun
		t.Error(got)
	}
	cancel()
	r := <-done
	if r.err == nil || r.n == 0 || r.n == len(many) {
		t.Fatalf("sent %d, %v", r.n, r.err)
	}
	for i := 1; i < r.n; i++ { // what was counted is there, no more
		if got := d.Entry()["MESSAGE"]; got != fmt.Sprint(i) {
			t.Fatalf("%d: %s", i, got)
		}
	}
	if more := d.Rest(); len(more) > 0 {
		t.Errorf("%q", more)
	}
	short, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if n, err := j.Send(short, many...); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("sent %d, %v", n, err)
	}
}

func TestJournalRefusesWhatIsTooLarge(t *testing.T) {
	j, d := openJournal(t)
	mustSend(t, j, entry("a"))
	if err := j.conn.(*net.UnixConn).SetWriteBuffer(8 << 10); err != nil {
		t.Fatal(err)
	}
	large := entry(strings.Repeat("x", MaxEntry))
	if n, err := j.Send(t.Context(), entry("b"), large, entry("c")); n != 1 || !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("sent %d, %v", n, err)
	}
	if one, two := d.Entry()["MESSAGE"], d.Entry()["MESSAGE"]; one != "a" || two != "b" {
		t.Error(one, two)
	}
}

func TestNoJournal(t *testing.T) {
	for _, path := range []string{"/no/such/socket\x1b", "/etc/passwd"} {
		if _, err := OpenJournal(path); err == nil || !strings.Contains(err.Error(), "use syslog or a file") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%v", err)
		}
	}
}

func openSyslog(t *testing.T, url string) *Syslog {
	t.Helper()
	s, err := OpenSyslog(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSyslogByDatagrams(t *testing.T) {
	path, local := logtest.Journal(t)
	s := openSyslog(t, "unix://"+path)
	mustSend(t, s, []byte("a"))
	if got := local.Receive(); got != "a" || !s.IsLocal() || s.Limit() != streamLimit {
		t.Error(got)
	}
	local.End()
	if n, err := s.Send(t.Context(), []byte("b")); n != 0 || !errors.Is(err, ErrConnect) || err.Error() != "connect: no such file or directory" {
		t.Errorf("without a daemon: sent %d, %v", n, err)
	}
	local = logtest.Listen(t, "unixgram", path)
	mustSend(t, s, []byte("b"))
	local.End()
	local = logtest.Listen(t, "unixgram", path)
	mustSend(t, s, []byte("c")) // a daemon that was restarted is no failure
	if got := local.Receive(); got != "c" {
		t.Error(got)
	}

	remote := logtest.Listen(t, "udp", "127.0.0.1:0")
	s = openSyslog(t, "udp://"+remote.LocalAddr().String())
	mustSend(t, s, []byte("a"), []byte("b"))
	if one, two := remote.Receive(), remote.Receive(); one != "a" || two != "b" || s.IsLocal() || s.Limit() != datagramLimit {
		t.Error(one, two)
	}
	remote.End()
	mustSend(t, s, []byte("c")) // nobody knows yet
	if n, err := s.Send(t.Context(), []byte("d")); n != 0 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("without a daemon: sent %d, %v", n, err)
	}
	mustSend(t, s, []byte("e"))
	s.now.since = s.now.since.Add(-resolveEvery) // the host may have another address by now
	before := s.now
	mustSend(t, s, []byte("f"))
	if s.now == before {
		t.Error("the host was not resolved again")
	}
}

func TestSyslogByStreams(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "log")}[network]
			listener, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			s := openSyslog(t, network+"://"+listener.Addr().String())
			mustSend(t, s, []byte("a"))
			mustSend(t, s, []byte("b"), []byte("c c"))
			conn := logtest.Accept(t, listener)
			if one, two, three := conn.Receive(), conn.Receive(), conn.Receive(); one != "a" || two != "b" || three != "c c" {
				t.Error(one, two, three)
			}
			conn.Close()
			for deadline := time.Now().Add(20 * time.Second); !s.now.over.Load(); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the end is not noticed")
				}
			}
			mustSend(t, s, []byte("d"))
			conn = logtest.Accept(t, listener)
			if got := conn.Receive(); got != "d" {
				t.Error(got)
			}
			s.Close()
			conn.AwaitEnd()
		})
	}
}

func TestSyslogURLs(t *testing.T) {
	for url, want := range map[string]string{
		"udp://host": "udp://host:514", "tcp://[::1]:601/": "tcp://[::1]:601", "udp://1.2.3.4:5": "udp://1.2.3.4:5",
	} {
		if s, err := OpenSyslog(url); err != nil || s.Address() != want {
			t.Errorf("%s: %v, %v", url, s, err)
		}
	}
	for _, url := range []string{"host", "udp://", "udp://h:0", "udp://h:x", "tls://h", "unix://h/dev/log", "unix://", "udp://u:p@h", "udp://h/x", "unix:///no/such/socket", "unix:///etc/passwd", "%"} {
		if _, err := OpenSyslog(url); err == nil || errors.Is(err, ErrURL) == strings.HasPrefix(url, "unix:///") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// message makes one of each form.
func message(h *Header, name, value, text string, end int) (whole, local string) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 890e6, time.UTC)
	b := append(AppendParam(BeginElement(h.Append(nil, Warning, at, "KIND")), name, value, end), "] "...)
	whole = string(append(AppendTextMark(b, text), text...))
	b = append(append(h.AppendLocal(nil, Info, at), text...), ' ')
	return whole, string(append(AppendParam(BeginElement(b), name, value, end), ']'))
}

func TestMessages(t *testing.T) {
	h := NewHeader("ho st", 42)
	whole, local := message(&h, "comm", `a"b\c]d`, "läuft", 1024)
	if want := `<28>1 2026-03-04T05:06:07.890000Z host tcptrail 42 KIND [tcptrail@32473 comm="a\"b\\c\]d"] ` + "\ufeffläuft"; whole != want {
		t.Errorf("got  %q\nwant %q", whole, want)
	}
	m, err := logtest.ParseMessage(whole)
	if err != nil || m.Param("comm") != `a"b\c]d` || m.Text != "läuft" || !m.Mark || m.Priority != 28 || m.Data != StructuredID {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err = logtest.ParseLocal(local, StructuredID); err != nil || m.Param("comm") != `a"b\c]d` || m.Text != "läuft" || m.Priority != 30 {
		t.Errorf("%+v, %v", m, err)
	}
	if whole, _ = message(&h, "x", strings.Repeat("y", 950), "text", 1024); strings.Contains(whole, "y") {
		t.Errorf("what is too long is there: %q", whole)
	}
	h = NewHeader("\x1b\xff", 1)
	if whole, _ = message(&h, "x", "y", "text", 1024); !strings.Contains(whole, "Z - tcptrail 1 ") || strings.Contains(whole, "\ufeff") {
		t.Errorf("%q", whole)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add("val\"ue]\\", "host", uint16(300))
	f.Fuzz(func(t *testing.T, value, host string, end uint16) {
		if !utf8.ValidString(value) {
			return // who calls sees to that
		}
		h := NewHeader(host, 42)
		whole, local := message(&h, "name", value, "text", int(end))
		m, err := logtest.ParseMessage(whole)
		l, wrong := logtest.ParseLocal(local, StructuredID)
		if err != nil || wrong != nil {
			t.Fatal(err, wrong)
		}
		if len(m.Params) > 0 && m.Param("name") != value || len(l.Params) > 0 && l.Param("name") != value {
			t.Errorf("%q became %q and %q", value, m.Params, l.Params)
		}
		if bytes.Contains([]byte(m.Host), []byte(" ")) || end > 1<<14 && len(value) < 1000 && len(m.Params) == 0 {
			t.Errorf("%q", whole)
		}
	})
}
