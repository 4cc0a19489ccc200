package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/leaky"
	"github.com/tcptrail/tcptrail/internal/nettest"
)

// workshop builds programs that leak. Where the binary to test comes from elsewhere, there are no compilers.
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
	Endpoint                       *string
	Port                           *uint16
	Signs                          []string
	Holders                        []holder
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
	}
	Blames  []string
	Leg     *struct{ Finding string }
	Sockets []struct {
		NetNS        uint32 `json:"netns"`
		LPort, RPort uint16
		FD           *int
	}
}

// holder is what the tests compare of a process that holds sockets.
type holder struct {
	PID     int
	Comm    string
	Sockets int
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

// watch launches leaks and waits until it has seen something, which it is shown for that.
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

// waitSockets waits until the kernel has as many sockets with a local port in the state, and returns them.
func waitSockets(t *testing.T, ns *nettest.NS, port uint16, state nettest.State, count int) (found []nettest.SocketInfo) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d sockets with port %d in %v", count, port, state), func() bool {
		all, err := ns.Sockets()
		if err != nil {
			t.Fatal(err)
		}
		found = slices.DeleteFunc(all, func(s nettest.SocketInfo) bool { return s.State != state || s.Local.Port() != port })
		return len(found) == count
	})
	return found
}

// holdersOf looks for the processes with descriptors of the same sockets, by /proc alone.
func holdersOf(t *testing.T, pid int, sockets []leaky.Socket) (all []holder) {
	t.Helper()
	wanted := map[string]bool{}
	for _, s := range sockets {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, s.FD))
		if err != nil || !strings.HasPrefix(link, "socket:") {
			continue // what it has closed itself, or another process has told of
		}
		wanted[link] = true
	}
	held := map[int]map[string]bool{}
	paths, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if link, err := os.Readlink(path); err == nil && wanted[link] {
			pid, err := strconv.Atoi(strings.Split(path, "/")[2])
			if err != nil {
				t.Fatal(err)
			}
			if held[pid] == nil {
				held[pid] = map[string]bool{}
			}
			held[pid][link] = true
		}
	}
	for pid, links := range held {
		all = append(all, holder{pid, nameOf(t, pid), len(links)})
	}
	slices.SortFunc(all, compareHolders)
	return all
}

func compareHolders(a, b holder) int { return a.PID - b.PID }

// nameOf returns the name of a process by /proc.
func nameOf(t *testing.T, pid int) string {
	t.Helper()
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(name), "\n")
}

// scene is a program, and a process at the other end that does nothing wrong.
type scene struct {
	*testing.T
	ns      *nettest.NS
	shop    *leaky.Workshop
	peer    *nettest.Actor
	program *leaky.Program
	sockets []leaky.Socket // that the program has told about
	far     netip.AddrPort // where a client is connected to
	owner   int            // whom to blame; the program, unless given
}

// serve starts a server, and lets so many clients connect, say something, and end their side.
func (s *scene) serve(name string, clients, bytes int, args ...string) {
	s.Helper()
	s.program = s.shop.Start(s.T, s.ns, name, append([]string{"127.0.0.1"}, args...)...)
	for range clients {
		c := s.peer.Dial(s.program.At(nettest.Loopback4(0).Addr()))
		if bytes > 0 {
			c.Write(bytes)
		}
		c.Shutdown()
	}
}

// call starts a client, and returns the server's ends of its connections.
func (s *scene) call(name string, count int, args ...string) (ends []*nettest.Conn) {
	s.Helper()
	l := s.peer.Listen(nettest.Loopback4(0), count)
	s.far = l.Local()
	s.program = s.shop.Start(s.T, s.ns, name, append(leaky.Args(s.far), args...)...)
	for range count {
		ends = append(ends, l.Accept())
	}
	return ends
}

