package output

import "io"

// flushBytes is how much text waits before it is written without being asked: as much as a pipe holds, so that at full
// speed a system call carries some hundred lines.
const flushBytes = 64 << 10

// sink collects text and writes it in large pieces. The first error of the underlying writer is kept, and nothing is
// written after it.
type sink struct {
	w   io.Writer
	buf []byte
	err error
}

// newSink returns a sink whose buffer does not grow for lines of up to line bytes.
func newSink(w io.Writer, line int) sink {
	return sink{w: w, buf: make([]byte, 0, flushBytes+line)}
}

// added is to be called when a line has come into the buffer: it writes a full one.
func (s *sink) added() error {
	if len(s.buf) < flushBytes {
		return nil
	}
	return s.flush()
}

// flush writes what is in the buffer.
func (s *sink) flush() error {
	if s.err != nil || len(s.buf) == 0 {
		return s.err
	}
	n, err := s.w.Write(s.buf)
	if err == nil && n < len(s.buf) {
		err = io.ErrShortWrite
	}
	s.buf = s.buf[:0]
	s.err = err
	return err
}
