package callsite

import (
	"errors"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/symbolize"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// host is a kernel with stacks, and processes that have them.
type host struct {
	stacks map[uint32]tcp.Stack
	fresh  chan tcp.Stack
	ended  map[uint32]bool
	execed map[uint32]bool // runs other by now
	looks  int
	trims  int
}

func newHost(stacks ...tcp.Stack) *host {
	h := &host{stacks: map[uint32]tcp.Stack{}, execed: map[uint32]bool{}, fresh: make(chan tcp.Stack, 100), ended: map[uint32]bool{}}
	for _, s := range stacks {
		h.stacks[s.ID] = s
		h.fresh <- s
	}
	close(h.fresh)
	return h
}

func (h *host) Next() (tcp.Stack, error) {
	if s, ok := <-h.fresh; ok {
		return s, nil
	}
	return tcp.Stack{}, kernel.ErrStopped
}

func (h *host) Lookup(id uint32) (tcp.Stack, error) {
	if s, ok := h.stacks[id]; ok {
		return s, nil
	}
	return tcp.Stack{}, kernel.ErrNoStack
}

func (h *host) Trim(since int64, needed func(uint32) bool) (gone []uint32, err error) {
	h.trims++
	for id, s := range h.stacks {
		if s.Used < since && !needed(id) {
			delete(h.stacks, id)
			gone = append(gone, id)
		}
	}
	return gone, nil
}

func (p program) Learn(symbolize.Stack) (Process, bool) { return p, true }

// program names each address by what is written there.
type program map[uint64]symbolize.Frame

func (p program) Frames(s symbolize.Stack) (frames []symbolize.Frame) {
	for _, pc := range s.PCs {
		f := p[pc]
		f.PC = pc
		frames = append(frames, f)
	}
	return frames
}

var app = program{
	1: {Function: "connect", Module: "libc.so.6", Kind: symbolize.KindSystem},
	2: {Function: "app.dial", File: "/src/dial.c", Line: 7, Kind: symbolize.KindUser},
	3: {Function: "app.dial", File: "/src/dial.c", Line: 9, Kind: symbolize.KindUser},
	4: {Function: "main", File: "/src/main.c", Line: 3, Kind: symbolize.KindUser},
	5: {Module: "/opt/stripped", Offset: 0x50, Kind: symbolize.KindUser},
	6: {Module: "/opt/stripped", Offset: 0x60, Kind: symbolize.KindUser},
}

func (h *host) look(pid uint32, _ time.Duration) (Process, error) {
	h.looks++
	if h.ended[pid] {
		return nil, errors.New("has ended")
	}
	if h.execed[pid] {
		return other{}, nil
	}
	return running{app, h, pid}, nil
}

// running is a process of which something else may come.
type running struct {
	program
	host *host
	pid  uint32
}

func (r running) Learn(symbolize.Stack) (Process, bool) { return r.program, !r.host.execed[r.pid] }

// other is a program that has other functions at every address.
type other struct{}

func (o other) Learn(symbolize.Stack) (Process, bool) { return o, true }

func (other) Frames(s symbolize.Stack) (frames []symbolize.Frame) {
	for _, pc := range s.PCs {
		frames = append(frames, symbolize.Frame{PC: pc, Function: "other", Module: "/opt/other", Kind: symbolize.KindUser})
	}
	return frames
}

func stack(id, pid uint32, call tcp.Call, pcs ...uint64) tcp.Stack {
	return tcp.Stack{ID: id, PID: pid, Started: time.Duration(pid) * time.Second, Call: call, PCs: pcs}
}

func opened(id uint32) *tcp.Socket { return &tcp.Socket{Stack: id} }

func TestSites(t *testing.T) {
	h := newHost(
		stack(1, 10, tcp.CallConnect, 1, 2, 4),
		stack(2, 10, tcp.CallConnect, 1, 2),    // the same place, called from elsewhere
		stack(3, 11, tcp.CallConnect, 1, 2, 4), // in another process
		stack(4, 10, tcp.CallConnect, 1, 3, 4), // another line
		stack(5, 10, tcp.CallAccept, 1, 2, 4),  // another call
		stack(6, 10, tcp.CallConnect, 5), stack(7, 10, tcp.CallConnect, 6),
	)
	b := New(h, h.look)
	if err := b.Watch(); err != nil {
		t.Fatal(err)
	}
	if h.looks != 2 {
		t.Errorf("looked %d times at two processes", h.looks)
	}
	numbers := map[uint32]uint64{}
	for id := uint32(1); id <= 7; id++ {
		number, call := b.Opened(opened(id))
		if again, _ := b.Opened(opened(id)); number == 0 || again != number || call != h.stacks[id].Call {
			t.Errorf("stack %d: %#x, then %#x, by %v", id, number, again, call)
		}
		numbers[id] = number
	}
	for _, same := range []uint32{2, 3} {
		if numbers[same] != numbers[1] {
			t.Errorf("stack %d is not of the same place as 1", same)
		}
	}
	for _, pair := range [][2]uint32{{1, 4}, {1, 5}, {6, 7}} {
		if numbers[pair[0]] == numbers[pair[1]] {
			t.Errorf("stacks %d and %d are of the same place", pair[0], pair[1])
		}
	}
	site, ok := b.Site(numbers[4])
	if !ok || site.Call != tcp.CallConnect || site.Place != 1 || site.Frames[site.Place].Line != 9 {
		t.Errorf("%+v", site)
	}
}

func TestUnknownSites(t *testing.T) {
	h := newHost()
	b := New(h, h.look)
	for _, id := range []uint32{0, 99} {
		if number, call := b.Opened(opened(id)); number != 0 || call != 0 {
			t.Errorf("stack %d: %#x by %v", id, number, call)
		}
	}
	if _, ok := b.Site(0); ok {
		t.Error("there is a site 0")
	}
	h.stacks[1] = stack(1, 10, tcp.CallListen) // no frame at all
	if number, call := b.Opened(opened(1)); number != 0 || call != tcp.CallListen {
		t.Errorf("without frames: %#x by %v", number, call)
	}
}

// A process that ended before it was looked at has addresses, which are its own.
func TestEndedProcess(t *testing.T) {
	h := newHost(stack(1, 10, tcp.CallConnect, 1, 2), stack(2, 11, tcp.CallConnect, 1, 2))
	h.ended[10], h.ended[11] = true, true
	b := New(h, h.look)
	first, _ := b.Opened(opened(1))
	second, _ := b.Opened(opened(2))
	if first == 0 || first == second {
		t.Errorf("%#x and %#x", first, second)
	}
	if site, ok := b.Site(first); !ok || len(site.Frames) != 2 || site.Frames[1].PC != 2 || site.Frames[1].Function != "" {
		t.Errorf("%+v", site)
	}
}

// slow is a program that takes as long as it is let.
type slow struct {
	program
	release chan struct{}
}

func (s slow) Learn(symbolize.Stack) (Process, bool) { return s, true }

func (s slow) Frames(stack symbolize.Stack) []symbolize.Frame {
	<-s.release
	return s.program.Frames(stack)
}

// A program that takes for ever costs its own names, and a few of them no others' time.
func TestSlowProgram(t *testing.T) {
	h := newHost()
	release := make(chan struct{})
	b := New(h, func(pid uint32, _ time.Duration) (Process, error) {
		if pid == 10 {
			return slow{app, release}, nil
		}
		return app, nil
	})
	named := func(id, pid uint32) string {
		s := stack(id, pid, tcp.CallConnect, 1, 2)
		h.stacks[id] = s
		number, _ := b.Opened(opened(id))
		site, _ := b.Site(number)
		return site.Frames[site.Place].Function
	}
	b.nameTime = time.Millisecond
	if got := named(1, 10); got != "" {
		t.Errorf("got %s", got)
	}
	b.nameTime = time.Hour
	if got := named(2, 11); got != "app.dial" {
		t.Errorf("beside a slow one: %q", got)
	}
	b.nameTime = time.Millisecond
	named(3, 10)
	b.nameTime = time.Hour
	if got := named(4, 11); got != "" {
		t.Errorf("beside %d slow ones: %q", maxNaming, got)
	}
	close(release)
	for deadline := time.Now().Add(10 * time.Second); len(b.naming) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never done")
		}
	}
	if got := named(5, 10); got != "app.dial" {
		t.Errorf("in the end: %q", got)
	}
}

