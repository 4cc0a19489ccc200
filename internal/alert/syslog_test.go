package alert

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// message is what parseSyslog has read.
type message struct {
	pri                   int
	time                  time.Time
	host, app, pid, msgID string
	sd                    string
	params                [][2]string
	text                  string
	bom                   bool
}

// parseSyslog reads RFC 5424, section 6, more strictly than daemons do.
func parseSyslog(b string) (m message, err error) {
	if !utf8.ValidString(b) {
		return m, fmt.Errorf("not UTF-8: %q", b)
	}
	header := regexp.MustCompile(`^<(\d{1,3})>1 (\S+) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) \[([^ =\]"]{1,32})`)
	got := header.FindStringSubmatch(b)
	if got == nil {
		return m, fmt.Errorf("header: %q", b)
	}
	m.pri, _ = strconv.Atoi(got[1])
	if m.time, err = time.Parse("2006-01-02T15:04:05.999999Z", got[2]); err != nil {
		return m, err
	}
	m.host, m.app, m.pid, m.msgID, m.sd = got[3], got[4], got[5], got[6], got[7]
	b = b[len(got[0]):]
	param := regexp.MustCompile(`^ ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"`)
	for {
		p := param.FindStringSubmatch(b)
		if p == nil {
			break
		}
		m.params = append(m.params, [2]string{p[1], regexp.MustCompile(`\\(["\\\]])`).ReplaceAllString(p[2], "$1")})
		b = b[len(p[0]):]
	}
	if !strings.HasPrefix(b, "] ") {
		return m, fmt.Errorf("structured data: %q", b)
	}
	m.text, m.bom = strings.CutPrefix(b[2:], "\ufeff")
	if strings.ContainsFunc(m.text, func(r rune) bool { return r < ' ' }) {
		return m, fmt.Errorf("text: %q", m.text)
	}
	return m, nil
}

