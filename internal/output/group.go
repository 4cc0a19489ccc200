package output

import (
	"io"
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Column is something that sockets are grouped by.
type Column struct {
	Name   string // in JSON and CSV, as "remote_addr"; not "time", "event", "count", "total" or "oldest_…"
	Number bool   // its values stand at the right, and in JSON without quotes
}

// Group is the sockets that are alike in all columns.
type Group struct {
	Values []string // one for each column; "" when unknown; need not be printable
	Count  uint64
	Oldest tcp.Age // of those in the group
}

// WriteGroups writes how many sockets are alike, a line for each group in the order given. total is how many sockets
// were counted, in the groups written or not; a terminal gets the share that each group has of it. A line of JSON or CSV
// has
//
//	time                 string  at, RFC 3339 in UTC with nine decimals
//	event                string  "group"
//	the columns          string  or number; null when unknown
//	count                number  sockets in the group
//	total                number  sockets in all
//	oldest_ms            number  age of the oldest; null when it is not known exactly
//	oldest_at_least_ms   number  it is no younger
//	oldest_at_most_ms    number  it is no older
//	oldest_source        string  where that comes from
//
// at is ns since 1970. The error is that of w; nothing is written after it.
func WriteGroups(w io.Writer, columns []Column, groups []Group, total uint64, at int64, o CountOptions) error {
	out := newSink(w, maxRow)
	table := groupTable{}
	switch o.Format {
	case JSON:
	case CSV:
		if o.Header {
			out.buf = appendGroupCSVHeader(out.buf, columns)
		}
	default:
		table = newGroupTable(columns, groups, total, &o)
		if o.Header {
			out.buf = table.header(out.buf)
		}
	}
	for i := range groups {
		switch o.Format {
		case JSON:
			out.buf = appendGroupJSON(out.buf, columns, &groups[i], total, at)
		case CSV:
			out.buf = appendGroupCSV(out.buf, columns, &groups[i], total, at)
		default:
			out.buf = table.row(out.buf, &groups[i])
		}
		if err := out.added(); err != nil {
			return err
		}
	}
	return out.flush()
}

// value returns what a group has in a column, "" when unknown.
func (g *Group) value(column int) string {
	if column >= len(g.Values) {
		return ""
	}
	return g.Values[column]
}

func appendGroupJSON(b []byte, columns []Column, g *Group, total uint64, at int64) []byte {
	b = appendJSONStart(b, at, "group")
	for i := range columns {
		b = append(append(append(b, `,"`...), columns[i].Name...), `":`...)
		if value := g.value(i); columns[i].Number && isNumber(value) {
			b = append(b, value...)
		} else {
			b = appendJSONText(b, value)
		}
	}
	b = appendUint(append(b, `,"count":`...), g.Count)
	b = appendUint(append(b, `,"total":`...), total)
	return append(appendJSONAge(b, "oldest", g.Oldest), '}', '\n')
}

// isNumber says whether JSON takes text for a number: digits, the first of several not zero.
func isNumber(text string) bool {
	if text == "" || text[0] == '0' && len(text) > 1 {
		return false
	}
	return strings.Trim(text, "0123456789") == ""
}

func appendGroupCSVHeader(b []byte, columns []Column) []byte {
	b = append(b, "time,event,"...)
	for i := range columns {
		b = append(append(b, columns[i].Name...), ',')
	}
	return append(b, "count,total,oldest_ms,oldest_at_least_ms,oldest_at_most_ms,oldest_source\n"...)
}

func appendGroupCSV(b []byte, columns []Column, g *Group, total uint64, at int64) []byte {
	b = append(appendRFC3339(b, at), ",group,"...)
	for i := range columns {
		b = append(appendCSVText(b, []byte(g.value(i))), ',')
	}
	b = append(appendUint(b, g.Count), ',')
	b = append(appendUint(b, total), ',')
	return append(appendCSVAge(b, g.Oldest), '\n')
}
