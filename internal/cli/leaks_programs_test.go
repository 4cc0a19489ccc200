package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/leaky"
	"github.com/tcptrail/tcptrail/internal/nettest"
)

// mustWorkshop builds programs that leak. Where the binary to test comes from elsewhere, there are no compilers.
func mustWorkshop(t *testing.T) *leaky.Workshop {
	t.Helper()
	if os.Getenv(binaryEnv) != "" {
		t.Skip(binaryEnv + " is set: there may be no compilers here")
	}
	return leaky.NewWorkshop(t)
}

// told is a finding with all that is said about it.
type told struct {
	ID, Status, State, Cause, Comm string
	Zombie                         bool
	PID, Count                     int
	Direction                      string
	Endpoint                       string // "" for null
	Port                           uint16
	Signs                          []string
	Holders                        []leaky.Holder
	Listener                       *struct {
		LAddr            string
		LPort            uint16
		PID              int
		Comm             string
		Waiting, Backlog int
	}
	Peer *struct {
		Cookie, Comm, State, Cause, Finding string
		NetNS                               uint32 `json:"netns"`
		PID                                 int
		AtFault                             bool `json:"at_fault"`
	}
	Blames []string
	Leg    *struct {
		Finding string
		Pairs   int
	}
	Sockets []struct {
		NetNS        uint32 `json:"netns"`
		LPort, RPort uint16
		FD           *int
		AgeMS        *float64 `json:"age_ms"`
	}
}

func parseTold(t *testing.T, text string) (all []told) {
	t.Helper()
	for line := range strings.Lines(text) {
		var f told
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, f)
	}
	return all
}

// of returns the finding of a process with a cause.
func of(t *testing.T, all []told, pid int, cause string) *told {
	t.Helper()
	var others []string
	for i := range all {
		f := &all[i]
		if f.PID == pid && f.Cause == cause {
			return f
		}
		others = append(others, fmt.Sprintf("%s[%d] %s %s", f.Comm, f.PID, f.State, f.Cause))
	}
	t.Fatalf("no finding of %d with cause %s, but %q", pid, cause, others)
	return nil
}

// once looks at a namespace; something has to be there.
func once(t *testing.T, args ...string) []told {
	t.Helper()
	r := launch(t, nil, append([]string{"leaks", "--once", "--limit", limitsOfATest, "-o", "json"}, args...)...)
	if code := r.wait(); code != ExitFound || r.stderr.String() != "" {
		t.Fatalf("exit %d: %s%s", code, r.stderr, r.stdout)
	}
	return parseTold(t, r.stdout.String())
}

// awaitTold waits until a watcher has said something about a finding.
func (r *tracer) awaitTold(what string, is func(*told) bool) (f told) {
	r.Helper()
	eventually(r.T, what, func() bool {
		text := r.stdout.String()
		all := parseTold(r.T, text[:strings.LastIndexByte(text, '\n')+1])
		i := slices.IndexFunc(all, func(f told) bool { return is(&f) })
		if i < 0 {
			return false
		}
		f = all[i]
		return true
	})
	return f
}

// watch launches leaks and waits until it watches: until it has found what it is shown for that.
func watch(t *testing.T, ns *nettest.NS, limits string) *tracer {
	t.Helper()
	r := launch(t, nil, inNS(ns, "leaks", "--limit", limits, "-o", "json")...)
	sign := nettest.StartActor(t, ns, "sign")
	c := sign.Dial(sign.Listen(nettest.Loopback4(0), 1).Local())
	c.Shutdown()
	c.WaitState(nettest.FinWait2)
	r.awaitTold("the first finding", func(f *told) bool { return f.PID == sign.PID() })
	sign.Kill()
	return r
}

// leakCase is a program, how it comes to leak, and what has to be said about it.
type leakCase struct {
	name  string
	play  func(*leaky.Scene)
	state nettest.State
	cause string
	count int
	sign  string
}

