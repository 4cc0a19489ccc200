package symbolize

import (
	"encoding/binary"
	"slices"
)

// call is an address of a stack.
type call struct {
	pc    uint64
	guess bool
}

// calls returns the addresses of a stack that are code, with the callers that have no place in the chain of frame pointers.
//
// A C library's wrapper of a system call has no frame, so that the chain, which begins in the wrapper's caller, has that
// caller's caller first. At the stack pointer is where the wrapper returns to, unless it has pushed something: then it is
// a little above. Some wrappers call others.
func (i *Image) calls(s Stack) []call {
	var calls []call
	for n, pc := range s.PCs {
		if pc == 0 {
			break
		}
		if n > 0 && find(i.maps, pc-1) == nil {
			break // a frame pointer that was none: code that is compiled without them
		}
		calls = append(calls, call{pc: pc})
	}
	if len(calls) == 0 {
		return nil
	}
	return slices.Insert(calls, 1, i.frameless(s.Words, calls)...)
}

// frameless returns the calls among the words at the stack pointer, up to the first outside the C library, and not beyond
// the chain of frame pointers.
func (i *Image) frameless(words []uint64, chain []call) (calls []call) {
	for n, word := range words {
		if len(chain) > 1 && word == chain[1].pc {
			break
		}
		jit := i.jit[word-1] != "" // of which the code is not known
		if !jit && !i.isReturnAddress(word) {
			continue
		}
		calls = append(calls, call{word, jit || n > 0})
		if frames := i.frames(word, word-1); frames[len(frames)-1].Kind != KindSystem {
			break
		}
	}
	return calls
}

// isReturnAddress says whether a call stands before an address.
func (i *Image) isReturnAddress(pc uint64) bool {
	m := find(i.maps, pc-1)
	if pc == 0 || m == nil || !m.isFile() {
		return false
	}
	mod := i.modules[moduleID{m.dev, m.inode}]
	if mod == nil {
		return false
	}
	before := mod.code(pc-m.start+m.offset, longestCall)
	if mod.isARM() {
		return endsWithBL(before)
	}
	return endsWithCall(before)
}

// longestCall is how many bytes a call takes at most: without prefixes of no use, CALL with SIB and 32 bits of displacement.
const longestCall = 7

// endsWithCall says whether code of amd64 ends with a CALL (Intel SDM volume 2, CALL: E8 and FF /2).
func endsWithCall(code []byte) bool {
	n := len(code)
	if n >= 5 && code[n-5] == 0xe8 {
		return true
	}
	for size := 2; size <= longestCall && size <= n; size++ {
		if code[n-size] == 0xff && code[n-size+1]>>3&7 == 2 && callSize(code[n-size+1:]) == size {
			return true
		}
	}
	return false
}

// callSize returns how many bytes FF /2 takes with the operand that begins with a ModRM byte; 0 if that is not known.
func callSize(operand []byte) int {
	mod, rm := operand[0]>>6, operand[0]&7
	size := 2
	if mod != 3 && rm == 4 { // SIB
		if len(operand) < 2 {
			return 0
		}
		size++
		if mod == 0 && operand[1]&7 == 5 {
			size += 4
		}
	}
	switch {
	case mod == 0 && rm == 5, mod == 2:
		size += 4
	case mod == 1:
		size++
	}
	return size
}

// endsWithBL says whether code of arm64 ends with BL or BLR (Arm ARM C6.2).
func endsWithBL(code []byte) bool {
	if len(code) < 4 {
		return false
	}
	word := binary.LittleEndian.Uint32(code[len(code)-4:])
	return word>>26 == 0x25 || word&0xfffffc1f == 0xd63f0000
}
