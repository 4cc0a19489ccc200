package alert

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/systemlog"
	"github.com/tcptrail/tcptrail/internal/systemlog/logtest"
)

// messageLimits are the least that a message may have, and what systemlog has for datagrams and streams.
var messageLimits = []int{1024, 2 << 10, 8 << 10}

func form(local bool, limit int) *syslogForm {
	return &syslogForm{systemlog.NewHeader("host", 42), local, limit}
}

func parsed(t *testing.T, b string) logtest.Message {
	t.Helper()
	m, err := logtest.ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSyslogMessage(t *testing.T) {
	f := form(false, 8<<10)
	d := delivery("a", Escalated)[0]
	d.Labels = append(d.Labels, Pair{"comm", `a"b\c]d` + "\n\xff"}, Pair{"empty", ""}, Pair{"", "x"})
	d.Summary = "läuft\nüber"
	got := string(f.append(nil, &d))
	want := `<26>1 2026-03-04T05:07:07.890000Z host tcptrail 42 ESCALATED [tcptrail@32473 id="a" status="escalated" severity="critical" ` +
		`since="2026-03-04T05:06:07.89Z" process="nginx" pid="7" state="CLOSE_WAIT" comm="a\"b\\c\]d\\u000a` + "\ufffd" + `" count="3" oldest_ms="61000.5"] ` +
		"\ufeffläuft\\u000aüber"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	m := parsed(t, got)
	if m.Params[7] != [2]string{"comm", `a"b\c]d\u000a` + "\ufffd"} {
		t.Errorf("%q", m.Params[7])
	}
	for status, severity := range map[Status]int{Firing: 4, Escalated: 2, Resolved: 5, Merged: 5} {
		d := delivery("a", status)[0]
		if m := parsed(t, string(f.append(nil, &d))); m.Priority != 24+severity || m.Mark {
			t.Errorf("%v: %+v", status, m)
		}
	}
}

func TestSyslogMessageForTheLocalDaemon(t *testing.T) {
	d := delivery("a", Escalated)[0]
	d.Time = time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	d.Summary = "läuft\nüber"
	want := `<26>Mar  4 05:06:07 tcptrail[42]: läuft\u000aüber [tcptrail@32473 id="a" status="escalated" severity="critical" ` +
		`since="2026-03-04T05:06:07.89Z" process="nginx" pid="7" state="CLOSE_WAIT" count="3" oldest_ms="61000.5"]`
	if got := string(form(true, 8<<10).append(nil, &d)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestSyslogMessageIsBounded(t *testing.T) {
	d := delivery("a", Firing)[0]
	d.Summary = strings.Repeat("é", 5000)
	for i := range 100 {
		d.Labels = append(d.Labels, Pair{fmt.Sprint("label", i), strings.Repeat("]", 50)})
	}
	for _, limit := range messageLimits {
		f := form(false, limit)
		f.header = systemlog.NewHeader(strings.Repeat("h", 1000), 42)
		b := f.append([]byte("before"), &d)[len("before"):]
		m := parsed(t, string(b))
		if len(b) > limit || len(b) < limit-5 || len(m.Text) < limit/messageShare-8 || !strings.HasSuffix(m.Text, ellipsis) {
			t.Errorf("%d of %d bytes, %d of text", len(b), limit, len(m.Text))
		}
		local := form(true, limit).append(nil, &d)
		l, err := logtest.ParseLocal(string(local), systemlog.StructuredID)
		if err != nil || len(local) > limit || !strings.HasSuffix(l.Text, ellipsis) {
			t.Errorf("%d of %d bytes, %v: %q", len(local), limit, err, l.Text)
		}
		if len(m.Params) < 4 || len(l.Params) < 4 {
			t.Errorf("%q, %q", m.Params, l.Params)
		}
	}
}

func FuzzSyslogMessage(f *testing.F) {
	f.Add("name", "val\"ue]\\", "sum\nmary\xff", uint16(2000))
	f.Add("=", "\u202e\U000e0001", "é", uint16(0))
	f.Fuzz(func(t *testing.T, name, value, summary string, limit uint16) {
		d := Delivery{Alert: Alert{ID: value, Status: Firing, Summary: summary, Labels: []Pair{{name, value}}, Fields: []Pair{{"last", "x"}}}}
		size := 1024 + int(limit)
		b := form(false, size).append(nil, &d)
		m := parsed(t, string(b))
		if len(b) > size {
			t.Errorf("%d of %d bytes", len(b), size)
		}
		local := form(true, size).append(nil, &d)
		if _, err := logtest.ParseLocal(string(local), systemlog.StructuredID); err != nil || len(local) > size {
			t.Errorf("%d of %d bytes, %v: %q", len(local), size, err, local)
		}
		if len(summary) < 100 && len(value) < 20 && len(name) > 0 && value != "" && len(m.Params) < 4 {
			t.Errorf("%q is left of %q", m.Params, b)
		}
		if utf8.ValidString(summary) && isPlain(summary, false) && len(summary) < 200 && m.Text != summary {
			t.Errorf("%q became %q", summary, m.Text)
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

func TestSyslog(t *testing.T) {
	path, local := logtest.Journal(t)
	s := syslogTo(t, "unix://"+path)
	deliver(t, s, "a")
	m, err := logtest.ParseLocal(local.Receive(), systemlog.StructuredID)
	if err != nil || m.Param("id") != "a" || s.Name() != "syslog "+path {
		t.Errorf("%s: %+v, %v", s.Name(), m, err)
	}
	local.End()
	failure := failureOf(s.Deliver(t.Context(), delivery("b", Firing)))
	if !strings.HasPrefix(failure.Error(), "connect: ") || !failure.Unheard {
		t.Errorf("without a daemon: %+v", failure)
	}
	local = logtest.Listen(t, "unixgram", path)
	deliver(t, s, "b")
	if m, err = logtest.ParseLocal(local.Receive(), systemlog.StructuredID); err != nil || m.Param("id") != "b" {
		t.Errorf("%+v, %v", m, err)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s = syslogTo(t, "tcp://"+listener.Addr().String())
	if err := s.Deliver(t.Context(), append(delivery("a", Firing), delivery("b", Resolved)...)); err != nil {
		t.Fatal(err)
	}
	conn := logtest.Accept(t, listener)
	one, two := parsed(t, conn.Receive()), parsed(t, conn.Receive())
	if one.Param("id") != "a" || two.Param("id") != "b" || one.Kind != "FIRING" || two.Kind != "RESOLVED" {
		t.Errorf("%+v, %+v", one, two)
	}
	s.Close()
	conn.AwaitEnd()
	if s, err := NewSyslog("udp://h\u009b"); err == nil && strings.Contains(s.Name(), "\u009b") {
		t.Errorf("%q", s.Name())
	}
}
