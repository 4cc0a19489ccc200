package kernel

import (
	"cmp"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Every kind of socket in every state is in the snapshot once, with all that sock_diag and its makers know of it.
func TestPrivilegedSnapshotEveryState(t *testing.T) {
	ns := nettest.NewNS(t)
	var states *nettest.States
	made := momentOf(func() { states = nettest.EveryState(t, ns) })
	p := look(t, ns, SnapshotOptions{})
	if len(p.sockets) != len(states.All) {
		t.Errorf("%d sockets, want %d", len(p.sockets), len(states.All))
	}
	slack := jiffySlack(t)
	for _, one := range states.All {
		found := p.all(one.Cookie, one.Kind == nettest.Minisock || one.Kind == nettest.RequestSocket)
		if len(found) != 1 {
			t.Errorf("%s: %d times in the snapshot", one.Name, len(found))
			continue
		}
		got := found[0]
		if got.NetNS != ns.Inode() {
			t.Errorf("%s: network namespace %d, want %d", one.Name, got.NetNS, ns.Inode())
		}
		checkIdentity(t, one, got)
		checkKind(t, one, got)
		checkHolders(t, one, got)
		checkOwner(t, states, one, got)
		p.checkBounds(one.Name, got.Age, made, slack)
	}
	checkTimers(t, ns, states, p)
	checkPart(t, ns, p)
}

// refused is the specimen that keeps the port of a connection that never was; who made it has not looked since.
const refused = "CLOSE refused"

func checkIdentity(t *testing.T, one *nettest.Specimen, got *tcp.Socket) {
	t.Helper()
	if one.Kind != nettest.Untabled {
		family := tcp.Inet
		if one.Local.Addr().Is6() {
			family = tcp.Inet6
		}
		if got.Local != unmapped(one.Local) || got.Remote != unmapped(one.Remote) || got.Family != family {
			t.Errorf("%s: %v %v -> %v, want %v %v -> %v", one.Name, got.Family, got.Local, got.Remote, family, one.Local, one.Remote)
		}
	} else if (got.Local != unmapped(one.Local) || one.Zombie && got.Remote != unmapped(one.Remote)) && one.Name != refused {
		t.Errorf("%s: %v -> %v, want %v -> %v", one.Name, got.Local, got.Remote, one.Local, one.Remote)
	}
	if got.Inode != one.Inode {
		t.Errorf("%s: inode %d, want %d", one.Name, got.Inode, one.Inode)
	}
}

func checkKind(t *testing.T, one *nettest.Specimen, got *tcp.Socket) {
	t.Helper()
	kinds := map[nettest.Kind]tcp.Kind{nettest.Minisock: tcp.Minisock, nettest.RequestSocket: tcp.Request}
	if got.State != tcp.State(one.State) || got.Kind != kinds[one.Kind] {
		t.Errorf("%s: %v in %v", one.Name, got.Kind, got.State)
	}
	if got.Orphan != one.Orphan || got.Unaccepted != one.Unaccepted || got.Zombie != one.Zombie {
		t.Errorf("%s: orphan %v, unaccepted %v, zombie %v", one.Name, got.Orphan, got.Unaccepted, got.Zombie)
	}
	uid := one.UID
	if got.Kind != tcp.Full {
		uid = tcp.NoUID
	}
	if got.UID != uid {
		t.Errorf("%s: user %d, want %d", one.Name, got.UID, uid)
	}
	if got.Kind == tcp.Full && one.Kind != nettest.Untabled && (got.RecvQ != one.RQueue || got.SendQ != one.WQueue) {
		t.Errorf("%s: queues %d, %d, want %d, %d", one.Name, got.RecvQ, got.SendQ, one.RQueue, one.WQueue)
	}
	if errno := one.Name == "CLOSE reset"; (got.Errno != 0) != errno {
		t.Errorf("%s: error %d is pending", one.Name, got.Errno)
	}
}

func checkHolders(t *testing.T, one *nettest.Specimen, got *tcp.Socket) {
	t.Helper()
	type descriptor struct{ pid, fd uint32 }
	var want, have []descriptor
	names := map[uint32]string{}
	for _, c := range one.Holders {
		want = append(want, descriptor{uint32(c.Actor().PID()), uint32(c.FD())})
		names[uint32(c.Actor().PID())] = c.Actor().Name()
	}
	slices.SortFunc(want, func(a, b descriptor) int { return cmp.Or(cmp.Compare(a.pid, b.pid), cmp.Compare(a.fd, b.fd)) })
	for _, h := range got.Holders {
		have = append(have, descriptor{h.PID, h.FD})
		if !commIs(h.Comm, names[h.PID]) {
			t.Errorf("%s: holder %d is called %q, want %q", one.Name, h.PID, h.Comm.Bytes(), names[h.PID])
		}
	}
	if !slices.Equal(have, want) {
		t.Errorf("%s: holders %v, want %v", one.Name, have, want)
	}
}

// checkOwner wants, without a tracer, the lowest holder, or the listener's for what waits at one.
func checkOwner(t *testing.T, states *nettest.States, one *nettest.Specimen, got *tcp.Socket) {
	t.Helper()
	pid, evidence, name := 0, tcp.EvidenceNone, ""
	switch {
	case len(one.Holders) > 0:
		pid, evidence, name = one.PIDs()[0], tcp.EvidenceFD, string(got.Holders[0].Comm.Bytes())
	case one.Unaccepted || one.Kind == nettest.RequestSocket:
		pid, evidence, name = states.Server.PID(), tcp.EvidenceListen, "server"
	}
	if got.PID != uint32(pid) || got.Evidence != evidence || !commIs(got.Comm, name) {
		t.Errorf("%s: owner %d, %q by %q, want %d, %q by %q", one.Name, got.PID, got.Comm.Bytes(), got.Evidence, pid, name, evidence)
	}
}

// checkTimers compares with ss where there is one. A timer runs on meanwhile, so only its kind is the same.
func checkTimers(t *testing.T, ns *nettest.NS, states *nettest.States, p *photo) {
	t.Helper()
	for i := range p.sockets {
		if s := &p.sockets[i]; (s.Timer.Kind == tcp.TimerTimeWait) != (s.Kind == tcp.Minisock) {
			t.Errorf("%v in %v: timer %+v", s.Kind, s.State, s.Timer)
		}
	}
	if got := p.one(states.Named("ESTABLISHED shut").Cookie).Timer; got.Kind != tcp.TimerProbe || got.Left < 0 { // 0: it is due
		t.Errorf("the peer's window is shut: timer %+v", got)
	}
	rows, err := ns.SS()
	if errors.Is(err, exec.ErrNotFound) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]tcp.TimerKind{
		"": tcp.TimerNone, "on": tcp.TimerRetransmit, "keepalive": tcp.TimerKeepalive, "timewait": tcp.TimerTimeWait, "persist": tcp.TimerProbe,
	}
	for _, row := range rows {
		got := p.only(p.all(row.Cookie, row.Timer.Name == "timewait" || isRequest(states, row.Cookie)), row.Cookie)
		if want, ok := words[row.Timer.Name]; !ok || got.Timer.Kind != want {
			t.Errorf("%v %v: timer %q, ss says %q", got.Local, got.State, got.Timer.Kind, row.Timer.Name)
		}
		if got.Timer.Kind != tcp.TimerNone && got.Timer.Retries == uint8(row.Timer.Retries) && row.Timer.Left > got.Timer.Left+jiffySlack(t) {
			t.Errorf("%v %v: %v left, later ss says %v", got.Local, got.State, got.Timer.Left, row.Timer.Left)
		}
	}
}

