package archive

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	lineSuffix = ".jsonl"
	zstdSuffix = ".zst"
	tempSuffix = ".tmp"
)

// StreamName returns the name of a process's stream: its own name, of which no more is left than what is harmless in a
// file's name, its pid, and when it began.
func StreamName(comm []byte, pid uint32, start string) string {
	var b strings.Builder
	for _, c := range comm {
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '_', c == '+':
			b.WriteByte(c)
		default:
			b.WriteByte('_')
		}
	}
	return fmt.Sprintf("%s-%d-%s", b.String(), pid, start)
}

// Name is what a file's name says.
type Name struct {
	Stream  string
	Number  uint64 // of the files of a stream that are over, in their order; 0: it has none
	Pressed bool   // compressed
}

// IsCurrent says whether more may be written to the file.
func (n *Name) IsCurrent() bool { return n.Number == 0 && !n.Pressed }

// String returns the name of the file.
func (n Name) String() string {
	name := n.Stream + lineSuffix
	if n.Number != 0 {
		name = fmt.Sprintf("%s.%0*d%s", n.Stream, digits, n.Number, lineSuffix)
	}
	if n.Pressed {
		name += zstdSuffix
	}
	return name
}

// ParseName understands STREAM.jsonl, which is current, STREAM.NUMBER.jsonl and STREAM.NUMBER.jsonl.zst, which are over, and
// STREAM.jsonl.zst, which somebody has compressed by hand.
func ParseName(name string) (n Name, ok bool) {
	rest, isPressed := strings.CutSuffix(name, zstdSuffix)
	rest, ok = strings.CutSuffix(rest, lineSuffix)
	if !ok || rest == "" || rest[0] == '.' {
		return Name{}, false
	}
	if at := strings.LastIndexByte(rest, '.'); at > 0 {
		if number, err := strconv.ParseUint(rest[at+1:], 10, 62); err == nil && number > 0 {
			return Name{Stream: rest[:at], Number: number, Pressed: isPressed}, true
		}
	}
	return Name{Stream: rest, Pressed: isPressed}, true
}
