package forward

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/systemlog"
	"github.com/tcptrail/tcptrail/internal/systemlog/logtest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

func openJournal(t testing.TB) (*Journal, *logtest.Datagrams) {
	t.Helper()
	path, d := logtest.Journal(t)
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	return j, d
}

// end returns the end of a connection of which little is known.
func end() *tcp.Event {
	return &tcp.Event{
		Time: 1_700_000_000_000_000_000, InOld: tcp.Unknown, SRTT: tcp.Unknown, Old: tcp.LastAck, New: tcp.Close,
		Reason: tcp.ReasonFinRemote, Family: tcp.Inet6, Remote: netip.MustParseAddrPort("[2001:db8::1]:0"),
	}
}

func TestJournalEntries(t *testing.T) {
	j, d := openJournal(t)
	f := New(j, func(text string) { t.Error(text) })
	e := transition(0x1a2b)
	f.Event(e)
	f.Event(end())
	f.Flush()
	usual := func(more map[string]string) string {
		more["SYSLOG_IDENTIFIER"], more["SYSLOG_FACILITY"] = "tcptrail", "3"
		return fmt.Sprint(more)
	}
	json := func(e *tcp.Event) string {
		return strings.TrimSuffix(string(output.NewLines().Append(nil, e)), "\n")
	}
	for i, want := range []map[string]string{
		{
			"MESSAGE":  "   42 web      accept  10.0.0.1:443          10.0.0.2:40000         1.50s ESTABLISHED -> CLOSE_WAIT",
			"PRIORITY": "6", "MESSAGE_ID": TransitionMessageID, "TCPTRAIL_EVENT": "transition",
			"TCPTRAIL_TIME": "2023-11-14T22:13:20.123456789Z", "TCPTRAIL_COOKIE": "1a2b", "TCPTRAIL_NETNS": "4026532001",
			"TCPTRAIL_UID": "33", "TCPTRAIL_LADDR": "10.0.0.1", "TCPTRAIL_LPORT": "443", "TCPTRAIL_RADDR": "10.0.0.2",
			"TCPTRAIL_RPORT": "40000", "TCPTRAIL_OLD": "ESTABLISHED", "TCPTRAIL_NEW": "CLOSE_WAIT",
			"TCPTRAIL_TIME_IN_STATE_NS": "1500000000", "TCPTRAIL_PID": "42", "TCPTRAIL_COMM": "web",
			"TCPTRAIL_EVIDENCE": "accept", "TCPTRAIL_JSON": json(e),
		},
		{ // what is unknown is not there
			"MESSAGE":  "    - -        -       -                     [2001:db8::1]:*            - LAST_ACK    -> CLOSE FIN by peer",
			"PRIORITY": "6", "MESSAGE_ID": TransitionMessageID, "TCPTRAIL_EVENT": "transition",
			"TCPTRAIL_TIME": "2023-11-14T22:13:20.000000000Z", "TCPTRAIL_UID": "0", "TCPTRAIL_RADDR": "2001:db8::1",
			"TCPTRAIL_OLD": "LAST_ACK", "TCPTRAIL_NEW": "CLOSE", "TCPTRAIL_REASON": "fin_remote", "TCPTRAIL_JSON": json(end()),
		},
	} {
		if got := fmt.Sprint(d.Entry()); got != usual(want) {
			t.Errorf("%d: got  %q\nwant %q", i, got, usual(want))
		}
	}
	f.Lost(3)
	want := usual(map[string]string{
		"MESSAGE":  "3 transitions are missing: the buffer between the kernel and tcptrail was full",
		"PRIORITY": "4", "MESSAGE_ID": LossMessageID, "TCPTRAIL_EVENT": "loss", "TCPTRAIL_LOST": "3",
	})
	if got := fmt.Sprint(d.Entry()); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A journal that was restarted has what came meanwhile.
func TestJournalVanishes(t *testing.T) {
	j, d := openJournal(t)
	e := &ear{}
	f := begin(j, e.warn, quick)
	give(f, 0, 1)
	if got := d.Entry()["TCPTRAIL_JSON"]; !strings.Contains(got, `"cookie":null`) {
		t.Error(got)
	}
	d.End()
	give(f, 1, 100)
	eventually(t, "it is missed", func() bool { return strings.Contains(e.all(), "connect: ") })
	d = logtest.Listen(t, "unixgram", d.LocalAddr().String())
	for i := 1; i < 100; i++ {
		if got := d.Entry()["TCPTRAIL_COOKIE"]; got != fmt.Sprintf("%x", i) {
			t.Fatalf("%d: %s", i, got)
		}
	}
	eventually(t, "that is said", func() bool { return strings.HasSuffix(e.all(), "takes transitions again: 0 were lost") })
	if err := f.Close(t.Context()); err != nil || f.Stats() != (Stats{Sent: 100}) {
		t.Errorf("%v, %+v", err, f.Stats())
	}
}

func TestSyslogMessages(t *testing.T) {
	stream := func(network, address string) (string, func() string) {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		var s *logtest.Stream
		return network + "://" + l.Addr().String(), func() string {
			if s == nil {
				s = logtest.Accept(t, l)
			}
			return s.Receive()
		}
	}
	datagrams := func(network, address string) (string, func() string) {
		d := logtest.Listen(t, network, address)
		return strings.TrimSuffix(network, "gram") + "://" + d.LocalAddr().String(), d.Receive
	}
	for kind, listen := range map[string]func() (string, func() string){
		"tcp":      func() (string, func() string) { return stream("tcp", "127.0.0.1:0") },
		"unix":     func() (string, func() string) { return stream("unix", filepath.Join(t.TempDir(), "log")) },
		"udp":      func() (string, func() string) { return datagrams("udp", "127.0.0.1:0") },
		"unixgram": func() (string, func() string) { return datagrams("unixgram", filepath.Join(t.TempDir(), "log")) },
	} {
		t.Run(kind, func(t *testing.T) {
			url, receive := listen()
			s, err := OpenSyslog(url)
			if err != nil {
				t.Fatal(err)
			}
			f := New(s, func(text string) { t.Error(text) })
			give(f, 5, 6)
			local := strings.HasPrefix(kind, "unix")
			parse := logtest.ParseMessage
			if local {
				parse = func(b string) (logtest.Message, error) { return logtest.ParseLocal(b, systemlog.StructuredID) }
			}
			m, err := parse(receive())
			if err != nil || m.Priority != 30 || m.App != "tcptrail" || !strings.Contains(m.Text, "42 web") || !local && m.Kind != "TRANSITION" {
				t.Errorf("%+v, %v", m, err)
			}
			want := `[[time 2023-11-14T22:13:20.123456789Z] [cookie 5] [netns 4026532001] [uid 33] [laddr 10.0.0.1] [lport 443] [raddr 10.0.0.2] ` +
				`[rport 40000] [old ESTABLISHED] [new CLOSE_WAIT] [time_in_state_ns 1500000000] [pid 42] [comm web] [evidence accept]]`
			if got := fmt.Sprint(m.Params); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			f.Lost(1)
			m, err = parse(receive())
			if err != nil || m.Priority != 28 || m.Param("lost") != "1" || !strings.HasPrefix(m.Text, "1 transition is missing: ") {
				t.Errorf("%+v, %v", m, err)
			}
			if err := f.Close(t.Context()); err != nil || f.Stats() != (Stats{Sent: 1}) {
				t.Errorf("%v, %+v", err, f.Stats())
			}
		})
	}
}

// Whatever a process calls itself, messages are of the protocols, and no control character is in them.
func FuzzMessages(f *testing.F) {
	f.Add([]byte("a\nPRIORITY=0\x1b"), []byte("\x20\x01"), uint16(0), int64(-5), uint8(9))
	f.Add([]byte("\xff\u202e]\"\\"), []byte{}, uint16(443), int64(1)<<62, uint8(255))
	path, _ := logtest.Journal(f)
	j, err := OpenJournal(path)
	if err != nil {
		f.Fatal(err)
	}
	remote, err := OpenSyslog("udp://192.0.2.1")
	if err != nil {
		f.Fatal(err)
	}
	local, err := OpenSyslog("unix://" + path)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, comm, addr []byte, port uint16, in int64, kind uint8) {
		e := transition(uint64(in))
		e.Comm = tcp.Comm{}
		copy(e.Comm[:], comm)
		a, _ := netip.AddrFromSlice(addr)
		e.Local, e.InOld, e.New, e.Old = netip.AddrPortFrom(a.WithZone("\n"), port), time.Duration(in), tcp.State(kind), tcp.State(kind>>4)
		e.Reason, e.Evidence, e.Time = tcp.Reason(kind), tcp.Evidence(kind), in
		fields, err := logtest.ParseEntry(string(j.Transition(nil, e)))
		if err != nil || len(fields) < 10 {
			t.Fatalf("%q, %v", fields, err)
		}
		for name, value := range fields {
			if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
				t.Errorf("%s=%q", name, value)
			}
		}
		if e.Time < 0 || e.Time > 1<<61 {
			return // whose year has five digits, or fewer than four
		}
		b := string(remote.Transition(nil, e))
		m, err := logtest.ParseMessage(b)
		l, wrong := logtest.ParseLocal(string(local.Transition(nil, e)), systemlog.StructuredID)
		if err != nil || wrong != nil || m.Param("comm") != fields["TCPTRAIL_COMM"] || l.Param("comm") != fields["TCPTRAIL_COMM"] || len(b) > remote.Limit() {
			t.Errorf("%+v, %v, %+v, %v", m, err, l, wrong)
		}
	})
}