var leakCases = []leakCase{
	{"the master keeps what its workers serve", func(s *leaky.Scene) {
		s.Serve("c/prefork", 3, 10, "3")
		for range 3 {
			s.Program.Await("served")
		}
		s.Sockets = s.Program.Sockets(3)
	}, nettest.CloseWait, "not_closed", 3, "eof_read"},
	{"a helper inherits", func(s *leaky.Scene) {
		s.Serve("c/helper", 1, 10, "keep")
		s.Program.Await("served")
		s.Sockets = s.Program.Sockets(1)
	}, nettest.CloseWait, "inherited", 1, "several_holders"},
	{"nothing is accepted, C", func(s *leaky.Scene) { s.Serve("c/queue", 3, 0, "8") }, nettest.CloseWait, "never_accepted", 3, "unaccepted"},
	{"nothing is accepted, Go", func(s *leaky.Scene) {
		s.Serve("go/slots", 4, 0)
		s.Program.Await("served")
	}, nettest.CloseWait, "never_accepted", 3, "unaccepted"},
	{"a reset that was read", func(s *leaky.Scene) {
		leaky.Reset(s.Call("c/reset", 1))
		s.Sockets = s.Program.Sockets(1)
	}, nettest.Close, "zombie", 1, "held"},
	{"a reset that poll reported", func(s *leaky.Scene) {
		leaky.Reset(s.Call("c/pollhup", 1))
		s.Sockets = s.Program.Sockets(1)
	}, nettest.Close, "zombie", 1, "error"},
	{"a reset that write reported", func(s *leaky.Scene) {
		leaky.Reset(s.Call("go/metrics", 1))
		s.Program.Tell()
		s.Program.Await("sent")
		s.Sockets = s.Program.Sockets(1)
	}, nettest.Close, "zombie", 1, "connected"},
	{"half closed", func(s *leaky.Scene) {
		ends := s.Call("c/shutdown", 1)
		ends[0].ReadEOF()
		s.Sockets = s.Program.Sockets(1)
	}, nettest.FinWait2, "half_closed", 1, "held"},
	{"the window is shut", func(s *leaky.Scene) {
		s.Serve("c/feeder", 1, 0)
		s.Sockets = s.Program.Sockets(1)
	}, nettest.CloseWait, "sending", 1, "send_queue"},
	{"a thread waits for a lock", func(s *leaky.Scene) {
		s.Serve("c/deadlock", 1, 100)
		s.Sockets = s.Program.Sockets(1)
	}, nettest.CloseWait, "unread_data", 1, "held"},
	{"bodies of responses, Go", func(s *leaky.Scene) {
		s.Fetch("go/body", 2)
		s.Sockets = s.Program.Sockets(2)
	}, nettest.CloseWait, "unread_data", 2, "held"},
	{"bodies of responses, Python", func(s *leaky.Scene) {
		s.Fetch("python/fetch", 2)
		s.Sockets = s.Program.Sockets(2)
	}, nettest.CloseWait, "unread_data", 2, "held"},
	{"a pool that nobody looks at", func(s *leaky.Scene) {
		for _, end := range s.Call("go/pool", 3, "3") {
			end.Shutdown()
		}
		s.Sockets = s.Program.Sockets(3)
	}, nettest.CloseWait, "unread_fin", 3, "held"},
	{"a handler without Close, Go", func(s *leaky.Scene) {
		s.Serve("go/session", 2, 10)
		s.Sockets = s.Program.Sockets(2)
	}, nettest.CloseWait, "not_closed", 2, "eof_read"},
	{"a handler without close, Python", func(s *leaky.Scene) {
		s.Serve("python/handlers", 2, 0)
		s.Sockets = s.Program.Sockets(2)
	}, nettest.CloseWait, "not_closed", 2, "eof_read"},
	{"fork", func(s *leaky.Scene) {
		s.Serve("python/forked", 1, 0)
		s.Sockets = s.Program.Sockets(2)
	}, nettest.CloseWait, "inherited", 1, "unread_fin"},
	{"SCM_RIGHTS, and both keep it", func(s *leaky.Scene) {
		s.Serve("python/passed", 1, 10, "keep")
		s.Sockets = s.Program.Sockets(2)
	}, nettest.CloseWait, "inherited", 1, "unread_data"},
	{"SCM_RIGHTS, and the worker keeps it", func(s *leaky.Scene) {
		s.Serve("python/passed", 1, 10, "close")
		s.Program.Await("passed")
		s.Sockets = s.Program.Sockets(1)
		s.Owner = s.Sockets[0].PID
	}, nettest.CloseWait, "unread_data", 1, "held"},
	{"a helper alone keeps it", func(s *leaky.Scene) {
		s.Serve("c/helper", 1, 10, "close")
		s.Program.Await("served")
		s.Sockets = s.Program.Sockets(1)
		s.Owner = s.Program.Child()
	}, nettest.CloseWait, "not_closed", 1, "eof_read"},
}