func isRequest(states *nettest.States, cookie uint64) bool {
	return slices.ContainsFunc(states.All, func(one *nettest.Specimen) bool {
		return one.Cookie == cookie && one.Kind == nettest.RequestSocket
	})
}

// checkPart wants of a snapshot of some states those sockets of the whole one, with the same owners.
func checkPart(t *testing.T, ns *nettest.NS, whole *photo) {
	t.Helper()
	states := []tcp.State{tcp.TimeWait, tcp.FinWait2, tcp.SynRecv, tcp.NewSynRecv, tcp.Close, tcp.CloseWait}
	if isSlow() {
		states = states[2:] // minisocks have ended before a second look
	}
	for _, state := range states {
		part := look(t, ns, SnapshotOptions{States: tcp.SetOf(state)})
		want := 0
		for i := range whole.sockets {
			one := &whole.sockets[i]
			if !one.States().Has(state) {
				continue
			}
			want++
			found := part.all(one.Cookie, one.Kind != tcp.Full)
			if len(found) != 1 || found[0].PID != one.PID || len(found[0].Holders) != len(one.Holders) || found[0].State != one.State {
				t.Errorf("%v alone: %v -> %v is there %d times, or with another owner or holders", state, one.Local, one.Remote, len(found))
			}
		}
		if len(part.sockets) != want {
			t.Errorf("%v alone: %d sockets, want %d", state, len(part.sockets), want)
		}
	}
}

