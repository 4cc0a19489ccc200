package output

import (
	"strconv"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Lines makes the lines that a Writer writes as JSON, for who keeps them elsewhere. It is not safe for concurrent use.
type Lines struct{ writer Writer }

// NewLines returns a Lines.
func NewLines() *Lines {
	return &Lines{Writer{format: JSON, utc: newSecond(time.UTC, jsonSecond, ""), json: newJSONWords()}}
}

// Append appends one transition as one JSON object and a line feed.
func (l *Lines) Append(b []byte, e *tcp.Event) []byte {
	return l.writer.appendJSON(reserve(b, maxRow), e)
}

// Errno returns the number of an error that JSON names, as 104 for ECONNRESET.
func Errno(name string) (errno uint16, ok bool) {
	for n := range errnoNames {
		if name != "" && errnoNames[n] == name {
			return uint16(n), true
		}
	}
	digits, ok := strings.CutPrefix(name, "E")
	n, err := strconv.ParseUint(digits, 10, 16)
	return uint16(n), ok && err == nil && n != 0
}
