package nettest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// holds says whether a process has a descriptor on the socket.
func holds(t *testing.T, pid int, inode uint32) bool {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == fmt.Sprintf("socket:[%d]", inode) {
			return true
		}
	}
	return false
}

func checkHolders(t *testing.T, c *Conn, holders map[*Actor]bool) {
	t.Helper()
	for actor, want := range holders {
		if got := holds(t, actor.PID(), c.Inode()); got != want {
			t.Errorf("%s holds the socket: %t, want %t", actor.name, got, want)
		}
	}
}

// Two processes and a connection between them, which the test's own process has no part in.
func TestPrivilegedActorsConnect(t *testing.T) {
	ns := NewNS(t)
	server, client := StartActor(t, ns, "server"), StartActor(t, ns, "client")
	if server.PID() == client.PID() || server.PID() == os.Getpid() {
		t.Fatalf("pids %d, %d, test %d: want three", server.PID(), client.PID(), os.Getpid())
	}
	listener := server.Listen(Loopback4(0), 1)
	c := client.Dial(listener.Local())
	s := listener.Accept()
	self := InProcess(t, ns)
	checkHolders(t, c, map[*Actor]bool{client: true, server: false, self: false})
	checkHolders(t, s, map[*Actor]bool{client: false, server: true, self: false})
	c.Write(100_000)
	c.Close()
	if got := s.ReadEOF(); got != 100_000 {
		t.Errorf("read %d bytes, want 100000", got)
	}
	s.Close()
	mustSocket(t, ns, c.Cookie(), TimeWait)
}

func TestPrivilegedActorSetName(t *testing.T) {
	actor := StartActor(t, NewNS(t), "first name")
	checkName(t, actor, "first name")
	actor.SetName("ctrl\n\x1b[31m")
	checkName(t, actor, "ctrl\n\x1b[31m")
	actor.SetName("longer than fifteen bytes")
	checkName(t, actor, "longer than fif")
}

// A name may be any bytes but NUL, as those of hostile processes are.
func TestPrivilegedActorSetNameToAnything(t *testing.T) {
	const kept = 15
	var all []byte
	for b := 1; b <= 255; b++ {
		all = append(all, byte(b))
	}
	actor := StartActor(t, NewNS(t), "\x1b[2J\x9b\xff\n\",pid=1,")
	checkName(t, actor, "\x1b[2J\x9b\xff\n\",pid=1,")
	for name := range slices.Chunk(all, kept) {
		actor.SetName(string(name))
		checkName(t, actor, string(name))
	}
	actor.SetName("")
	checkName(t, actor, "")
}

// checkName compares the names of a process and of each of its threads.
func checkName(t *testing.T, actor *Actor, want string) {
	t.Helper()
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", actor.PID()))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, path := range append(paths, fmt.Sprintf("/proc/%d/comm", actor.PID())) {
		if got, err := os.ReadFile(path); strings.TrimSuffix(string(got), "\n") != want {
			t.Errorf("%s: %q, want %q (%v)", path, got, want, err)
		}
	}
}

func TestPrivilegedActorSend(t *testing.T) {
	ns := NewNS(t)
	self, one, two := InProcess(t, ns), StartActor(t, ns, "one"), StartActor(t, ns, "two")
	_, client, server := connect(one)
	passed := client.Send(two)
	if passed.Cookie() != client.Cookie() || passed.Actor() != two {
		t.Errorf("sent socket %#x of %s, received %#x", client.Cookie(), passed.Actor().name, passed.Cookie())
	}
	checkHolders(t, client, map[*Actor]bool{self: false, one: true, two: true})
	client.Close()
	checkHolders(t, client, map[*Actor]bool{self: false, one: false, two: true})
	passed.Write(1)
	server.Read(1)

	mine := passed.Send(self)
	passed.Close()
	checkHolders(t, client, map[*Actor]bool{self: true, one: false, two: false})
	back := mine.Send(one)
	mine.Close()
	back.Close()
	server.WaitState(CloseWait)
}

