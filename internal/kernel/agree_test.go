package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// agreeing is how many random filters run side by side: each is a tracer of its own, which takes a moment to load.
const agreeing = 12

// words makes random filters about a stage: what it says of ports, processes and addresses is there, mostly.
type words struct {
	*rand.Rand
	ports []uint16
	pids  []int
	netns uint32
}

func (w *words) predicate() string {
	pick := func(of ...string) string { return of[w.IntN(len(of))] }
	port := func() string { return fmt.Sprint(w.ports[w.IntN(len(w.ports))]) }
	switch w.IntN(9) {
	case 0, 1:
		return pick("state", "exclude") + " " + pick("established", "close-wait,last-ack", "connected", "listen", "fin-wait-2", "close")
	case 2:
		return pick("sport", "dport") + " " + pick("=", "!=", "lt", "ge") + " " + port()
	case 3:
		return pick("sport", "dport") + " = " + port() + "," + port()
	case 4:
		return fmt.Sprintf("pid %s %d", pick("=", "!="), w.pids[w.IntN(len(w.pids))])
	case 5:
		return pick("src", "dst") + " " + pick("127.0.0.0/8", "[::1]", "::/0", "127.0.0.1:"+port(), ":"+port())
	case 6:
		return "comm " + pick("=", "!=") + " " + pick("server", "client", "'c*'", "nobody")
	case 7:
		return fmt.Sprintf("netns %s %d", pick("=", "!="), w.netns)
	}
	return "uid " + pick("=", "!=", "gt") + " 0"
}

func (w *words) expression(depth int) string {
	if depth == 0 || w.IntN(3) == 0 {
		return w.predicate()
	}
	a, b := w.expression(depth-1), w.expression(depth-1)
	switch w.IntN(5) {
	case 0:
		return "not ( " + a + " )"
	case 1:
		return "( " + a + " ) or ( " + b + " )"
	}
	return "( " + a + " ) and ( " + b + " )"
}

// What the kernel decides of a filter and what is left to Go select together what the filter does: random filters, each
// with a tracer of its own, against one tracer that sees all.
func TestPrivilegedKernelAndGoAgreeOnFilters(t *testing.T) {
	s := newStage(t)
	server, client := s.actor("server"), s.actor("client")
	listeners := []*nettest.Conn{
		server.Listen(nettest.Loopback4(0), 8), server.Listen(nettest.Loopback6(0), 8), server.Listen(nettest.Any6(0), 8),
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &words{Rand: rand.New(rand.NewPCG(seed, 1)), pids: []int{server.PID(), client.PID(), 1}, netns: s.ns.Inode()}
	for _, l := range listeners {
		w.ports = append(w.ports, l.Local().Port())
	}
	here := filter.Filter{NetNS: []uint32{s.ns.Inode()}}
	all := record(t, Options{Filter: here})
	var tracers []*filtered
	for range agreeing {
		tracers = append(tracers, traceFiltered(t, here, w.expression(3)))
	}

	for i := range 3 {
		for _, l := range listeners {
			to := l.Local()
			if l == listeners[2] {
				to = nettest.Mapped4(to.Port())
			}
			c := client.Dial(to)
			a := l.Accept()
			if i == 0 {
				c.Shutdown()
				a.WaitState(nettest.CloseWait)
			}
			if i < 2 {
				a.Close()
				c.Close()
			} else {
				c.Linger0()
				c.Close()
				a.Close()
			}
		}
	}
	for _, l := range listeners {
		l.Close()
	}
	s.waitQuiet()

	all.stop(t)
	for _, f := range tracers {
		f.stop(t)
		want := keys(all.events, func(e *tcp.Event) bool { return f.expr.MatchEvent(e, nil) })
		got := keys(f.events, func(e *tcp.Event) bool { return f.pushed.MatchRest(e) && f.rest.MatchEvent(e, nil) })
		t.Logf("%d of %d: %s; left %q", len(got), len(all.events), f.text, f.rest)
		if !slices.Equal(got, want) {
			t.Errorf("%s\n pushed %+v, left %q: got %d, want %d of %d\n got  %s\n want %s", f.text, f.pushed, f.rest,
				len(got), len(want), len(all.events), strings.Join(got, "\n      "), strings.Join(want, "\n      "))
		}
	}
}

// filtered is a tracer with a filter.
type filtered struct {
	*recorder
	text   string
	expr   *filter.Expr
	pushed filter.Filter
	rest   *filter.Expr
}

func traceFiltered(t *testing.T, base filter.Filter, text string) *filtered {
	t.Helper()
	expr, err := filter.Parse(text, numbers{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	f := &filtered{text: text, expr: expr, pushed: base}
	f.rest = expr.Push(&f.pushed)
	f.recorder = record(t, Options{Filter: f.pushed})
	return f
}

// numbers takes numbers for what they are.
type numbers struct{ filter.Names }

func (numbers) NetNS(arg string) (inode uint32, err error) {
	_, err = fmt.Sscan(arg, &inode)
	return inode, err
}

// keys returns what tells the chosen transitions apart, sorted.
func keys(events []tcp.Event, chosen func(*tcp.Event) bool) []string {
	var all []string
	for i := range events {
		if e := &events[i]; chosen(e) {
			all = append(all, fmt.Sprintf("%x %v>%v %v %v pid %d", e.Cookie, e.Old, e.New, e.Local, e.Remote, e.PID))
		}
	}
	slices.Sort(all)
	return all
}
