package history

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	// begun is when recordings here begin, ns since 1970, and boot what CLOCK_MONOTONIC says then.
	begun = int64(1_800_000_000_000_000_000)
	boot  = int64(1_000_000_000_000)
	ms    = time.Millisecond
	no    = tcp.Unknown
)

// tape is lines in the making. Times are since begun.
type tape struct{ lines []record.Record }

func (p *tape) add(at time.Duration, r record.Record) {
	r.Time, r.Seq = begun+int64(at), uint64(begun)+uint64(len(p.lines))
	p.lines = append(p.lines, r)
}

func (p *tape) session(at time.Duration, id string) {
	p.add(at, record.Record{Kind: record.Session, Session: record.SessionInfo{Host: "web1", BootID: id}})
}

func (p *tape) loss(at time.Duration, n uint64) { p.add(at, record.Record{Kind: record.Loss, Lost: n}) }
func (p *tape) end(at time.Duration)            { p.add(at, record.Record{Kind: record.End}) }

// move adds a transition, after so long in the old state.
func (p *tape) move(at time.Duration, cookie uint64, old, now tcp.State, in time.Duration, change ...func(*tcp.Event)) {
	e := tcp.Event{
		Time: begun + int64(at), Mono: boot + int64(at), InOld: in, SRTT: no, Cookie: cookie, NetNS: 7, Family: tcp.Inet, Old: old, New: now,
		PID: 42, Evidence: tcp.EvidenceConnect, Comm: tcp.Comm{'w', 'e', 'b'},
		Local: netip.MustParseAddrPort("10.0.0.1:40000"), Remote: netip.MustParseAddrPort("10.0.0.2:80"),
	}
	if now == tcp.Close {
		e.Reason = tcp.ReasonFinLocal
	}
	for _, c := range change {
		c(&e)
	}
	p.add(at, record.Record{Kind: record.Transition, Event: e})
}

// look adds what a look saw.
func (p *tape) look(at time.Duration, cookie uint64, state tcp.State, age tcp.Age, change ...func(*tcp.Socket)) {
	s := tcp.Socket{
		Seen: boot + int64(at), Cookie: cookie, NetNS: 7, Family: tcp.Inet, State: state, Age: age, PID: 42, Evidence: tcp.EvidenceFD,
		Local: netip.MustParseAddrPort("10.0.0.1:40000"), Remote: netip.MustParseAddrPort("10.0.0.2:80"), Zombie: state == tcp.Close,
	}
	for _, c := range change {
		c(&s)
	}
	p.add(at, record.Record{Kind: record.Socket, Socket: s})
}

// ask answers a query.
func (p *tape) ask(q Query) []output.Connection {
	s := NewSelector(q)
	for i := range p.lines {
		s.Add(&p.lines[i])
	}
	b := NewBuilder(s)
	for i := range p.lines {
		b.Add(&p.lines[i])
	}
	return b.Connections()
}

func missed(e *tcp.Event) { e.Missed = true }

// moment writes a time since begun.
func moment(at int64) string {
	if at == 0 {
		return "?"
	}
	return time.Duration(at - begun).String()
}

// story writes a connection in a line.
func story(c *output.Connection) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%x", c.Cookie)
	if c.Born {
		b.WriteString(" born")
	}
	for i := range c.Steps {
		s := &c.Steps[i]
		switch {
		case s.Gap == output.GapLost:
			fmt.Fprintf(&b, " (%d lost %s)", s.Lost, moment(s.Time))
		case s.Gap == output.GapUnrecorded:
			fmt.Fprintf(&b, " (unrecorded %s-%s)", moment(s.Time), moment(s.Until))
		case s.State == 0:
			fmt.Fprintf(&b, " (%v %s)", s.Gap, moment(s.Time))
		default:
			mark := "@"
			if s.NoLater {
				mark = "@<="
			}
			fmt.Fprintf(&b, " %v%s%s=%s", s.State, mark, moment(s.Time), stay(s.Stay))
			if s.Open {
				b.WriteString("...")
			}
		}
	}
	if c.End != nil {
		fmt.Fprintf(&b, " CLOSE@%s %v", moment(c.End.Time), c.End.Reason)
	}
	if c.Zombie {
		b.WriteString(" zombie")
	}
	return b.String()
}

