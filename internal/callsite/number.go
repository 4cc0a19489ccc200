package callsite

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/tcptrail/tcptrail/internal/symbolize"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// headline returns the index of the frame that the programmer looks for, 0 without any.
func headline(frames []symbolize.Frame) int {
	best, ok := symbolize.Headline(frames)
	if !ok {
		return 0
	}
	for i := range frames {
		if frames[i] == best {
			return i
		}
	}
	return 0
}

// bare returns the frames of a process that nobody could look at: addresses alone.
func bare(stack *tcp.Stack) []symbolize.Frame {
	frames := make([]symbolize.Frame, len(stack.PCs))
	for i, pc := range stack.PCs {
		frames[i].PC = pc
	}
	return frames
}

// numberOf returns a number for the place: the same in every process that runs the program, and never 0. Of a place that
// is an address alone, it is the process's.
func numberOf(s *Site, pid uint32) uint64 {
	f := &s.Frames[s.Place]
	h := fnv.New64a()
	var number [8]byte
	add := func(n uint64) {
		binary.LittleEndian.PutUint64(number[:], n)
		_, _ = h.Write(number[:])
	}
	for _, text := range []string{f.Function, f.File, f.Module} {
		add(uint64(len(text)))
		_, _ = h.Write([]byte(text))
	}
	add(uint64(s.Call))
	switch {
	case f.Function != "" && f.Line > 0:
		add(uint64(f.Line))
	case f.Module != "":
		add(f.Offset)
	default:
		add(f.PC)
		add(uint64(pid))
	}
	return max(h.Sum64(), 1)
}