// Programs with the bugs that there are, each of them found as it comes and as it stands, and over when it is closed.
func TestPrivilegedLeaksOfPrograms(t *testing.T) {
	shop, ns := mustWorkshop(t), nettest.NewNS(t)
	live := watch(t, ns, "CLOSE_WAIT=200ms,FIN_WAIT2=200ms,ZOMBIE=200ms")
	scenes := make([]*leaky.Scene, len(leakCases))
	for i, c := range leakCases {
		s := &leaky.Scene{TB: t, NS: ns, Shop: shop, Peer: nettest.StartActor(t, ns, "peer")}
		c.play(s)
		if s.Owner == 0 {
			s.Owner = s.Program.PID()
		}
		s.Await(c.state, c.count)
		scenes[i] = s
	}
	firing := make([]told, len(leakCases))
	for i, c := range leakCases {
		firing[i] = live.awaitTold(c.name+": firing", func(f *told) bool {
			return f.PID == scenes[i].Owner && f.Cause == c.cause && f.Status == "firing"
		})
	}
	all := once(t, inNS(ns)...)
	for i, c := range leakCases {
		t.Run(c.name, func(t *testing.T) {
			checkWhat(t, scenes[i], &c, &firing[i])
			f := of(t, all, scenes[i].Owner, c.cause)
			checkWhat(t, scenes[i], &c, f)
			checkWho(t, scenes[i], &c, f)
			checkPeer(t, scenes[i], &c, f, all)
		})
	}
	for _, s := range scenes {
		s.Program.Close()
	}
	for i, c := range leakCases {
		live.awaitTold(c.name+": resolved", func(f *told) bool { return f.ID == firing[i].ID && f.Status == "resolved" })
	}
	live.stop()
}

// checkWhat compares what does not depend on when a look was.
func checkWhat(t *testing.T, s *leaky.Scene, c *leakCase, f *told) {
	t.Helper()
	if f.State != c.state.String() || f.Zombie != (c.state == nettest.Close) || f.Comm != leaky.Comm(t, s.Owner) || !slices.Contains(f.Signs, c.sign) {
		t.Errorf("got %+v", *f)
	}
	direction, endpoint, port := "incoming", "", s.Program.Port()
	if s.Far.IsValid() {
		direction, endpoint = "outgoing", s.Far.String()
	}
	if f.Direction != direction || f.Endpoint != endpoint || f.Port != port {
		t.Errorf("%s %s %d, want %s %s %d", f.Direction, f.Endpoint, f.Port, direction, endpoint, port)
	}
}

// checkWho compares the sockets and who holds them with what the program and /proc say.
func checkWho(t *testing.T, s *leaky.Scene, c *leakCase, f *told) {
	t.Helper()
	if f.Count != c.count || len(f.Sockets) != c.count {
		t.Errorf("%d sockets, and %d of them shown, want %d", f.Count, len(f.Sockets), c.count)
	}
	slices.SortFunc(f.Holders, func(a, b leaky.Holder) int { return a.PID - b.PID })
	if want := leaky.Holders(t, s.Owner, s.Sockets); !slices.Equal(f.Holders, want) {
		t.Errorf("holders %+v, want %+v", f.Holders, want)
	}
	fds := map[[2]uint16]int{}
	for _, k := range s.Sockets {
		if k.PID == s.Owner || len(s.Sockets) == c.count { // of several holders, what the owner has told
			fds[[2]uint16{k.LPort, k.RPort}] = k.FD
		}
	}
	for _, k := range f.Sockets {
		fd, held := fds[[2]uint16{k.LPort, k.RPort}]
		if held != (k.FD != nil) || held && fd != *k.FD || k.NetNS != s.NS.Inode() {
			t.Errorf("socket %+v, want descriptor %d (%v)", k, fd, held)
		}
	}
	l := f.Listener
	if c.cause != "never_accepted" {
		if l != nil {
			t.Errorf("listener %+v", l)
		}
		return
	}
	if l == nil || l.PID != s.Owner || l.LPort != s.Program.Port() || l.Comm != f.Comm || l.Waiting != c.count || l.Backlog < c.count {
		t.Errorf("listener %+v", l)
	}
}