// Counting comes to what sock_diag and the snapshot have.
func TestPrivilegedCountEveryState(t *testing.T) {
	ns := nettest.NewNS(t)
	states := nettest.EveryState(t, ns)
	o := SnapshotOptions{NetNS: []uint32{ns.Inode()}}
	tally, err := openCounter(t, o).Count()
	if err != nil {
		t.Fatal(err)
	}
	var want tcp.Tally
	for _, one := range states.All {
		switch {
		case one.Zombie:
			want.Zombies++
		case one.Kind == nettest.Minisock || one.Kind == nettest.RequestSocket:
			want.Bare[one.State]++
		default:
			want.Full[one.State]++
		}
	}
	if tally != want {
		t.Errorf("counted %+v, want %+v", tally, want)
	}
	diag, err := ns.CountStates()
	if err != nil {
		t.Fatal(err)
	}
	counts := tally.Counts()
	for state := tcp.Established; state <= tcp.NewSynRecv; state++ {
		if state != tcp.Close && counts.States[state] != uint64(diag[nettest.State(state)]) {
			t.Errorf("%v: %d, sock_diag has %d", state, counts.States[state], diag[nettest.State(state)])
		}
	}
	var fromSnapshot tcp.Counts
	p := look(t, ns, SnapshotOptions{})
	for i := range p.sockets {
		fromSnapshot.Count(&p.sockets[i])
	}
	if counts != fromSnapshot {
		t.Errorf("counted %+v, snapshot has %+v", counts, fromSnapshot)
	}
	o.States = tcp.SetOf(tcp.CloseWait) // without a walk over descriptors
	if again, err := openCounter(t, o).Count(); err != nil || again.Full[tcp.CloseWait] != want.Full[tcp.CloseWait] || again.Zombies != 0 {
		t.Errorf("counted for CLOSE_WAIT: %+v (%v), want %d", again, err, want.Full[tcp.CloseWait])
	}
}

// A counter counts anew each time.
func TestPrivilegedCountAgain(t *testing.T) {
	ns := nettest.NewNS(t)
	crowd := ns.Crowd(t, scaled(1000, 50))
	c := openCounter(t, SnapshotOptions{NetNS: []uint32{ns.Inode()}})
	half := crowd.Len() / 2
	for round := range 3 {
		tally, err := c.Count()
		if err != nil {
			t.Fatal(err)
		}
		counts := tally.Counts()
		if round < 1 {
			crowd.CloseWait(half)
			continue
		}
		if got := counts.States[tcp.CloseWait]; got != uint64(half) || counts.States[tcp.FinWait2] != got || counts.Total() != 2*uint64(half+crowd.Len()) {
			t.Errorf("round %d: %+v, want %d in CLOSE_WAIT", round, counts, half)
		}
	}
}

// What a process is called is its own choice, and arrives as it is.
func TestPrivilegedSnapshotHostileNames(t *testing.T) {
	ns := nettest.NewNS(t)
	for _, name := range []string{
		"\x1b[2J\x1b[31mred", "a\nb\tc\r", "exactly15bytes!", "sixteen bytes do", "\xff\xfe\x80utf", "users:((\"x\",1))", "\"},{\"", ",=\\\"'", " ",
	} {
		a := nettest.StartActor(t, ns, "honest")
		a.SetName(name)
		l := a.Listen(nettest.Loopback4(0), 1)
		got := look(t, ns, SnapshotOptions{}).one(l.Cookie())
		if !commIs(got.Comm, name) || len(got.Holders) != 1 || !commIs(got.Holders[0].Comm, name) {
			t.Errorf("%q arrives as %q", name, got.Comm.Bytes())
		}
		a.Kill()
	}
}

