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

// parseName tells the current files of streams from those that are over, which have numbers.
func parseName(name string) (stream string, number uint64, isOver, isPressed, ok bool) {
	rest, isPressed := strings.CutSuffix(name, zstdSuffix)
	rest, ok = strings.CutSuffix(rest, lineSuffix)
	if !ok || rest == "" || rest[0] == '.' {
		return "", 0, false, false, false
	}
	if at := strings.LastIndexByte(rest, '.'); at > 0 {
		if n, err := strconv.ParseUint(rest[at+1:], 10, 62); err == nil {
			return rest[:at], n, true, isPressed, true
		}
	}
	return rest, 0, false, isPressed, !isPressed
}