// A child inherits what its parent chose, as after fork(); the parent's close() then ends nothing.
func TestPrivilegedActorSpawn(t *testing.T) {
	ns := NewNS(t)
	parent := StartActor(t, ns, "parent")
	listener, client, server := connect(parent)
	child, inherited := parent.Spawn("child", server, listener)
	if got := parentOf(t, child.PID()); got != parent.PID() {
		t.Errorf("child's parent is %d, want %d", got, parent.PID())
	}
	checkName(t, child, "child")
	checkHolders(t, server, map[*Actor]bool{parent: true, child: true})
	checkHolders(t, client, map[*Actor]bool{parent: true, child: false})
	server.Close()
	if got := client.State(); got != Established {
		t.Errorf("state %v while the child holds the other end, want %v", got, Established)
	}
	inherited[0].Write(1)
	client.Read(1)
	child.Dial(listener.Local())
	inherited[1].Accept()
	inherited[0].Close()
	client.WaitState(CloseWait)
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "\nPPid:\t")
	field, _, _ := strings.Cut(after, "\n")
	ppid, err := strconv.Atoi(field)
	if err != nil {
		t.Fatal(err)
	}
	return ppid
}

// The end of a process closes its sockets, with FIN if all was read.
func TestPrivilegedActorEnds(t *testing.T) {
	for name, end := range map[string]func(*Actor){"exit": (*Actor).Exit, "kill": (*Actor).Kill} {
		t.Run(name, func(t *testing.T) {
			ns := NewNS(t)
			self, actor := InProcess(t, ns), StartActor(t, ns, "ending")
			listener := self.Listen(Loopback4(0), 1)
			client := actor.Dial(listener.Local())
			server := listener.Accept()
			child, inherited := actor.Spawn("heir", client)
			end(actor)
			if err := unix.Kill(actor.PID(), 0); err != unix.ESRCH {
				t.Errorf("process %d: %v, want %v", actor.PID(), err, unix.ESRCH)
			}
			if got := server.State(); got != Established {
				t.Errorf("state %v with an heir, want %v", got, Established)
			}
			inherited[0].Write(1)
			server.Read(1)
			end(child)
			server.WaitState(CloseWait)
			mustSocket(t, ns, client.Cookie(), FinWait2)
			child.Kill()
		})
	}
}

// An actor whose test is gone goes too.
func TestPrivilegedActorOrphaned(t *testing.T) {
	h, ok := StartActor(t, NewNS(t), "orphan").host.(*otherProcess)
	if !ok {
		t.Fatal("not a process of its own")
	}
	if err := unix.Shutdown(h.channel, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if err := h.wait(); err != nil {
		t.Error(err)
	}
}

func TestPrivilegedActorAnswersErrors(t *testing.T) {
	onBoth(t, func(t *testing.T, _ *NS, actor *Actor) {
		open := actor.Open(unix.AF_INET)
		tests := []struct {
			req  request
			want string
		}{
			{request{Op: opRead, FD: 0, N: 1}, "descriptor 0: "},
			{request{Op: opClose, FD: 3}, "descriptor 3: "},
			{request{Op: opSpawn}, "0 command channels"},
			{request{Op: opReceive}, "0 channels to receive"},
			{request{Op: opSend, FD: open.FD()}, "0 channels to send"},
			{request{Op: "dance", FD: open.FD()}, `unknown operation "dance"`},
			{request{Op: opOpen, N: 255}, "socket: address family not supported"},
			{request{Op: opBind, FD: open.FD()}, "no address given"},
		}
		for _, test := range tests {
			if _, err := actor.host.perform(test.req); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%s: %v, want %s…", test.req.Op, err, test.want)
			}
		}
		_, err := actor.host.perform(request{Op: opListen, FD: open.FD()})
		if err != nil {
			t.Error(err)
		}
		_, err = actor.host.perform(request{Op: opConnect, FD: open.FD(), Addr: Loopback4(1)})
		if !errors.Is(err, unix.EISCONN) && !errors.Is(err, unix.EINVAL) {
			t.Errorf("connect a listener: %v, want an errno", err)
		}
	})
}

func TestPrivilegedActorGone(t *testing.T) {
	actor := StartActor(t, NewNS(t), "gone")
	actor.Exit()
	if _, err := actor.host.perform(request{Op: opOpen, N: unix.AF_INET}); err == nil {
		t.Error("a process that has ended opened a socket")
	}
	actor.Kill()
}