// checkPeer: of a pair the side in CLOSE_WAIT is at fault, unless it has something to send that the other does not read.
func checkPeer(t *testing.T, s *leaky.Scene, c *leakCase, f *told, all []told) {
	t.Helper()
	closeWait, finWait := f, f
	switch c.state {
	case nettest.CloseWait:
		if s.Orphans {
			return
		}
		finWait = of(t, all, s.Peer.PID(), "half_closed")
	case nettest.FinWait2:
		closeWait = of(t, all, s.Peer.PID(), "not_closed")
	default:
		return
	}
	checkPair(t, s.NS, closeWait, finWait)
}

// checkPair compares the findings about both ends of connections; ns is that of the end in CLOSE_WAIT.
func checkPair(t *testing.T, ns *nettest.NS, closeWait, finWait *told) {
	t.Helper()
	atFault, waits := closeWait, finWait
	if closeWait.Cause == "sending" {
		atFault, waits = finWait, closeWait
	}
	p := finWait.Peer
	if p == nil || p.PID != closeWait.PID || p.Comm != closeWait.Comm || p.State != "CLOSE_WAIT" || p.Cause != closeWait.Cause ||
		p.Finding != closeWait.ID || p.NetNS != ns.Inode() || p.AtFault != (atFault == closeWait) || closeWait.Peer != nil {
		t.Errorf("peer %+v, want that of %+v", p, *closeWait)
	}
	if !slices.Contains(atFault.Blames, waits.ID) || len(waits.Blames) != 0 {
		t.Errorf("%s of %d is to be blamed for %s of %d, and %q are", atFault.ID, atFault.PID, waits.ID, waits.PID, atFault.Blames)
	}
}

// text looks at a namespace in a format for people.
func text(t *testing.T, ns *nettest.NS, format string) string {
	t.Helper()
	r := launch(t, nil, inNS(ns, "leaks", "--once", "--limit", limitsOfATest, "-o", format)...)
	if code := r.wait(); code != ExitFound || r.stderr.String() != "" {
		t.Fatalf("exit %d: %s%s", code, r.stderr, r.stdout)
	}
	return r.stdout.String()
}

// A server and a client in two namespaces, each with a bug of its own: the server is at fault.
func TestPrivilegedLeaksAcrossNamespaces(t *testing.T) {
	shop, a, b := mustWorkshop(t), nettest.NewNS(t), nettest.NewNS(t)
	_, addr := nettest.Link(t, a, b)
	server := shop.Start(t, b, "go/session", addr.String())
	client := shop.Start(t, a, "c/shutdown", leaky.Args(server.At(addr))...)
	client.Sockets(1)
	server.Sockets(1)
	inB := strconv.FormatUint(uint64(b.Inode()), 10)
	all := once(t, append(inNS(a), "--netns", inB)...)
	atFault, waits := of(t, all, server.PID(), "not_closed"), of(t, all, client.PID(), "half_closed")
	checkPair(t, b, atFault, waits)
	if waits.Sockets[0].NetNS != a.Inode() || atFault.Sockets[0].NetNS != b.Inode() || len(all) != 2 {
		t.Errorf("got %+v", all)
	}
	// Who asks for the client alone is told, too.
	waits = of(t, once(t, inNS(a)...), client.PID(), "half_closed")
	if p := waits.Peer; p == nil || p.PID != server.PID() || p.Comm != "session" || p.NetNS != b.Inode() {
		t.Errorf("alone: peer %+v", p)
	}
	if got, want := text(t, a, "table"), fmt.Sprintf("session[%d]", server.PID()); !strings.Contains(got, want) {
		t.Errorf("no %s: %s", want, got)
	}
	client.Close()
	server.Close()
}