// drain takes what comes, as fast as it can.
func drain(b *testing.B) *Journal {
	j, d := openJournal(b)
	go func() {
		buf := make([]byte, 1<<16)
		for {
			if _, _, err := d.ReadFrom(buf); err != nil {
				return
			}
		}
	}()
	return j
}

// BenchmarkJournal is what a transition costs, from Event to the kernel, and what the datagram has.
func BenchmarkJournal(b *testing.B) {
	j := drain(b)
	f := New(j, func(text string) {
		if !strings.Contains(text, "RateLimitBurst") {
			b.Error(text)
		}
	})
	e := transition(1)
	size := len(j.Transition(nil, e))
	b.ReportAllocs()
	given := uint64(0)
	for b.Loop() {
		f.Event(e)
		if given++; given%500 == 0 {
			f.Flush()
			for f.Stats().Sent+maxWaiting/2 < given {
				time.Sleep(10 * time.Microsecond)
			}
		}
	}
	if err := f.Close(b.Context()); err != nil || f.Stats().Lost > 0 {
		b.Errorf("%v, %+v", err, f.Stats())
	}
	b.ReportMetric(float64(size), "B/event")
}

// BenchmarkEvent is what it costs who reads events.
func BenchmarkEvent(b *testing.B) {
	l := &fake{hold: make(chan struct{})}
	f := begin(l, func(string) {}, times{time.Hour, time.Hour, time.Hour})
	e := transition(1)
	b.ReportAllocs()
	for b.Loop() {
		f.Event(e)
		if len(f.waiting) == maxWaiting { // nobody else looks: no Flush has come
			f.waiting = f.waiting[:0]
		}
	}
	close(l.hold)
	_ = f.Close(b.Context())
}

// BenchmarkEntry is what it costs to put an entry together.
func BenchmarkEntry(b *testing.B) {
	j := drain(b)
	e := transition(1)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = j.Transition(buf[:0], e)
	}
}

func TestEntriesDoNotAllocate(t *testing.T) {
	j, _ := openJournal(t)
	e := transition(1)
	buf := j.Transition(nil, e)
	if n := testing.AllocsPerRun(100, func() { buf = j.Transition(buf[:0], e) }); n != 0 {
		t.Errorf("%v allocations an entry", n)
	}
}
