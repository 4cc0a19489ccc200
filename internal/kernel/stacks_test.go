package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// stackOf returns the stack with which an event says that its socket was opened.
func (s *stage) stackOf(e *tcp.Event) tcp.Stack {
	s.t.Helper()
	if e.Stack == 0 {
		s.t.Fatalf("%v>%v has no stack", e.Old, e.New)
	}
	stack, err := s.tracer.Stacks().Lookup(e.Stack)
	if err != nil {
		s.t.Fatal(err)
	}
	return stack
}

func TestPrivilegedStackOfConnect(t *testing.T) {
	s := newStage(t)
	s.trace(Options{Stacks: true})
	client, server := s.pair(nettest.Loopback4(0))
	again := client.Actor().Dial(server.Local())
	server.Close() // what accept() has told comes with the next transition
	s.end()
	stack := s.stackOf(&s.of(client)[0])
	if stack.Call != tcp.CallConnect || stack.PID != uint32(client.Actor().PID()) {
		t.Errorf("%v by %d, want connect by %d", stack.Call, stack.PID, client.Actor().PID())
	}
	checkStarted(t, stack)
	code := executable(t, int(stack.PID))
	if len(stack.PCs) < 4 {
		t.Errorf("only %d frames", len(stack.PCs))
	}
	for i, pc := range stack.PCs {
		if !code.has(pc) {
			t.Errorf("frame %d, %#x, is no code", i, pc)
		}
	}
	if !code.has(stack.Words[0]) { // a Go program's system calls are made by code without a frame
		t.Errorf("no return address at the stack pointer: %#x", stack.Words)
	}
	if other := s.of(again)[0].Stack; other != stack.ID {
		t.Errorf("the same place has stacks %d and %d", stack.ID, other)
	}
	for _, e := range s.of(client) {
		if e.Stack != stack.ID {
			t.Errorf("%v>%v: stack %d, want %d", e.Old, e.New, e.Stack, stack.ID)
		}
	}
	// Without accept() to watch, the listener's stands for it.
	want := tcp.CallListen
	if s.tracer.accept != nil {
		want = tcp.CallAccept
	}
	accepted := s.of(server)
	if got := s.stackOf(&accepted[len(accepted)-1]); got.PID != uint32(server.Actor().PID()) || got.Call != want {
		t.Errorf("accepted socket: %v by %d, want %v by %d", got.Call, got.PID, want, server.Actor().PID())
	}
}

// checkStarted compares when the process began with /proc/PID/stat, which has it in hundredths of a second.
func checkStarted(t *testing.T, stack tcp.Stack) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", stack.PID))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if want := fields[19]; strconv.FormatInt(int64(stack.Started/(10*time.Millisecond)), 10) != want {
		t.Errorf("began at %v, want %s hundredths", stack.Started, want)
	}
}

// ranges are the executable mappings of a process.
type ranges [][2]uint64

func (r ranges) has(pc uint64) bool {
	for _, m := range r {
		if m[0] <= pc && pc < m[1] {
			return true
		}
	}
	return false
}

func executable(t *testing.T, pid int) (r ranges) {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err == nil && strings.Contains(mode, "x") {
			r = append(r, [2]uint64{from, to})
		}
	}
	return r
}

// New stacks are told once each, and a snapshot names them, too.
func TestPrivilegedStacksAreTold(t *testing.T) {
	s := newStage(t)
	s.trace(Options{Stacks: true})
	client, server := s.pair(nettest.Loopback4(0))
	client.Actor().Dial(server.Local())
	told := make(chan map[uint32]tcp.Stack, 1)
	go func() {
		all := map[uint32]tcp.Stack{}
		for {
			stack, err := s.tracer.Stacks().Next()
			if err != nil {
				if !errors.Is(err, ErrStopped) {
					t.Error(err)
				}
				told <- all
				return
			}
			if _, twice := all[stack.ID]; twice {
				t.Errorf("stack %d is told twice", stack.ID)
			}
			all[stack.ID] = stack
		}
	}()
	snapshots, err := OpenSnapshots(SnapshotOptions{Tracer: s.tracer})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshots.Close()
	snapshot, err := snapshots.Take()
	if err != nil {
		t.Fatal(err)
	}
	s.end()
	all := <-told
	for i := range snapshot.Sockets {
		if got := &snapshot.Sockets[i]; got.Cookie == client.Cookie() {
			if stack, ok := all[got.Stack]; !ok || stack.PID != uint32(client.Actor().PID()) {
				t.Errorf("stack %d was told as %+v", got.Stack, stack)
			}
			return
		}
	}
	t.Error("the snapshot has no such socket")
}

func TestPrivilegedStacksOfFamily(t *testing.T) {
	s := newStage(t)
	outsider := s.actor("outsider")
	l := s.actor("server").Listen(nettest.Loopback4(0), 8)
	s.trace(Options{Stacks: true, Family: uint32(outsider.PID())})
	child, _ := s.spawn(outsider, "child")
	grandchild, _ := s.spawn(child, "grandchild")
	inner, outer := grandchild.Dial(l.Local()), outsider.Dial(l.Local())
	stats := s.end()
	if in, out := s.last(inner).Stack, s.last(outer).Stack; in == 0 || out != 0 {
		t.Errorf("stack %d of a descendant, %d of the process itself", in, out)
	}
	if stats.Unstacked != 0 {
		t.Errorf("%d stacks could not be had", stats.Unstacked)
	}
}

func TestPrivilegedStacksAreTrimmed(t *testing.T) {
	s := newStage(t)
	s.trace(Options{Stacks: true})
	client, _ := s.pair(nettest.Loopback4(0))
	s.end()
	stacks := s.tracer.Stacks()
	stack := s.stackOf(&s.of(client)[0])
	nobody := func(uint32) bool { return false }
	if gone, err := stacks.Trim(stack.Used+1, nobody); err != nil || len(gone) != 0 {
		t.Errorf("there is room, and yet %d were taken out, %v", len(gone), err)
	}
	filler := bpfStack{Hash: 1}
	for id := uint32(1); id <= fullStacks; id++ {
		if id != stack.ID {
			if err := stacks.stacks.Put(id, &filler); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone, err := stacks.Trim(stack.Used, func(id uint32) bool { return id%2 == 0 })
	if err != nil || len(gone) < fullStacks/2 || slices.ContainsFunc(gone, func(id uint32) bool { return id%2 == 0 }) {
		t.Errorf("%d were taken out, %v, want %d that are not needed", len(gone), err, fullStacks/2)
	}
	if _, err := stacks.Lookup(stack.ID); err != nil {
		t.Errorf("one that was used since: %v", err)
	}
	if _, err := stacks.Lookup(gone[0]); !errors.Is(err, ErrNoStack) {
		t.Errorf("one that nobody needs: %v", err)
	}
}