// A proxy's sides belong together for all that can be seen, which is a guess.
func TestPrivilegedLeaksOfProxy(t *testing.T) {
	shop, ns := mustWorkshop(t), nettest.NewNS(t)
	live := watch(t, ns, "CLOSE_WAIT=200ms,FIN_WAIT2=200ms,ZOMBIE=off")
	t.Run("silent", func(t *testing.T) { checkProxy(t, shop, ns, live, 0) })
	// The end of what was sent is acknowledged late (TCP_DELACK_MIN, 40 ms), and FIN_WAIT2 begins with that.
	t.Run("busy", func(t *testing.T) { checkProxy(t, shop, ns, live, 10) })
	live.stop()
}

// checkProxy runs a proxy through which a client sends some bytes and the end, and whose upstream does not close.
func checkProxy(t *testing.T, shop *leaky.Workshop, ns *nettest.NS, live *tracer, bytes int) {
	client, upstream := nettest.StartActor(t, ns, "client"), nettest.StartActor(t, ns, "upstream")
	l := upstream.Listen(nettest.Loopback4(8080), 1)
	proxy := shop.Start(t, ns, "go/proxy", append([]string{"127.0.0.1"}, leaky.Args(l.Local())...)...)
	c := client.Dial(proxy.At(l.Local().Addr()))
	u := l.Accept()
	proxy.Sockets(2)
	if bytes > 0 {
		c.Write(bytes)
	}
	c.Shutdown()
	proxy.Await("passed")
	u.WaitState(nettest.CloseWait)
	await := func(cause string) told {
		return live.awaitTold(cause, func(f *told) bool { return f.PID == proxy.PID() && f.Cause == cause })
	}
	near, far := await("not_closed"), await("half_closed")
	if near.Leg == nil && far.Leg == nil { // the one that is found a look earlier has none
		t.Errorf("no legs: %s and %s", near.ID, far.ID)
	}
	if near.Leg != nil && near.Leg.Finding != far.ID || far.Leg != nil && (far.Leg.Finding != near.ID || far.Leg.Pairs != 1) {
		t.Errorf("legs %+v of %s, and %+v of %s", near.Leg, near.ID, far.Leg, far.ID)
	}
	if near.Direction != "incoming" || near.Port != proxy.Port() || far.Direction != "outgoing" || far.Endpoint != l.Local().String() {
		t.Errorf("got %+v and %+v", near, far)
	}
	if far.Peer == nil || far.Peer.PID != upstream.PID() || !far.Peer.AtFault {
		t.Errorf("the upstream does not close, and peer is %+v", far.Peer)
	}
	proxy.Close()
	upstream.Kill()
}

// A program may call itself what it likes.
func TestPrivilegedLeaksOfHostileName(t *testing.T) {
	shop, ns := mustWorkshop(t), nettest.NewNS(t)
	live := launch(t, nil, inNS(ns, "leaks", "--limit", "CLOSE_WAIT=50ms,FIN_WAIT2=50ms")...)
	const name = "\x1b[2J\r\n\x9b\",=\xe2\x80\xae"
	s := &leaky.Scene{TB: t, NS: ns, Shop: shop, Peer: nettest.StartActor(t, ns, "peer")}
	s.Serve("c/hostile", 1, 10, name)
	s.Program.Sockets(1)
	s.Await(nettest.CloseWait, 1)
	for _, format := range []string{"table", "wide", "json"} {
		got := text(t, ns, format)
		checkPrintable(t, format, got)
		if !strings.Contains(got, "[2J") {
			t.Errorf("%s: no name: %q", format, got)
		}
	}
	got := live.stdout.await(t, "[2J", 1)
	checkPrintable(t, "live", got)
	s.Program.Close()
	checkPrintable(t, "live", live.stdout.await(t, "RESOLVED", 1))
	live.stop()
}