func stay(a tcp.Age) string {
	switch {
	case !a.Known():
		return "?"
	case a.Exact():
		return a.AtLeast.String()
	case a.AtMost == no:
		return ">=" + a.AtLeast.String()
	}
	return a.AtLeast.String() + ".." + a.AtMost.String()
}

func TestStories(t *testing.T) {
	atLeast := tcp.Age{Source: tcp.AgeLastAck, AtLeast: 4 * time.Second, AtMost: no}
	between := tcp.Age{Source: tcp.AgeLastAck, AtLeast: 4 * time.Second, AtMost: 9 * time.Second}
	for name, test := range map[string]struct {
		play func(p *tape)
		want []string
	}{
		"whole": {func(p *tape) {
			p.session(0, "a")
			p.move(10*ms, 1, tcp.Close, tcp.SynSent, no)
			p.move(30*ms, 1, tcp.SynSent, tcp.Established, 20*ms)
			p.move(130*ms, 1, tcp.Established, tcp.FinWait1, 100*ms)
			p.move(131*ms, 1, tcp.FinWait1, tcp.FinWait1, 1*ms)
			p.move(135*ms, 1, tcp.FinWait1, tcp.FinWait2, 5*ms)
			p.move(140*ms, 1, tcp.FinWait2, tcp.Close, 5*ms)
			p.end(time.Second)
		}, []string{"1 born SYN_SENT@10ms=20ms ESTABLISHED@30ms=100ms FIN_WAIT1@130ms=5ms FIN_WAIT2@135ms=5ms CLOSE@140ms fin_local"}},
		"accepted, goes on": {func(p *tape) {
			p.session(0, "a")
			p.move(10*ms, 1, tcp.Listen, tcp.SynRecv, no)
			p.move(11*ms, 1, tcp.SynRecv, tcp.Established, 1*ms)
			p.end(time.Second)
		}, []string{"1 born SYN_RECV@10ms=1ms ESTABLISHED@11ms=>=989ms..."}},
		"killed recorder": {func(p *tape) {
			p.session(0, "a")
			p.move(10*ms, 1, tcp.Close, tcp.SynSent, no)
			p.move(510*ms, 2, tcp.Close, tcp.SynSent, no, func(e *tcp.Event) { e.PID = 9 })
		}, []string{"1 born SYN_SENT@10ms=>=500ms..."}},
		"older": {func(p *tape) {
			p.session(0, "a")
			p.look(0, 1, tcp.Established, between)
			p.look(0, 2, tcp.Established, atLeast)
			p.look(0, 3, tcp.Listen, tcp.Age{})
			p.look(0, 4, tcp.Established, tcp.Age{})
			p.move(time.Second, 1, tcp.Established, tcp.CloseWait, no)
			p.move(2*time.Second, 4, tcp.Established, tcp.CloseWait, no)
			p.move(3*time.Second, 5, tcp.Established, tcp.CloseWait, no)
			p.move(4*time.Second, 6, tcp.Established, tcp.CloseWait, 14*time.Second)
			p.end(5 * time.Second)
		}, []string{
			"6 ESTABLISHED@-10s=14s CLOSE_WAIT@4s=>=1s...",
			"1 ESTABLISHED@<=-4s=5s..10s CLOSE_WAIT@1s=>=4s...",
			"2 ESTABLISHED@<=-4s=>=9s...",
			"3 LISTEN@<=0s=>=5s...",
			"4 ESTABLISHED@<=0s=>=2s CLOSE_WAIT@2s=>=3s...",
			"5 ESTABLISHED@?=? CLOSE_WAIT@3s=>=2s...",
		}},
		"missed": {func(p *tape) {
			p.session(0, "a")
			p.move(0, 1, tcp.Close, tcp.SynSent, no)
			p.move(time.Second, 1, tcp.CloseWait, tcp.LastAck, no, missed)
			p.move(2*time.Second, 1, tcp.LastAck, tcp.Close, time.Second)
		}, []string{"1 born SYN_SENT@0s=0s..1s (missed 1s) CLOSE_WAIT@?=? LAST_ACK@1s=1s CLOSE@2s fin_local"}},
		"lost, and the next line says since when": {func(p *tape) {
			p.session(0, "a")
			p.move(0, 1, tcp.Close, tcp.SynSent, no)
			p.loss(500*ms, 17)
			p.loss(600*ms, 3)
			p.move(time.Second, 1, tcp.Established, tcp.FinWait1, 800*ms)
			p.end(2 * time.Second)
		}, []string{"1 born SYN_SENT@0s=0s..200ms (20 lost 500ms) ESTABLISHED@200ms=800ms FIN_WAIT1@1s=>=1s..."}},
		"lost, but nothing of this": {func(p *tape) {
			p.session(0, "a")
			p.move(0, 1, tcp.Close, tcp.SynSent, no)
			p.loss(500*ms, 17)
			p.move(time.Second, 1, tcp.SynSent, tcp.Established, time.Second)
			p.end(2 * time.Second)
		}, []string{"1 born SYN_SENT@0s=1s (17 lost 500ms) ESTABLISHED@1s=>=1s..."}},
		"lost, and not known whether of this": {func(p *tape) {
			p.session(0, "a")
			p.move(0, 1, tcp.Close, tcp.SynSent, no)
			p.look(200*ms, 1, tcp.SynSent, tcp.ExactAge(tcp.AgeKernel, 200*ms))
			p.loss(500*ms, 17)
			p.move(time.Second, 1, tcp.SynSent, tcp.Established, no)
			p.loss(1500*ms, 1)
			p.end(2 * time.Second)
		}, []string{"1 born SYN_SENT@0s=200ms..1s (17 lost 500ms) ESTABLISHED@1s=? (1 lost 1.5s)"}},
		"a look after a loss": {func(p *tape) {
			p.session(0, "a")
			p.move(0, 1, tcp.Listen, tcp.SynRecv, no)
			p.move(0, 1, tcp.SynRecv, tcp.Established, 0)
			p.loss(10*time.Second, 17)
			p.look(10*time.Second, 1, tcp.CloseWait, between)
			p.end(12 * time.Second)
		}, []string{"1 born SYN_RECV@0s=0s ESTABLISHED@0s=0s..6s (17 lost 10s) CLOSE_WAIT@<=6s=>=6s..."}},
		"a look that came too late": {func(p *tape) {
			p.session(0, "a")
			p.look(0, 1, tcp.Established, tcp.Age{})
			p.move(2*time.Second, 1, tcp.Established, tcp.CloseWait, no)
			p.look(2*time.Second+3*ms, 1, tcp.Established, tcp.Age{})
			p.move(3*time.Second, 1, tcp.CloseWait, tcp.Close, time.Second)
			p.look(3*time.Second+3*ms, 1, tcp.CloseWait, tcp.Age{})
		}, []string{"1 ESTABLISHED@<=0s=>=2s CLOSE_WAIT@2s=1s CLOSE@3s fin_local"}},
		"a look soon after, but of what was lost": {func(p *tape) {
			p.session(0, "a")
			p.move(10*time.Second, 1, tcp.SynRecv, tcp.Established, 0)
			p.loss(10*time.Second+100*ms, 1)
			p.look(10*time.Second+200*ms, 1, tcp.CloseWait, tcp.ExactAge(tcp.AgeTraced, 150*ms))
			p.end(11 * time.Second)
		}, []string{"1 SYN_RECV@10s=0s ESTABLISHED@10s=0s..50ms (1 lost 10.1s) CLOSE_WAIT@10.05s=>=950ms..."}},
		"recorded again": {func(p *tape) {
			p.session(0, "a")
			p.move(0, 1, tcp.Listen, tcp.SynRecv, no)
			p.move(0, 1, tcp.SynRecv, tcp.Established, 0)
			p.end(2 * time.Second)
			p.session(10*time.Second, "a")
			p.look(10*time.Second, 1, tcp.Established, atLeast)
			p.move(11*time.Second, 1, tcp.Established, tcp.CloseWait, no)
			p.end(12 * time.Second)
		}, []string{"1 born SYN_RECV@0s=0s ESTABLISHED@0s=10s..11s (unrecorded 2s-10s) CLOSE_WAIT@11s=>=1s..."}},
		"ended while nobody recorded": {func(p *tape) {
			p.session(0, "a")
			p.move(0, 1, tcp.Close, tcp.SynSent, no)
			p.end(2 * time.Second)
			p.session(10*time.Second, "a")
			p.end(12 * time.Second)
		}, []string{"1 born SYN_SENT@0s=>=2s (unrecorded 2s-10s)"}},
		"the same cookie of another boot": {func(p *tape) {
			p.session(0, "a")
			p.move(0, 1, tcp.Close, tcp.SynSent, no)
			p.end(2 * time.Second)
			p.session(10*time.Second, "b")
			p.move(11*time.Second, 1, tcp.SynSent, tcp.Established, no)
			p.end(12 * time.Second)
		}, []string{"1 born SYN_SENT@0s=>=2s (unrecorded 2s-10s)", "1 SYN_SENT@?=? ESTABLISHED@11s=>=1s..."}},
		"boots without an id are different": {func(p *tape) {
			for i := range 2 {
				p.session(time.Duration(i)*time.Second, "")
				p.move(time.Duration(i)*time.Second, 1, tcp.Close, tcp.Listen, no)
			}
		}, []string{"1 born LISTEN@0s=? (unrecorded 0s-1s)", "1 born LISTEN@1s=?..."}},
		"connected twice": {func(p *tape) {
			p.session(0, "a")
			p.move(0, 1, tcp.Close, tcp.SynSent, no)
			p.move(1*ms, 1, tcp.SynSent, tcp.Close, 1*ms)
			p.move(5*ms, 1, tcp.Close, tcp.SynSent, 4*ms)
			p.move(6*ms, 1, tcp.SynSent, tcp.Close, 1*ms)
		}, []string{"1 born SYN_SENT@0s=1ms CLOSE@1ms fin_local", "1 born SYN_SENT@5ms=1ms CLOSE@6ms fin_local"}},
		"an end that was not seen, and a new connection": {func(p *tape) {
			p.session(0, "a")
			p.move(0, 1, tcp.Close, tcp.SynSent, no)
			p.loss(2*ms, 1)
			p.move(5*ms, 1, tcp.Close, tcp.SynSent, no, missed)
			p.end(6 * ms)
		}, []string{"1 born SYN_SENT@0s=0s..5ms (1 lost 2ms)", "1 born SYN_SENT@5ms=>=1ms..."}},
		"late": {func(p *tape) {
			p.session(0, "a")
			p.move(3*ms, 1, tcp.SynSent, tcp.Established, 2*ms)
			p.move(1*ms, 1, tcp.Close, tcp.SynSent, no)
			p.end(5 * ms)
		}, []string{"1 born SYN_SENT@1ms=2ms ESTABLISHED@3ms=>=2ms..."}},
		"zombie": {func(p *tape) {
			p.session(0, "a")
			p.look(0, 1, tcp.Close, tcp.Age{})
			p.move(1*ms, 2, tcp.Established, tcp.Close, no)
			p.look(9*time.Second, 2, tcp.Close, tcp.Age{})
			p.look(9*time.Second, 3, tcp.Close, tcp.Age{}, func(s *tcp.Socket) { s.Zombie = false })
		}, []string{"1 CLOSE@<=0s=>=9s... zombie", "2 ESTABLISHED@?=? CLOSE@1ms fin_local zombie"}},
		"minisock": {func(p *tape) {
			p.session(0, "a")
			p.look(0, 1, tcp.TimeWait, tcp.ExactAge(tcp.AgeKernel, time.Second), func(s *tcp.Socket) { s.Kind = tcp.Minisock })
			p.end(time.Hour)
		}, []string{"1 TIME_WAIT@-1s=>=1s"}},
	} {
		var p tape
		test.play(&p)
		var got []string
		for _, c := range p.ask(Query{PIDs: []uint32{42}}) {
			got = append(got, story(&c))
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
	}
}

// A connection is meant if one line answers all, and then all of it is shown, whoever owned it before.
func TestQueries(t *testing.T) {
	var p tape
	p.session(0, "a")
	nobody := func(e *tcp.Event) { e.PID, e.Comm, e.Evidence = 0, tcp.Comm{}, tcp.EvidenceNone }
	other := func(e *tcp.Event) { e.PID = 43 }
	v6 := func(e *tcp.Event) {
		e.Local, e.Remote = netip.MustParseAddrPort("[2001:db8::1]:443"), netip.MustParseAddrPort("[2001:db8::2]:555")
	}
	p.move(0, 1, tcp.Listen, tcp.SynRecv, no, nobody)
	p.move(1*ms, 1, tcp.SynRecv, tcp.Established, 1*ms, nobody)
	p.move(5*ms, 1, tcp.Established, tcp.FinWait1, 4*ms)
	p.move(7*ms, 2, tcp.Close, tcp.SynSent, no, other, v6)
	p.move(8*ms, 0, tcp.Close, tcp.Listen, no, other)
	p.move(9*ms, 1, tcp.FinWait1, tcp.Close, 4*ms)
	p.end(20 * ms)
	prefix := netip.MustParsePrefix
	whole := "1 born SYN_RECV@0s=1ms ESTABLISHED@1ms=4ms FIN_WAIT1@5ms=4ms CLOSE@9ms fin_local"
	for name, test := range map[string]struct {
		query Query
		want  string
	}{
		"all":              {Query{}, whole + "\n2 born SYN_SENT@7ms=>=13ms...\n0 born LISTEN@8ms=>=12ms..."},
		"pid":              {Query{PIDs: []uint32{42}}, whole},
		"no such pid":      {Query{PIDs: []uint32{1}}, ""},
		"nobody's":         {Query{PIDs: []uint32{0}}, ""},
		"pids":             {Query{PIDs: []uint32{43, 44}}, "2 born SYN_SENT@7ms=>=13ms...\n0 born LISTEN@8ms=>=12ms..."},
		"cookie":           {Query{Cookies: []uint64{1, 9}}, whole},
		"pid and cookie":   {Query{Cookies: []uint64{1}, PIDs: []uint32{43}}, ""},
		"remote":           {Query{Remote: []Endpoint{{Prefix: prefix("2001:db8::/64"), Port: 555}}}, "2 born SYN_SENT@7ms=>=13ms..."},
		"remote port":      {Query{Remote: []Endpoint{{Port: 555}}}, "2 born SYN_SENT@7ms=>=13ms..."},
		"other port":       {Query{Remote: []Endpoint{{Prefix: prefix("2001:db8::/64"), Port: 80}}}, ""},
		"local":            {Query{Local: []Endpoint{{Prefix: prefix("10.0.0.1/32")}}, Cookies: []uint64{1}}, whole},
		"since":            {Query{Since: begun + int64(8*ms), PIDs: []uint32{42}}, whole},
		"since it is over": {Query{Since: begun + int64(10*ms), PIDs: []uint32{42}}, ""},
		"until":            {Query{Until: begun + int64(4*ms)}, "1 born SYN_RECV@0s=1ms ESTABLISHED@1ms=>=3ms..."},
		"until it is his":  {Query{Until: begun + int64(4*ms), PIDs: []uint32{42}}, ""},
	} {
		var got []string
		for _, c := range p.ask(test.query) {
			got = append(got, story(&c))
		}
		if strings.Join(got, "\n") != test.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), test.want)
		}
	}
}

