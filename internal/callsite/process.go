package callsite

import (
	"slices"
	"time"

	"github.com/tcptrail/tcptrail/internal/symbolize"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

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

// begin looks at a process that runs a new program: what was known of it was another one's.
func (b *Book) begin(stack *tcp.Stack) {
	key := processOf(stack)
	b.mu.Lock()
	held := b.held[key]
	delete(b.held, key)
	b.mu.Unlock()
	if held {
		return
	}
	b.forget(key)
	b.process(stack)
}

func symbolStack(s *tcp.Stack) symbolize.Stack {
	return symbolize.Stack{PCs: s.PCs, Words: s.Words, Program: s.Program}
}

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

// seen returns what is known of a process for a stack, and nil if that is nothing.
func (b *Book) seen(stack *tcp.Stack) Process {
	for range seenTries {
		p := b.process(stack)
		if p == nil {
			return nil
		}
		if part, ok := p.Learn(symbolStack(stack)); ok {
			return part
		}
		b.forget(processOf(stack))
	}
	return nil
}

// forget makes the next look at a process a new one.
func (b *Book) forget(key process) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.processes[key]; known {
		delete(b.processes, key)
		b.order = slices.DeleteFunc(b.order, func(k process) bool { return k == key })
	}
}

// frames names the frames of a stack; none if that takes too long, or others take that long.
func (b *Book) frames(p Process, stack symbolize.Stack) []symbolize.Frame {
	select {
	case b.naming <- struct{}{}:
	default:
		return nil
	}
	named := make(chan []symbolize.Frame, 1)
	go func() {
		frames := p.Frames(stack)
		<-b.naming // first: whoever has these may ask for the next at once
		named <- frames
	}()
	timer := time.NewTimer(b.nameTime)
	defer timer.Stop()
	select {
	case frames := <-named:
		return frames
	case <-timer.C:
		return nil
	}
}