// As long as bytes flow, a connection that is half closed is at work. One on which none do is found meanwhile.
func TestPrivilegedLeaksOfFlow(t *testing.T) {
	shop, ns := mustWorkshop(t), nettest.NewNS(t)
	live := launch(t, nil, inNS(ns, "leaks", "--limit", "CLOSE_WAIT=1s,FIN_WAIT2=1s", "-o", "json")...)
	s := &leaky.Scene{TB: t, NS: ns, Shop: shop, Peer: nettest.StartActor(t, ns, "rsync")}
	s.Serve("python/mirror", 1, 10)
	s.Program.Sockets(1)
	s.Await(nettest.CloseWait, 1)
	idle := nettest.StartActor(t, ns, "idle")
	c := idle.Dial(idle.Listen(nettest.Loopback4(0), 1).Local())
	c.Shutdown()
	c.WaitState(nettest.FinWait2)
	flows := func(f *told) bool { return f.PID == s.Program.PID() || f.PID == s.Peer.PID() }
	live.awaitTold("idle", func(f *told) bool { return f.PID == idle.PID() && f.State == "FIN_WAIT2" })
	live.awaitTold("idle", func(f *told) bool { return f.PID == idle.PID() && f.State == "CLOSE_WAIT" })
	if all := parseTold(t, live.stdout.String()); slices.ContainsFunc(all, func(f told) bool { return flows(&f) }) {
		t.Errorf("found although bytes flow: %+v", all)
	}
	r := launch(t, nil, inNS(ns, "leaks", "--once", "--limit", "CLOSE_WAIT=500ms,FIN_WAIT2=500ms", "-o", "json")...)
	if code := r.wait(); code != ExitFound {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
	if all := parseTold(t, r.stdout.String()); slices.ContainsFunc(all, func(f told) bool { return flows(&f) }) {
		t.Errorf("found at a single look although bytes flow: %+v", all)
	}
	s.Program.Tell() // to send no more
	s.Program.Await("stopped")
	f := live.awaitTold("the end of the flow", func(f *told) bool { return f.PID == s.Program.PID() })
	if f.Cause != "not_closed" || f.Status != "firing" {
		t.Errorf("got %+v", f)
	}
	s.Program.Close()
	live.awaitTold("resolved", func(is *told) bool { return is.ID == f.ID && is.Status == "resolved" })
	live.stop()
}

// A program in namespaces of its own is known by the pid that the host has for it.
func TestPrivilegedLeaksOfContainer(t *testing.T) {
	shop, ns := mustWorkshop(t), nettest.NewNS(t)
	live := watch(t, ns, "CLOSE_WAIT=100ms,FIN_WAIT2=off,ZOMBIE=off")
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	p := shop.StartWith(t, ns, attr, "go/session", "127.0.0.1")
	peer := nettest.StartActor(t, ns, "peer")
	peer.Dial(p.At(nettest.Loopback4(0).Addr())).Shutdown()
	sockets := p.Sockets(1)
	if sockets[0].PID != 1 || p.PID() == 1 {
		t.Fatalf("no PID namespace: it has pid %d there and %d here", sockets[0].PID, p.PID())
	}
	sockets[0].PID = p.PID()
	f := live.awaitTold("firing", func(f *told) bool { return f.PID == p.PID() })
	for _, f := range []*told{&f, of(t, once(t, inNS(ns)...), p.PID(), "not_closed")} {
		if want := leaky.Holders(t, p.PID(), sockets); !slices.Equal(f.Holders, want) || f.Comm != "session" || f.Count != 1 ||
			f.Sockets[0].FD == nil || *f.Sockets[0].FD != sockets[0].FD {
			t.Errorf("got %+v, want holders %+v", *f, want)
		}
	}
	p.Close()
	live.awaitTold("resolved", func(is *told) bool { return is.ID == f.ID && is.Status == "resolved" })
	live.stop()
}

// Where no event has told who connected, the listener that is still there does, whatever the ports are.
func TestPrivilegedLeaksDirection(t *testing.T) {
	shop, ns := mustWorkshop(t), nettest.NewNS(t)
	const port = 65_000 // above any that the kernel chooses for a client
	l := nettest.StartActor(t, ns, "server").Listen(nettest.Loopback4(port), 1)
	client := shop.Start(t, ns, "c/shutdown", leaky.Args(l.Local())...)
	l.Accept().WaitState(nettest.CloseWait)
	f := of(t, once(t, inNS(ns)...), client.PID(), "half_closed")
	if f.Direction != "outgoing" || f.Endpoint != l.Local().String() {
		t.Errorf("got %s %q, want outgoing %v", f.Direction, f.Endpoint, l.Local())
	}
}