func parsed(t *testing.T, b string) message {
	t.Helper()
	m, err := parseSyslog(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSyslogMessage(t *testing.T) {
	h := syslogHeader{"host", 42}
	d := delivery("a", Escalated)[0]
	d.Labels = append(d.Labels, Pair{"comm", `a"b\c]d` + "\n\xff"}, Pair{"empty", ""}, Pair{"", "x"})
	d.Summary = "läuft\nüber"
	got := string(h.append(nil, &d, streamLimit))
	want := `<26>1 2026-03-04T05:07:07.890000Z host tcptrail 42 ESCALATED [tcptrail@32473 id="a" status="escalated" severity="critical" ` +
		`since="2026-03-04T05:06:07.89Z" process="nginx" pid="7" state="CLOSE_WAIT" comm="a\"b\\c\]d\\u000a` + "\ufffd" + `" count="3" oldest_ms="61000.5"] ` +
		"\ufeffläuft\\u000aüber"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	m := parsed(t, got)
	if m.params[7] != [2]string{"comm", `a"b\c]d\u000a` + "\ufffd"} {
		t.Errorf("%q", m.params[7])
	}
	for status, severity := range map[Status]int{Firing: 4, Escalated: 2, Resolved: 5, Merged: 5} {
		d := delivery("a", status)[0]
		if m := parsed(t, string(h.append(nil, &d, streamLimit))); m.pri != 24+severity || m.bom {
			t.Errorf("%v: %+v", status, m)
		}
	}
}

// parseLocal reads the form of syslog(3), with structured data at the end.
func parseLocal(b string, h *syslogHeader) (params [][2]string, text string, err error) {
	head := regexp.MustCompile(`^<(\d{1,3})>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d tcptrail\[(\d+)\]: `).FindString(b)
	at := strings.LastIndex(b, " ["+StructuredID)
	if head == "" || at < len(head)-1 {
		return nil, "", fmt.Errorf("header: %q", b)
	}
	m, err := parseSyslog("<1>1 2026-03-04T05:07:07.890000Z " + h.host + " tcptrail 1 X" + b[at:] + " ")
	return m.params, b[len(head):max(at, len(head))], err
}

func TestSyslogMessageForTheLocalDaemon(t *testing.T) {
	h := syslogHeader{"host", 42}
	d := delivery("a", Escalated)[0]
	d.Time = time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	d.Summary = "läuft\nüber"
	want := `<26>Mar  4 05:06:07 tcptrail[42]: läuft\u000aüber [tcptrail@32473 id="a" status="escalated" severity="critical" ` +
		`since="2026-03-04T05:06:07.89Z" process="nginx" pid="7" state="CLOSE_WAIT" count="3" oldest_ms="61000.5"]`
	if got := string(h.appendLocal(nil, &d, streamLimit)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestSyslogMessageIsBounded(t *testing.T) {
	h := syslogHeader{hostWord(strings.Repeat("h", 1000)), 42}
	d := delivery("a", Firing)[0]
	d.Summary = strings.Repeat("é", 5000)
	for i := range 100 {
		d.Labels = append(d.Labels, Pair{fmt.Sprint("label", i), strings.Repeat("]", 50)})
	}
	for _, limit := range []int{1024, datagramLimit, streamLimit} {
		b := h.append([]byte("before"), &d, limit)[len("before"):]
		m := parsed(t, string(b))
		if len(b) > limit || len(b) < limit-5 || len(m.text) < limit/messageShare-8 || !strings.HasSuffix(m.text, ellipsis) {
			t.Errorf("%d of %d bytes, %d of text", len(b), limit, len(m.text))
		}
		local := h.appendLocal(nil, &d, limit)
		params, text, err := parseLocal(string(local), &h)
		if err != nil || len(local) > limit || !strings.HasSuffix(text, ellipsis) {
			t.Errorf("%d of %d bytes, %v: %q", len(local), limit, err, text)
		}
		if len(m.params) < 4 || len(params) < 4 {
			t.Errorf("%q, %q", m.params, params)
		}
	}
}

func FuzzSyslogMessage(f *testing.F) {
	f.Add("name", "val\"ue]\\", "sum\nmary\xff", uint16(2000))
	f.Add("=", "\u202e\U000e0001", "é", uint16(0))
	f.Fuzz(func(t *testing.T, name, value, summary string, limit uint16) {
		h := syslogHeader{hostWord(value), 1}
		d := Delivery{Alert: Alert{ID: value, Status: Firing, Summary: summary, Labels: []Pair{{name, value}}, Fields: []Pair{{"last", "x"}}}}
		size := 1024 + int(limit)
		b := h.append(nil, &d, size)
		m, err := parseSyslog(string(b))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > size {
			t.Errorf("%d of %d bytes", len(b), size)
		}
		local := h.appendLocal(nil, &d, size)
		if _, _, err := parseLocal(string(local), &h); err != nil || len(local) > size || strings.Contains(string(local), "\n") {
			t.Errorf("%d of %d bytes, %v: %q", len(local), size, err, local)
		}
		if len(summary) < 100 && len(value) < 20 && len(name) > 0 && value != "" && len(m.params) < 4 {
			t.Errorf("%q is left of %q", m.params, b)
		}
		if utf8.ValidString(summary) && isPlain(summary, false) && len(summary) < 200 && m.text != summary {
			t.Errorf("%q became %q", summary, m.text)
		}
	})
}

func syslogTo(t *testing.T, url string) *Syslog {
	t.Helper()
	s, err := NewSyslog(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// idOf returns the ID in a message of either form.
func idOf(t *testing.T, b string) string {
	t.Helper()
	params, _, err := parseLocal(b, &syslogHeader{host: "host"})
	if strings.Contains(b, ">1 ") {
		m, problem := parseSyslog(b)
		params, err = m.params, problem
	}
	if err != nil {
		t.Fatal(err)
	}
	return params[0][1]
}

func receive(t *testing.T, c net.PacketConn) string {
	t.Helper()
	b := make([]byte, 1<<17)
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, _, err := c.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestSyslogByDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	listen := func(network, address string) net.PacketConn {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	local := listen("unixgram", path)
	s := syslogTo(t, "unix://"+path)
	deliver(t, s, "a")
	if got := idOf(t, receive(t, local)); got != "a" {
		t.Error(got)
	}
	local.Close()
	os.Remove(path)
	if err := s.Deliver(t.Context(), delivery("b", Firing)); err == nil || !strings.HasPrefix(err.Error(), "connect: ") {
		t.Errorf("without a daemon: %v", err)
	}
	local = listen("unixgram", path)
	deliver(t, s, "b")
	if got := idOf(t, receive(t, local)); got != "b" {
		t.Error(got)
	}
	local.Close()
	os.Remove(path)
	local = listen("unixgram", path)
	deliver(t, s, "c") // a daemon that was restarted is no failure
	if got := idOf(t, receive(t, local)); got != "c" {
		t.Error(got)
	}

	remote := listen("udp", "127.0.0.1:0")
	s = syslogTo(t, "udp://"+remote.LocalAddr().String())
	deliver(t, s, "a")
	deliver(t, s, "b")
	if one, two := idOf(t, receive(t, remote)), idOf(t, receive(t, remote)); one != "a" || two != "b" {
		t.Error(one, two)
	}
}

// readCounted reads a message with its length before it (RFC 6587, 3.4.1).
func readCounted(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	length, err := r.ReadString(' ')
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
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
			accept := func() (net.Conn, *bufio.Reader) {
				c, err := listener.Accept()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
					t.Fatal(err)
				}
				return c, bufio.NewReader(c)
			}
			read := readCounted
			if network == "unix" {
				read = func(t *testing.T, r *bufio.Reader) string {
					line, err := r.ReadString('\n')
					if err != nil {
						t.Fatal(err)
					}
					return strings.TrimSuffix(line, "\n")
				}
			}
			s := syslogTo(t, network+"://"+listener.Addr().String())
			deliver(t, s, "a")
			deliver(t, s, "b")
			conn, r := accept()
			if one, two := idOf(t, read(t, r)), idOf(t, read(t, r)); one != "a" || two != "b" {
				t.Error(one, two)
			}
			conn.Close()
			over := s.now
			eventually(t, "the end is noticed", over.over.Load)
			deliver(t, s, "c")
			_, r = accept()
			if got := idOf(t, read(t, r)); got != "c" {
				t.Error(got)
			}
			s.Close()
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

func TestSyslogURLs(t *testing.T) {
	for url, want := range map[string]string{
		"udp://host": "syslog udp://host:514", "tcp://[::1]:601/": "syslog tcp://[::1]:601", "udp://1.2.3.4:5": "syslog udp://1.2.3.4:5",
	} {
		if s, err := NewSyslog(url); err != nil || s.Name() != want {
			t.Errorf("%s: %v, %v", url, s, err)
		}
	}
	for _, url := range []string{"host", "udp://", "udp://h:0", "udp://h:x", "tls://h", "unix://h/dev/log", "unix://", "udp://u:p@h", "udp://h/x", "unix:///no/such/socket", "unix:///etc/passwd", "%"} {
		if _, err := NewSyslog(url); err == nil {
			t.Errorf("%s was taken", url)
		}
	}
}