// A stack is named by the program that left it, whatever the process runs by then: also if the next program is told.
func TestExecutedProcess(t *testing.T) {
	for _, told := range []bool{false, true} {
		h := newHost(stack(1, 10, tcp.CallConnect, 1, 2), stack(2, 10, tcp.CallConnect, 1, 3))
		b := New(h, h.look)
		before, after := h.stacks[1], h.stacks[2]
		b.arrive(&before)
		h.execed[10] = true
		if told {
			b.begin(&tcp.Stack{PID: 10, Started: before.Started})
		}
		b.arrive(&after)
		for id, want := range map[uint32]string{1: "app.dial", 2: "other"} {
			number, _ := b.Opened(opened(id))
			if site, _ := b.Site(number); len(site.Frames) == 0 || site.Frames[site.Place].Function != want {
				t.Errorf("stack %d: %+v, want %s", id, site, want)
			}
		}
		if len(b.left) != 0 {
			t.Errorf("%d stacks are kept that have names", len(b.left))
		}
	}
}

func TestProcessesAreBounded(t *testing.T) {
	h := newHost()
	b := New(h, h.look)
	for pid := range uint32(maxProcesses + 10) {
		s := stack(pid+1, pid+1, tcp.CallConnect, 1)
		b.process(&s)
	}
	if len(b.processes) != maxProcesses || len(b.order) != maxProcesses {
		t.Errorf("%d processes, %d in order", len(b.processes), len(b.order))
	}
}