// fetch starts a client of an HTTP server that has more to say than anyone reads at once.
func (s *scene) fetch(name string, count int) {
	s.Helper()
	var l net.Listener
	err := s.ns.Do(func() (err error) {
		l, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	s.far = l.Addr().(*net.TCPAddr).AddrPort()
	const body = 100_000 // more than any of the clients' buffers
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(make([]byte, body))
	})}
	go func() { _ = server.Serve(l) }()
	s.Cleanup(func() { server.Close() })
	s.program = s.shop.Start(s.T, s.ns, name, append(leaky.Args(s.far), strconv.Itoa(count))...)
}

func resetAll(ends []*nettest.Conn) {
	for _, end := range ends {
		end.Linger0()
		end.Close()
	}
}

// leakCase is a program, how it comes to leak, and what has to be said about it.
type leakCase struct {
	name  string
	play  func(*scene)
	state nettest.State
	cause string
	count int
	sign  string
}

var leakCases = []leakCase{
	{"the master keeps what its workers serve", func(s *scene) {
		s.serve("c/prefork", 3, 10, "3")
		for range 3 {
			s.program.Await("served")
		}
		s.sockets = s.program.Sockets(3)
	}, nettest.CloseWait, "not_closed", 3, "eof_read"},
	{"a helper inherits", func(s *scene) {
		s.serve("c/helper", 1, 10, "keep")
		s.program.Await("served")
		s.sockets = s.program.Sockets(1)
	}, nettest.CloseWait, "inherited", 1, "several_holders"},
	{"nothing is accepted, C", func(s *scene) { s.serve("c/queue", 3, 0, "8") }, nettest.CloseWait, "never_accepted", 3, "unaccepted"},
	{"nothing is accepted, Go", func(s *scene) {
		s.serve("go/slots", 4, 0)
		s.program.Await("served")
	}, nettest.CloseWait, "never_accepted", 3, "unaccepted"},
	{"a reset that was read", func(s *scene) {
		resetAll(s.call("c/reset", 1))
		s.sockets = s.program.Sockets(1)
	}, nettest.Close, "zombie", 1, "held"},
	{"a reset that poll reported", func(s *scene) {
		resetAll(s.call("c/pollhup", 1))
		s.sockets = s.program.Sockets(1)
	}, nettest.Close, "zombie", 1, "error"},
	{"a reset that write reported", func(s *scene) {
		resetAll(s.call("go/metrics", 1))
		s.program.Tell()
		s.program.Await("sent")
		s.sockets = s.program.Sockets(1)
	}, nettest.Close, "zombie", 1, "connected"},
	{"half closed", func(s *scene) {
		ends := s.call("c/shutdown", 1)
		ends[0].ReadEOF()
		s.sockets = s.program.Sockets(1)
	}, nettest.FinWait2, "half_closed", 1, "held"},
	{"the window is shut", func(s *scene) {
		s.serve("c/feeder", 1, 0)
		s.sockets = s.program.Sockets(1)
	}, nettest.CloseWait, "sending", 1, "send_queue"},
	{"a thread waits for a lock", func(s *scene) {
		s.serve("c/deadlock", 1, 100)
		s.sockets = s.program.Sockets(1)
	}, nettest.CloseWait, "unread_data", 1, "held"},
	{"bodies of responses, Go", func(s *scene) {
		s.fetch("go/body", 2)
		s.sockets = s.program.Sockets(2)
	}, nettest.CloseWait, "unread_data", 2, "held"},
	{"bodies of responses, Python", func(s *scene) {
		s.fetch("python/fetch", 2)
		s.sockets = s.program.Sockets(2)
	}, nettest.CloseWait, "unread_data", 2, "held"},
	{"a pool that nobody looks at", func(s *scene) {
		for _, end := range s.call("go/pool", 3, "3") {
			end.Shutdown()
		}
		s.sockets = s.program.Sockets(3)
	}, nettest.CloseWait, "unread_fin", 3, "held"},
	{"a handler without Close, Go", func(s *scene) {
		s.serve("go/session", 2, 10)
		s.sockets = s.program.Sockets(2)
	}, nettest.CloseWait, "not_closed", 2, "eof_read"},
	{"a handler without close, Python", func(s *scene) {
		s.serve("python/handlers", 2, 0)
		s.sockets = s.program.Sockets(2)
	}, nettest.CloseWait, "not_closed", 2, "eof_read"},
	{"fork", func(s *scene) {
		s.serve("python/forked", 1, 0)
		s.sockets = s.program.Sockets(2)
	}, nettest.CloseWait, "inherited", 1, "unread_fin"},
	{"SCM_RIGHTS, and both keep it", func(s *scene) {
		s.serve("python/passed", 1, 10, "keep")
		s.sockets = s.program.Sockets(2)
	}, nettest.CloseWait, "inherited", 1, "unread_data"},
	{"SCM_RIGHTS, and the worker keeps it", func(s *scene) {
		s.serve("python/passed", 1, 10, "close")
		s.program.Await("passed")
		s.sockets = s.program.Sockets(1)
		s.owner = s.sockets[0].PID
	}, nettest.CloseWait, "unread_data", 1, "held"},
	{"a helper alone keeps it", func(s *scene) {
		s.serve("c/helper", 1, 10, "close")
		s.program.Await("served")
		s.sockets = s.program.Sockets(1)
		s.owner = s.heir()
	}, nettest.CloseWait, "not_closed", 1, "eof_read"},
}

