package output

import (
	"io"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// maxListRow is more than most lines of a listing; the buffer grows for sockets with many holders.
const maxListRow = 4 << 10

// ListOptions says how sockets are written. The zero value is a table without header or color, as wide as it needs.
type ListOptions struct {
	Format  Format
	Header  bool // a line that names the columns; JSON has none
	Color   bool // color Table and Wide with ANSI sequences
	Width   int  // columns of the terminal, which no line of Table exceeds; 0 when it is none
	Holders bool // in Table and Wide, a line for each holder, unless it is the owner alone; JSON and CSV always have them
	Names   HostNames
	Time    int64 // of the snapshot, wall clock, ns since 1970: the time of every line of JSON and CSV
}

// List writes sockets, one a line. It collects them in a buffer that it reuses, and allocates nothing for a socket once
// it has met its namespace and cgroup. It is not safe for concurrent use.
type List struct {
	sink
	format Format
	header bool   // still to come
	begin  []byte // of a line of JSON or CSV
	labels labels
	table  listTable
}

// NewList returns a List to w. It writes nothing yet: the header waits for the first socket, or for Flush.
func NewList(w io.Writer, o ListOptions) *List {
	l := &List{sink: newSink(w, maxListRow), format: o.Format, header: o.Header, labels: newLabels(&o)}
	switch o.Format {
	case JSON:
		l.begin = append(appendRFC3339(append(l.begin, `{"time":"`...), o.Time), `","event":"socket","cookie":`...)
	case CSV:
		l.begin = append(appendRFC3339(nil, o.Time), ",socket,"...)
	default:
		l.table = newListTable(&o, &l.labels)
	}
	return l
}

// Measure makes the columns of Table and Wide as narrow as these sockets allow; without it they begin at usual widths and
// grow. Call it before the first Socket, with all that will come.
func (l *List) Measure(sockets []*tcp.Socket) {
	if l.format == JSON || l.format == CSV {
		return
	}
	l.table.measureAll(sockets)
}

// Socket adds one socket, which it does not keep. It writes only when the buffer is full; call Flush for the rest. The
// first error of the underlying writer is kept: it is returned by the call that met it and by every later one, and
// nothing is written any more.
func (l *List) Socket(s *tcp.Socket) error {
	if l.err != nil {
		return l.err
	}
	switch l.format {
	case JSON:
		l.buf = l.appendJSON(l.buf, s)
	case CSV:
		l.head()
		l.buf = l.appendCSV(l.buf, s)
	default:
		l.table.grow(s)
		l.head()
		l.buf = l.table.row(l.buf, s)
	}
	return l.added()
}

// head adds the header if it is still to come.
func (l *List) head() {
	if !l.header {
		return
	}
	l.header = false
	switch l.format {
	case JSON:
	case CSV:
		l.buf = appendListCSVHeader(l.buf)
	default:
		l.buf = l.table.header(l.buf)
	}
}

// Flush writes what is in the buffer, and the header even when no socket came. Errors are as with Socket.
func (l *List) Flush() error {
	l.head()
	return l.flush()
}
