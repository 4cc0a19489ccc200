// Package callsite says where in the code sockets were opened: it follows the stacks that the kernel takes, looks at
// their processes while these live, and names the frames when somebody asks.
package callsite

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/symbolize"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	// maxProcesses is how many processes are remembered: more than a host runs that open sockets and leak them. Of the
	// others the oldest goes.
	maxProcesses = 4096
	// trimFrom is how many stacks must have come since the last time to make it worth to look which nobody needs.
	trimFrom = 4096
)

// Stacks are where stacks come from; *kernel.Stacks is one, and says what the methods do.
type Stacks interface {
	Next() (tcp.Stack, error)
	Lookup(id uint32) (tcp.Stack, error)
	Trim(since int64, needed func(id uint32) bool) (gone []uint32, err error)
}

var _ Stacks = (*kernel.Stacks)(nil)

// Process is a process as it was when it was looked at, and may have ended since.
type Process interface {
	// Learn looks at the process again if the stack has code that it has not seen, as of a library that was loaded since.
	Learn(symbolize.Stack)
	// Frames names the frames of a stack, innermost first.
	Frames(symbolize.Stack) []symbolize.Frame
}

// Look looks at a process that began at a time since boot (CLOCK_BOOTTIME, in hundredths of a second): an error if it has
// ended.
type Look func(pid uint32, started time.Duration) (Process, error)

// Site is a place in the code that opened sockets.
type Site struct {
	Call   tcp.Call
	Frames []symbolize.Frame // innermost first, at least one
	Place  int               // the frame that the programmer looks for
}

// Book remembers where sockets were opened. Watch is for one goroutine; all else may be called from any.
type Book struct {
	stacks Stacks
	look   Look

	mu        sync.Mutex
	processes map[process]Process // nil: it had ended
	order     []process           // as they came
	held      map[process]bool    // whose program was looked at before it was told
	opened    map[uint32]opening  // by stack
	sites     map[uint64]Site     // by number
	fresh     int                 // stacks since the last Trim
}

// process is a process for good: pids come again.
type process struct {
	pid     uint32
	started time.Duration // in steps of startStep
}

// startStep is how exactly /proc tells when a process began.
const startStep = 10 * time.Millisecond

func processOf(s *tcp.Stack) process { return process{s.PID, s.Started.Truncate(startStep)} }

// Hold looks at a process that runs a program of which Watch has yet to be told, and that is kept from going on.
func (b *Book) Hold(pid uint32, started time.Duration) {
	s := tcp.Stack{PID: pid, Started: started}
	b.process(&s)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held[processOf(&s)] = true
}

// opening is what a stack says.
type opening struct {
	number uint64
	call   tcp.Call
}

// New returns a Book that knows nothing yet.
func New(stacks Stacks, look Look) *Book {
	return &Book{
		stacks: stacks, look: look, processes: map[process]Process{}, held: map[process]bool{}, opened: map[uint32]opening{}, sites: map[uint64]Site{},
	}
}

// Watch looks at the process of each stack that comes, at once, for it may be about to end. It returns nil when the tracer
// is stopped.
func (b *Book) Watch() error {
	for {
		stack, err := b.stacks.Next()
		if errors.Is(err, kernel.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
		if stack.ID == 0 {
			b.begin(&stack)
			continue
		}
		b.mu.Lock()
		b.fresh++
		b.mu.Unlock()
		if p := b.process(&stack); p != nil {
			p.Learn(symbolStack(&stack))
		}
	}
}

// begin looks at a process that runs a new program: what was known of it was another one's.
func (b *Book) begin(stack *tcp.Stack) {
	key := processOf(stack)
	b.mu.Lock()
	if b.held[key] {
		delete(b.held, key)
		b.mu.Unlock()
		return
	}
	if _, known := b.processes[key]; known {
		delete(b.processes, key)
		b.order = slices.DeleteFunc(b.order, func(k process) bool { return k == key })
	}
	b.mu.Unlock()
	b.process(stack)
}

func symbolStack(s *tcp.Stack) symbolize.Stack { return symbolize.Stack{PCs: s.PCs, Words: s.Words} }

// process returns what is known of the process of a stack, looking at it if that was not done; nil if it had ended by
// then. Two goroutines may look at the same process, which does no harm.
func (b *Book) process(stack *tcp.Stack) Process {
	key := processOf(stack)
	b.mu.Lock()
	known, ok := b.processes[key]
	b.mu.Unlock()
	if ok {
		return known
	}
	seen, err := b.look(key.pid, key.started)
	if err != nil {
		seen = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if known, ok := b.processes[key]; ok {
		return known
	}
	if len(b.order) == maxProcesses {
		delete(b.processes, b.order[0])
		b.order = b.order[1:]
	}
	b.processes[key] = seen
	b.order = append(b.order, key)
	return seen
}

// Opened returns the number of the site where a socket was opened, the same for the same place in the code, and the call
// that did it; zeros when that is not known.
func (b *Book) Opened(s *tcp.Socket) (site uint64, call tcp.Call) {
	if s.Stack == 0 {
		return 0, 0
	}
	b.mu.Lock()
	known, ok := b.opened[s.Stack]
	b.mu.Unlock()
	if ok {
		return known.number, known.call
	}
	stack, err := b.stacks.Lookup(s.Stack)
	if err != nil {
		return 0, 0 // trimmed since, or the kernel refuses: not known
	}
	return b.note(&stack)
}

// note names the frames of a stack and remembers them.
func (b *Book) note(stack *tcp.Stack) (number uint64, call tcp.Call) {
	site := Site{Call: stack.Call}
	if p := b.process(stack); p != nil {
		site.Frames = p.Frames(symbolStack(stack))
	}
	if len(site.Frames) == 0 {
		site.Frames = bare(stack)
	}
	number = 0
	if len(site.Frames) > 0 {
		site.Place = headline(site.Frames)
		number = numberOf(&site, stack.PID)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened[stack.ID] = opening{number, stack.Call}
	if _, known := b.sites[number]; !known && number != 0 {
		b.sites[number] = site
	}
	return number, stack.Call
}

// Site returns what a number stands for.
func (b *Book) Site(number uint64) (Site, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	site, ok := b.sites[number]
	return site, ok
}

// Trim forgets stacks that none of the given sockets has, which are all there were at a time (CLOCK_MONOTONIC), if it is
// worth while.
func (b *Book) Trim(at int64, sockets []tcp.Socket) error {
	b.mu.Lock()
	due := b.fresh >= trimFrom
	b.mu.Unlock()
	if !due {
		return nil
	}
	needed := make(map[uint32]bool, len(sockets))
	for i := range sockets {
		needed[sockets[i].Stack] = true
	}
	gone, err := b.stacks.Trim(at, func(id uint32) bool { return needed[id] })
	if err != nil {
		return fmt.Errorf("make room for stacks: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh = 0
	for _, id := range gone {
		delete(b.opened, id)
	}
	used := make(map[uint64]bool, len(b.opened))
	for _, o := range b.opened {
		used[o.number] = true
	}
	for number := range b.sites {
		if !used[number] {
			delete(b.sites, number)
		}
	}
	return nil
}