// Of too many sockets the last are left, and of too many lines the first; both is said.
func TestLimits(t *testing.T) {
	var p tape
	p.session(0, "a")
	for i := range uint64(100) {
		p.move(time.Duration(i)*ms, i+1, tcp.Close, tcp.SynSent, no)
	}
	for i := range uint64(100) {
		p.move(time.Second+time.Duration(i)*ms, i+1, tcp.SynSent, tcp.Established, time.Second)
	}
	s := NewSelector(Query{})
	s.most = 10
	for i := range p.lines {
		s.Add(&p.lines[i])
	}
	b := NewBuilder(s)
	b.most = 12
	for i := range p.lines {
		b.Add(&p.lines[i])
	}
	cookies, ok := s.Cookies()
	got := b.Connections()
	if len(cookies) != 10 || !ok || s.More() != 190 || len(s.order) > 30 || len(got) != 10 || got[0].Cookie != 91 || got[9].Cookie != 100 {
		t.Fatalf("%v, %d more: %d connections of %v", cookies, s.More(), len(got), got)
	}
	if at := b.Stopped(); at != begun+int64(time.Second+92*ms) {
		t.Errorf("stopped at %s", moment(at))
	}
	if want := "5d born SYN_SENT@92ms=>=999ms..."; story(&got[2]) != want { // as if the recording ended there
		t.Errorf("got %s, want %s", story(&got[2]), want)
	}
	marks := newMarks()
	for i := range 5 {
		marks.loss(&record.Record{Time: int64(i), Lost: 1 << 63})
	}
	if gaps := marks.between(0, 5); len(gaps) != 1 || gaps[0].Lost != 1<<64-1 {
		t.Errorf("%v", gaps)
	}
}

