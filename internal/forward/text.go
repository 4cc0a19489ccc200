package forward

import (
	"bytes"

	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// text makes of a transition the line that trace prints, without the time, which logs have themselves.
type text struct {
	line bytes.Buffer
	out  *output.Writer
}

func newText() *text {
	t := &text{}
	t.out = output.New(&t.line, output.Options{Format: output.Table, Time: output.None})
	return t
}

// of returns a line of ASCII, which the next call overwrites.
func (t *text) of(e *tcp.Event) []byte {
	t.line.Reset()
	_ = t.out.Event(e) // a buffer takes all
	_ = t.out.Flush()
	return bytes.TrimRight(t.line.Bytes(), " \n")
}