// MPTCP holds the descriptors of its TCP subflows; Go listens that way by default.
func TestPrivilegedSnapshotMPTCP(t *testing.T) {
	ns := nettest.NewNS(t)
	server, client := nettest.StartActor(t, ns, "server"), nettest.StartActor(t, ns, "client")
	l := server.OpenMPTCP(unix.AF_INET)
	l.Bind(nettest.Loopback4(0))
	l.Listen(5)
	plain := client.Dial(l.Local())
	accepted := l.Accept()
	c := client.OpenMPTCP(unix.AF_INET)
	c.Connect(l.Local())
	a := l.Accept()
	waiting := client.Dial(l.Local())
	p := look(t, ns, SnapshotOptions{})
	find := func(name string, local, remote netip.AddrPort, state tcp.State) *tcp.Socket {
		for i := range p.sockets {
			if s := &p.sockets[i]; s.Local == local && (s.Remote == remote || state == tcp.Listen) && s.State == state {
				return s
			}
		}
		t.Fatalf("%s is missing", name)
		return nil
	}
	held := func(name string, s *tcp.Socket, by *nettest.Conn, evidence tcp.Evidence) {
		t.Helper()
		who := uint32(by.Actor().PID())
		if s.PID != who || s.Evidence != evidence || !commIs(s.Comm, by.Actor().Name()) || s.Orphan {
			t.Errorf("%s: owner %d %q by %v (orphan %v), want %d", name, s.PID, s.Comm.Bytes(), s.Evidence, s.Orphan, who)
		}
		if evidence != tcp.EvidenceFD {
			return
		}
		if len(s.Holders) != 1 || s.Holders[0].PID != who || s.Holders[0].FD != uint32(by.FD()) || s.Unaccepted {
			t.Errorf("%s: holders %v (unaccepted %v), want %d of %d", name, s.Holders, s.Unaccepted, by.FD(), who)
		}
	}
	to := l.Local()
	held("listener", find("listener", to, netip.AddrPort{}, tcp.Listen), l, tcp.EvidenceFD)
	held("plain client", p.one(plain.Cookie()), plain, tcp.EvidenceFD)
	held("accepted from a plain client", find("accepted", to, plain.Local(), tcp.Established), accepted, tcp.EvidenceFD)
	queued := find("waiting", to, waiting.Local(), tcp.Established)
	held("waiting", queued, l, tcp.EvidenceListen)
	if !queued.Unaccepted || len(queued.Holders) != 0 {
		t.Errorf("waiting: unaccepted %v, holders %v", queued.Unaccepted, queued.Holders)
	}
	held("MPTCP client", find("MPTCP client", c.Local(), to, tcp.Established), c, tcp.EvidenceFD)
	held("MPTCP server", find("MPTCP server", to, c.Local(), tcp.Established), a, tcp.EvidenceFD)
}

// The user is whoever made the socket, whatever the process is called or runs as later.
func TestPrivilegedSnapshotUser(t *testing.T) {
	const user = 54321
	ns := nettest.NewNS(t)
	var cookie uint64
	err := ns.Do(func() error { // on a thread of its own, whose file system user is its own, too (setfsuid(2))
		if err := unix.Setfsuid(user); err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if again := unix.Setfsuid(0); err != nil || again != nil {
			return errors.Join(err, again)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
		return errors.Join(err, unix.Listen(fd, 7))
	})
	if err != nil {
		t.Fatal(err)
	}
	got := look(t, ns, SnapshotOptions{}).one(cookie)
	if got.UID != user || got.PID != uint32(os.Getpid()) || got.SendQ != 7 || got.RecvQ != 0 || !got.Autobound {
		t.Errorf("user %d, owner %d, backlog %d of %d, autobound %v", got.UID, got.PID, got.RecvQ, got.SendQ, got.Autobound)
	}
}
