// Package callsite says where in the code sockets were opened: it follows the stacks that the kernel takes, looks at
// their processes while these live, and names the frames when somebody asks.
package callsite

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/symbolize"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	// maxProcesses is how many processes are remembered for what they open next, of which a hostile one takes a hundred
	// kilobytes. Of the others the oldest goes, and is looked at again.
	maxProcesses = 1024
	// trimFrom is how many stacks must have come since the last time to make it worth to look which nobody needs.
	trimFrom = 4096
	// seenTries is how often a process is looked at that begins one program after the other.
	seenTries = 2
	// nameTime is how long the names of a stack may take: those of the largest programs take a second.
	nameTime = 5 * time.Second
	// maxNaming is how many stacks may be named at a time. A program can be made so that it takes for ever.
	maxNaming = 2
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
	// It returns what the stack needs of it, and false if the process runs another program by now.
	Learn(symbolize.Stack) (part Process, ok bool)
	// Frames names the frames of a stack, innermost first; none if it must be another program's.
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
	processes map[process]Process // as they are now; nil: it had ended
	left      map[uint32]Process  // by stack that has no name yet: as they were when it came
	order     []process           // as they came
	held      map[process]bool    // whose program was looked at before it was told
	opened    map[uint32]opening  // by stack
	sites     map[uint64]Site     // by number
	fresh     int                 // stacks since the last Trim

	naming   chan struct{} // a place for each stack that is being named
	nameTime time.Duration
}

// opening is what a stack says.
type opening struct {
	number uint64
	call   tcp.Call
}

// New returns a Book that knows nothing yet.
func New(stacks Stacks, look Look) *Book {
	return &Book{
		stacks: stacks, look: look, processes: map[process]Process{}, left: map[uint32]Process{}, held: map[process]bool{},
		opened: map[uint32]opening{}, sites: map[uint64]Site{}, naming: make(chan struct{}, maxNaming), nameTime: nameTime,
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
		b.arrive(&stack)
	}
}

// arrive looks at the process of a stack, and remembers for it what was seen: the process may go on as another program.
func (b *Book) arrive(stack *tcp.Stack) {
	p := b.seen(stack)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh++
	if _, named := b.opened[stack.ID]; !named {
		b.left[stack.ID] = p
	}
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
	b.mu.Lock()
	p, told := b.left[stack.ID]
	b.mu.Unlock()
	if !told {
		p = b.seen(stack)
	}
	if p != nil {
		site.Frames = b.frames(p, symbolStack(stack))
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
	delete(b.left, stack.ID)
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
		delete(b.left, id)
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
