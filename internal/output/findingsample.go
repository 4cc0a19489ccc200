package output

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// briefSample is how many sockets a table shows of a finding; Wide shows all that it has.
const briefSample = 3

// sampleTitles are the columns of the sockets of a finding.
var sampleTitles = [...]string{"LOCAL", "REMOTE", "AGE", "FD", "RECV-Q", "SEND-Q"}

// sampleRow is a socket in these columns.
type sampleRow [len(sampleTitles)]string

// sample appends the oldest sockets: as a table where it fits, else in words.
func (w *Findings) sample(p *page, f *leak.Finding) {
	shown := f.Sample
	if w.o.Format != Wide {
		shown = shown[:min(len(shown), briefSample)]
	}
	if len(shown) == 0 {
		return
	}
	rows := make([]sampleRow, 1, 1+len(shown))
	rows[0] = sampleTitles
	for i := range shown {
		rows = append(rows, w.sampleRow(&shown[i]))
	}
	label := "oldest"
	if widths, total := measureRows(rows); p.indent(detailText)+total <= p.width && p.indent(detailText) == detailText {
		for _, row := range rows {
			p.label(label)
			p.put(row.aligned(&widths))
			p.end()
			label = ""
		}
	} else {
		for _, row := range rows[1:] {
			p.detail(label, row.words())
			label = ""
		}
	}
	if rest := f.Count - len(shown); rest > 0 {
		p.detail("", "and "+w.count(uint64(rest))+" more")
	}
}

func (w *Findings) sampleRow(s *leak.Stuck) sampleRow {
	age := ageText(s.Age, s.AtLeast)
	if age == "" {
		age = "-"
	}
	return sampleRow{
		string(appendEndpoint(nil, s.Socket.Local)), string(appendEndpoint(nil, s.Socket.Remote)), age, descriptorText(&s.Socket),
		w.count(uint64(s.Socket.RecvQ)), w.count(uint64(s.Socket.SendQ)),
	}
}

// descriptorText returns the owner's descriptor and how many others there are, or why there is none.
func descriptorText(s *tcp.Socket) string {
	owner, others := ownerHolder(s), len(s.Holders)
	switch note := unheldBrief(s); {
	case owner >= 0 && others > 1:
		return fmt.Sprintf("%d+%d", s.Holders[owner].FD, others-1)
	case owner >= 0:
		return fmt.Sprint(s.Holders[owner].FD)
	case others > 0:
		return fmt.Sprintf("+%d", others)
	case note != "":
		return note
	}
	return "-"
}

// measureRows returns the widths of the columns, and that of a row.
func measureRows(rows []sampleRow) (widths [len(sampleTitles)]int, total int) {
	for i := range rows {
		for c, text := range rows[i] {
			widths[c] = max(widths[c], utf8.RuneCountInString(text))
		}
	}
	for _, width := range widths {
		total += width + 1
	}
	return widths, total - 1
}

// aligned returns the row in columns, the addresses to the left and the numbers to the right.
func (r *sampleRow) aligned(widths *[len(sampleTitles)]int) string {
	var text strings.Builder
	for c, cell := range r {
		if c > 0 {
			text.WriteByte(' ')
		}
		fill := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
		if c < 2 {
			text.WriteString(cell + fill)
		} else {
			text.WriteString(fill + cell)
		}
	}
	return text.String()
}

// words returns the row for a page that is too narrow for columns.
func (r *sampleRow) words() string {
	return fmt.Sprintf("%s to %s, age %s, fd %s, Recv-Q %s, Send-Q %s", r[0], r[1], r[2], r[3], r[4], r[5])
}