// heir returns the child of the program.
func (s *scene) heir() int {
	s.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.program.PID(), s.program.PID()))
	if err != nil {
		s.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		s.Fatal(err)
	}
	return pid
}

// Programs with the bugs that there are, each of them found as it comes and as it stands, and over when it is closed.
func TestPrivilegedLeaksOfPrograms(t *testing.T) {
	shop, ns := mustWorkshop(t), nettest.NewNS(t)
	live := watch(t, ns, "CLOSE_WAIT=200ms,FIN_WAIT2=200ms,ZOMBIE=200ms")
	scenes := make([]*scene, len(leakCases))
	for i, c := range leakCases {
		s := &scene{T: t, ns: ns, shop: shop, peer: nettest.StartActor(t, ns, "peer")}
		c.play(s)
		if s.owner == 0 {
			s.owner = s.program.PID()
		}
		s.awaitState(c.state, c.count)
		scenes[i] = s
	}
	firing := make([]told, len(leakCases))
	for i, c := range leakCases {
		firing[i] = live.awaitTold(c.name+": firing", func(f *told) bool {
			return f.PID == scenes[i].owner && f.Cause == c.cause && f.Status == "firing"
		})
	}
	all := once(t, inNS(ns)...)
	for i, c := range leakCases {
		t.Run(c.name, func(t *testing.T) { scenes[i].check(t, &c, all) })
	}
	for _, s := range scenes {
		s.program.Close()
	}
	for i, c := range leakCases {
		live.awaitTold(c.name+": resolved", func(f *told) bool { return f.ID == firing[i].ID && f.Status == "resolved" })
	}
	live.stop()
}

// port returns the local port of what is leaked.
func (s *scene) ports() map[uint16]int {
	ports := map[uint16]int{}
	for _, k := range s.sockets {
		ports[k.LPort]++
	}
	if s.far == (netip.AddrPort{}) {
		ports = map[uint16]int{s.program.Port(): 0}
	}
	return ports
}

// awaitState waits until the kernel has the sockets in the state.
func (s *scene) awaitState(state nettest.State, count int) {
	s.Helper()
	if state == nettest.Close {
		state = nettest.Gone
	}
	for port := range s.ports() {
		switch {
		case state == nettest.Gone:
			for port, remote := range map[uint16]uint16{port: s.far.Port()} {
				eventually(s.T, fmt.Sprintf("port %d is in no table", port), func() bool {
					all, err := s.ns.Sockets()
					if err != nil {
						s.Fatal(err)
					}
					return !slices.ContainsFunc(all, func(i nettest.SocketInfo) bool {
						return i.Local.Port() == port && i.Remote.Port() == remote
					})
				})
			}
		case s.far.IsValid():
			waitSockets(s.T, s.ns, port, state, 1)
		default:
			waitSockets(s.T, s.ns, port, state, count)
		}
	}
}