// What comes without a look and between sessions is put together from lines alone; where there are none, others say that
// recording went on.
func TestAlive(t *testing.T) {
	var p tape
	p.session(0, "a")
	p.move(0, 1, tcp.Close, tcp.SynSent, no)
	s := NewSelector(Query{})
	b := func(until time.Duration) *Builder {
		s = NewSelector(Query{Until: begun + int64(until)})
		for i := range p.lines {
			s.Add(&p.lines[i])
		}
		b := NewBuilder(s)
		for i := range p.lines {
			b.Add(&p.lines[i])
		}
		return b
	}
	one := b(time.Hour)
	one.Alive(begun + int64(time.Minute))
	one.Alive(begun + int64(time.Second))
	if got := story(&one.Connections()[0]); got != "1 born SYN_SENT@0s=>=1m0s..." {
		t.Error(got)
	}
	one = b(time.Second)
	one.Alive(begun + int64(time.Minute))
	if got := story(&one.Connections()[0]); got != "1 born SYN_SENT@0s=>=1s..." {
		t.Error(got)
	}
	p.session(2*time.Second, "a")
	one = b(time.Hour)
	one.Alive(begun + int64(time.Minute)) // of the second session
	one.Alive(begun + int64(time.Second))
	if got := story(&one.Connections()[0]); got != "1 born SYN_SENT@0s=>=1s (unrecorded 1s-2s)" {
		t.Error(got)
	}
}