// What is held is looked at once, and not again when it is told as a new program; the next one is.
func TestHold(t *testing.T) {
	begun := tcp.Stack{PID: 10, Started: 1234567890}
	h := newHost(begun)
	b := New(h, h.look)
	b.Hold(10, 1230*time.Millisecond)
	h.ended[10] = true
	if err := b.Watch(); err != nil || h.looks != 1 {
		t.Errorf("%d looks, %v", h.looks, err)
	}
	s := stack(1, 10, tcp.CallConnect, 2)
	s.Started = begun.Started
	if number, _ := b.note(&s); number == 0 || b.sites[number].Frames[0].Function != "app.dial" {
		t.Errorf("%+v", b.sites[number])
	}
	b.begin(&begun)
	if b.process(&begun) != nil || h.looks != 2 {
		t.Errorf("%d looks: a program that ended is taken for the one before", h.looks)
	}
}

func TestTrim(t *testing.T) {
	h := newHost(stack(1, 10, tcp.CallConnect, 2), stack(2, 10, tcp.CallConnect, 3))
	b := New(h, h.look)
	kept, _ := b.Opened(opened(1))
	dropped, _ := b.Opened(opened(2))
	sockets := []tcp.Socket{*opened(1)}
	b.left[2] = app
	if err := b.Trim(1, sockets); err != nil || h.trims != 0 {
		t.Errorf("trimmed %d times, %v: there is room", h.trims, err)
	}
	b.fresh = trimFrom
	if err := b.Trim(1, sockets); err != nil || h.trims != 1 {
		t.Errorf("trimmed %d times, %v", h.trims, err)
	}
	if _, ok := b.Site(kept); !ok {
		t.Error("what a socket has is forgotten")
	}
	if _, ok := b.Site(dropped); ok || len(b.opened) != 1 || len(b.left) != 0 {
		t.Error("what no socket has is kept")
	}
}