// check compares what was found with what the program and /proc say.
func (s *scene) check(t *testing.T, c *leakCase, all []told) {
	f := of(t, all, s.owner, c.cause)
	zombie := c.state == nettest.Close
	if f.State != c.state.String() || f.Zombie != zombie || f.Count != c.count || f.Comm != nameOf(t, s.owner) || !slices.Contains(f.Signs, c.sign) {
		t.Errorf("got %+v", *f)
	}
	direction, endpoint := "incoming", ""
	if s.far.IsValid() {
		direction, endpoint = "outgoing", s.far.String()
	}
	if f.Direction != direction || endpoint != "" && (f.Endpoint == nil || *f.Endpoint != endpoint) ||
		endpoint == "" && (f.Port == nil || *f.Port != s.program.Port()) {
		t.Errorf("%s %v %v, want %s %s or port %d", f.Direction, f.Endpoint, f.Port, direction, endpoint, s.program.Port())
	}
	slices.SortFunc(f.Holders, compareHolders)
	if want := holdersOf(t, s.owner, s.sockets); !slices.Equal(f.Holders, want) {
		t.Errorf("holders %+v, want %+v", f.Holders, want)
	}
	s.checkFDs(t, f)
	switch {
	case c.cause == "never_accepted":
		l := f.Listener
		if l == nil || l.PID != s.owner || l.LPort != s.program.Port() || l.Comm != nameOf(t, s.owner) || l.Waiting != c.count {
			t.Errorf("listener %+v", l)
		}
	case f.Listener != nil:
		t.Errorf("listener %+v", f.Listener)
	}
	s.checkPeer(t, c, f, all)
}

// checkFDs compares descriptors with what the program has said, where the owner is who said it.
func (s *scene) checkFDs(t *testing.T, f *told) {
	want := map[[2]uint16]int{}
	for _, k := range s.sockets {
		if k.PID == s.owner || len(s.sockets) == f.Count {
			want[[2]uint16{k.LPort, k.RPort}] = k.FD
		}
	}
	if len(f.Sockets) != f.Count {
		t.Errorf("%d sockets of %d", len(f.Sockets), f.Count)
	}
	for _, k := range f.Sockets {
		fd, told := want[[2]uint16{k.LPort, k.RPort}]
		if told != (k.FD != nil) || told && fd != *k.FD || k.NetNS != s.ns.Inode() {
			t.Errorf("socket %+v, want descriptor %d", k, fd)
		}
	}
}

// checkPeer: of a pair the side in CLOSE_WAIT is at fault, and the other's finding says so.
func (s *scene) checkPeer(t *testing.T, c *leakCase, f *told, all []told) {
	if c.state == nettest.FinWait2 {
		other := of(t, all, s.peer.PID(), "not_closed")
		if f.Peer == nil || f.Peer.PID != s.peer.PID() || f.Peer.Finding != other.ID || !slices.Equal(other.Blames, []string{f.ID}) {
			t.Errorf("peer %+v, and its finding %+v", f.Peer, other)
		}
		return
	}
	if f.Peer != nil {
		t.Errorf("peer %+v", f.Peer)
	}
	if c.state == nettest.Close || slices.ContainsFunc(f.Sockets, func(struct {
		NetNS        uint32 `json:"netns"`
		LPort, RPort uint16
		FD           *int
	}) bool {
		return len(f.Blames) == 0
	}) {
		return
	}
	other := of(t, all, s.peer.PID(), "half_closed")
	if !slices.Contains(f.Blames, other.ID) || other.Peer == nil || other.Peer.PID != s.owner || other.Peer.Cause != c.cause || other.Peer.Finding != f.ID {
		t.Errorf("blames %q for %s, whose peer is %+v", f.Blames, other.ID, other.Peer)
	}
}

var _ = syscall.SIGINT
