package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// ErrNoStack is returned for a number that no stack has, or has any more.
var ErrNoStack = errors.New("no such stack")

const (
	// maxStacks is MAX_STACKS of bpf/stack.h.
	maxStacks = 16384
	// fullStacks is how many make it time to look which nobody needs: room for a burst is left.
	fullStacks = maxStacks * 3 / 4
)

// Stacks are the user stacks from which sockets were opened since the tracer began. Next is for one goroutine, all else
// for another.
type Stacks struct {
	stacks *ebpf.Map
	fresh  *ringbuf.Reader
	record ringbuf.Record
}

func openStacks(maps *requiredMaps) (*Stacks, error) {
	fresh, err := ringbuf.NewReader(maps.FreshStacks)
	if err != nil {
		return nil, fmt.Errorf("open ring of new stacks: %w", err)
	}
	return &Stacks{stacks: maps.Stacks, fresh: fresh}, nil
}

// Next waits for a stack that no socket had before. Its process may end at any moment: whoever wants to know what the
// addresses are must look now. Of a family (see Options) it tells each program that begins, too, for which it may be too
// late then: as a stack without an ID and addresses. It returns ErrStopped when the tracer was stopped and there are no more.
func (s *Stacks) Next() (tcp.Stack, error) {
	for {
		err := s.fresh.ReadInto(&s.record)
		switch {
		case errors.Is(err, ringbuf.ErrFlushed), errors.Is(err, ringbuf.ErrClosed):
			return tcp.Stack{}, ErrStopped
		case err != nil:
			return tcp.Stack{}, fmt.Errorf("read new stacks: %w", err)
		case len(s.record.RawSample) == int(unsafe.Sizeof(bpfNewProgram{})):
			return decodeProgram(s.record.RawSample), nil
		case len(s.record.RawSample) < 4:
			continue
		}
		stack, err := s.Lookup(binary.NativeEndian.Uint32(s.record.RawSample))
		if !errors.Is(err, ErrNoStack) {
			return stack, err
		}
	}
}

// Lookup returns the stack with a number, or ErrNoStack.
func (s *Stacks) Lookup(id uint32) (tcp.Stack, error) {
	var raw bpfStack
	err := s.stacks.Lookup(id, &raw)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return tcp.Stack{}, ErrNoStack
	}
	if err != nil {
		return tcp.Stack{}, fmt.Errorf("look stack %d up: %w", id, err)
	}
	return decodeStack(id, &raw), nil
}

// decodeProgram decodes a struct new_program.
func decodeProgram(b []byte) tcp.Stack {
	var raw bpfNewProgram
	if _, err := binary.Decode(b, binary.NativeEndian, &raw); err != nil {
		return tcp.Stack{}
	}
	return tcp.Stack{PID: raw.Pid, Started: time.Duration(raw.StartedNs)}
}

func decodeStack(id uint32, raw *bpfStack) tcp.Stack {
	depth := min(int(raw.Depth), len(raw.Frames))
	return tcp.Stack{
		ID: id, PID: raw.Pid, Started: time.Duration(raw.StartedNs), Program: raw.Program, Used: int64(raw.UsedNs), Call: tcp.Call(raw.Call),
		PCs: raw.Frames[:depth:depth], Words: raw.Words[:],
	}
}

// Trim makes room, when it is scarce, by taking out the stacks that nobody needs: those that no socket has opened from
// since the given time (CLOCK_MONOTONIC) and for which needed says no. It returns which those are.
func (s *Stacks) Trim(since int64, needed func(id uint32) bool) (gone []uint32, err error) {
	var (
		id    uint32
		raw   bpfStack
		count int
	)
	for i := s.stacks.Iterate(); ; count++ {
		if !i.Next(&id, &raw) {
			err = i.Err()
			break
		}
		if int64(raw.UsedNs) < since && !needed(id) {
			gone = append(gone, id)
		}
	}
	if errors.Is(err, ebpf.ErrIterationAborted) {
		err = nil // others came and went: the next time sees the rest
	}
	if err != nil {
		return nil, fmt.Errorf("look at all stacks: %w", err)
	}
	if count < fullStacks {
		return nil, nil
	}
	for _, id := range gone {
		if err := s.stacks.Delete(id); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil, fmt.Errorf("forget stack %d: %w", id, err)
		}
	}
	return gone, nil
}

// stop lets Next return what there is, and then ErrStopped.
func (s *Stacks) stop() error {
	if s == nil {
		return nil
	}
	return s.fresh.Flush()
}

func (s *Stacks) close() error {
	if s == nil {
		return nil
	}
	return s.fresh.Close()
}
