package output

import (
	"bytes"
	"fmt"
	"io"
)

// The sequences of ECMA-48 that a redrawn display needs beside its colors.
const (
	cursorHome = "\x1b[H"
	clearToEnd = "\x1b[K" // of the line
	clearBelow = "\x1b[J" // the rest of the screen
)

// appendScreen appends a block of lines so that it replaces what a terminal shows, and does not flicker. Of a block that
// is higher than the terminal, by its number of lines or 0 when that is unknown, the end is left out, and the last line
// that is shown says so.
func appendScreen(b, block []byte, height int) []byte {
	b = append(b, cursorHome...)
	total := bytes.Count(block, []byte("\n"))
	room := total
	if height > 0 && total >= height { // the last line is left to the cursor: a line feed there would scroll
		room = max(height-2, 0)
	}
	shown := 0
	for line := range bytes.Lines(block) {
		if shown == room {
			break
		}
		shown++
		b = append(append(b, bytes.TrimSuffix(line, []byte("\n"))...), clearToEnd+"\n"...)
	}
	if hidden := total - shown; hidden > 0 && height > 1 {
		b = append(fmt.Appendf(b, "(%d more lines)", hidden), clearToEnd+"\n"...)
	}
	return append(b, clearBelow...)
}

// Screen shows one block of lines after the other in the same place. What comes between two calls of Show is a block.
type Screen struct {
	w      io.Writer
	height int
	block  []byte
	buf    []byte
}

// NewScreen returns a Screen on a terminal of so many lines; 0 is unknown.
func NewScreen(w io.Writer, height int) *Screen { return &Screen{w: w, height: height} }

// Resize says that the terminal has so many lines now.
func (s *Screen) Resize(height int) { s.height = height }

// Write adds to the block.
func (s *Screen) Write(b []byte) (int, error) {
	s.block = append(s.block, b...)
	return len(b), nil
}

// Show replaces what is on the terminal by the block, in one piece, and begins a new one.
func (s *Screen) Show() error {
	s.buf = appendScreen(s.buf[:0], s.block, s.height)
	s.block = s.block[:0]
	_, err := s.w.Write(s.buf)
	return err
}
