package output

import (
	"io"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// maxRow is more than the longest line of any format, so that the buffer never grows; a fuzz test holds it.
const maxRow = 1 << 10

// Options says how transitions are written. The zero value is a table without header or color, as wide as it needs.
type Options struct {
	Format   Format
	Time     TimeStyle
	Header   bool           // a line that names the columns, before the first row; JSON has none
	Color    bool           // color Table and Wide with ANSI sequences
	Width    int            // columns of the terminal, which a row of Table never exceeds; 0 when it is none
	Location *time.Location // zone of Clock and Full; nil means time.Local
}

// Writer writes transitions, one a line. It collects them in a buffer that it reuses, and allocates nothing once it has
// begun. It is not safe for concurrent use.
type Writer struct {
	sink
	format Format
	utc    second // for JSON and CSV, with what a line has before it
	json   *jsonWords
	table  table
	wide   wide
}

// New returns a Writer to w. It writes nothing yet: the header waits in the buffer with the first rows.
func New(w io.Writer, o Options) *Writer {
	if o.Location == nil {
		o.Location = time.Local
	}
	out := &Writer{sink: newSink(w, maxRow), format: o.Format}
	switch o.Format {
	case JSON:
		out.utc = newSecond(time.UTC, jsonSecond, "")
		out.json = newJSONWords()
	case CSV:
		out.utc = newSecond(time.UTC, secondUTC, "")
	case Wide:
		out.wide = newWide(o)
	default:
		out.table = newTable(o)
	}
	if o.Header {
		out.header()
	}
	return out
}

func (w *Writer) header() {
	switch w.format {
	case JSON:
	case CSV:
		w.buf = appendCSVHeader(w.buf)
	case Wide:
		w.buf = w.wide.header(w.buf)
	default:
		w.buf = w.table.header(w.buf)
	}
}

// Event adds one transition, which it does not keep. It writes only when the buffer is full; call Flush for the
// rest. The first error of the underlying writer is kept: it is returned by the call that met it and by every later
// one, and nothing is written any more.
func (w *Writer) Event(e *tcp.Event) error {
	if w.err != nil {
		return w.err
	}
	switch w.format {
	case JSON:
		w.buf = w.appendJSON(w.buf, e)
	case CSV:
		w.buf = w.appendCSV(w.buf, e)
	case Wide:
		w.buf = w.wide.row(w.buf, e)
	default:
		w.buf = w.table.row(w.buf, e)
	}
	return w.added()
}

// Flush writes what is in the buffer. Errors are as with Event.
func (w *Writer) Flush() error { return w.flush() }