// FuzzHistory: whatever stands in a recording, there is a history of it, whose times are not below zero.
func FuzzHistory(f *testing.F) {
	e := record.NewEncoder(begun)
	session, err := e.Session(nil, begun, &record.SessionInfo{BootID: "a"})
	if err != nil {
		f.Fatal(err)
	}
	var p tape
	p.move(0, 1, tcp.Close, tcp.SynSent, no)
	p.move(5, 1, tcp.Established, tcp.Close, 3, missed)
	text := session
	for i := range p.lines {
		text = e.Loss(e.Transition(text, &p.lines[i].Event), begun, 1<<63)
	}
	f.Add(text, int64(0), int64(0))
	f.Add([]byte(`{"time":"2026-11-21T10:00:00Z","event":"watched","cookie":"1","seen":5,"state":"CLOSE","kind":"full","zombie":true,"family":"inet","local":"1.2.3.4:5","remote":"1.2.3.4:5","age_source":"timer","since":-5,"since_after":9223372036854775807}
{"time":"2026-11-21T10:00:00Z","event":"transition","cookie":"1","old":"CLOSE","new":"CLOSE","ms":9223372036853.1}
{"time":"0001-01-01T10:00:00Z","event":"transition","cookie":"1","new":"LISTEN"}`), begun, begun+1)
	f.Fuzz(func(t *testing.T, text []byte, since, until int64) {
		var decoder record.Decoder
		var lines []record.Record
		for _, line := range strings.SplitAfter(string(text), "\n") {
			var r record.Record
			if decoder.Decode([]byte(line), &r) == nil {
				lines = append(lines, r)
			}
		}
		p := tape{lines}
		var totals output.HistoryTotals
		for _, c := range p.ask(Query{Since: since, Until: until}) {
			totals.Add(&c)
			if len(c.Steps) == 0 {
				t.Errorf("nothing is known of %+v", c)
			}
			for _, s := range c.Steps {
				if s.Stay.Known() && (s.Stay.AtLeast < 0 || s.Stay.AtMost < tcp.Unknown) {
					t.Errorf("%s", story(&c))
				}
			}
		}
	})
}
