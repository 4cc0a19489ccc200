package output

import (
	"io"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// CountOptions says how counts are written. The zero value is a table without header or color, and without bars.
type CountOptions struct {
	Format Format // Wide is as Table
	Header bool   // a line that names the columns; JSON has none
	Color  bool   // color Table with ANSI sequences
	Width  int    // columns of the terminal, which no line of Table exceeds; 0 when it is none
}

// lifeCycle has the states in the order in which a connection goes through them: first the opening, then the side that
// closes first, then the other.
var lifeCycle = [tcp.States]tcp.State{
	tcp.Listen, tcp.SynSent, tcp.SynRecv, tcp.NewSynRecv, tcp.Established, tcp.FinWait1, tcp.FinWait2, tcp.Closing,
	tcp.TimeWait, tcp.CloseWait, tcp.LastAck, tcp.Close,
}

// What stands beside the states.
const (
	zombieName = "ZOMBIE"
	totalName  = "TOTAL"
)

// WriteCounts writes how many sockets are in each state, in one piece. A table has a line for each of the twelve
// states, for zombies and for all together. JSON is one object and CSV one record, with
//
//	time                 string  at, RFC 3339 in UTC with nine decimals
//	event                string  "count"
//	LISTEN … CLOSE       number  sockets in the state, for all twelve in the kernel's spelling, in the order of lifeCycle
//	ZOMBIE               number  sockets in CLOSE after a connection with a descriptor still open; CLOSE counts the others
//	total                number  all of them
//
// at is ns since 1970. The error is that of w.
func WriteCounts(w io.Writer, c *tcp.Counts, at int64, o CountOptions) error {
	var b []byte
	switch o.Format {
	case JSON:
		b = appendJSONStart(b, at, "count")
		b = append(appendJSONCounts(b, c), '}', '\n')
	case CSV:
		if o.Header {
			b = append(appendCSVStates(append(b, "time,event"...)), '\n')
		}
		b = append(appendRFC3339(b, at), ",count"...)
		b = append(appendCSVCounts(b, c), '\n')
	default:
		b = appendCountTable(b, c, &o)
	}
	out := sink{w: w, buf: b}
	return out.flush()
}

// appendJSONStart appends the two fields that every object begins with.
func appendJSONStart(b []byte, at int64, event string) []byte {
	b = appendRFC3339(append(b, `{"time":"`...), at)
	return append(append(append(b, `","event":"`...), event...), '"')
}

// appendJSONCounts appends the fields of all states, ZOMBIE and total.
func appendJSONCounts(b []byte, c *tcp.Counts) []byte {
	for _, state := range lifeCycle {
		b = append(append(append(b, `,"`...), state.String()...), `":`...)
		b = appendUint(b, c.States[state])
	}
	b = appendUint(append(b, `,"`+zombieName+`":`...), c.Zombies)
	return appendUint(append(b, `,"total":`...), c.Total())
}

// appendCSVStates appends the names of what appendCSVCounts appends, each with a comma before it.
func appendCSVStates(b []byte) []byte {
	for _, state := range lifeCycle {
		b = append(append(b, ','), state.String()...)
	}
	return append(b, ","+zombieName+",total"...)
}

func appendCSVCounts(b []byte, c *tcp.Counts) []byte {
	for _, state := range lifeCycle {
		b = appendUint(append(b, ','), c.States[state])
	}
	b = appendUint(append(b, ','), c.Zombies)
	return appendUint(append(b, ','), c.Total())
}
