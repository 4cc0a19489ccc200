package output

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	shareTitle  = "SHARE"
	oldestTitle = "OLDEST"
	// valueLeast is how far a value is cut before whole columns go.
	valueLeast = 8
	// valueMost is how much of a value is shown at all: a cgroup's path, which its user chooses, may have 4,095 bytes,
	// and every row would be as long. JSON and CSV have all of it.
	valueMost = 100
)

// groupTable writes groups for eyes.
type groupTable struct {
	columns []Column
	values  []int // how wide the columns are
	count   int
	share   int // 0 when it is left out
	oldest  int // likewise
	total   uint64
	paint   painter
}

func newGroupTable(columns []Column, groups []Group, total uint64, o *CountOptions) groupTable {
	t := groupTable{
		columns: columns, values: make([]int, len(columns)), count: countStart, oldest: len(oldestTitle), total: total,
		paint: painter(o.Color),
	}
	for i := range columns {
		t.values[i] = len(groupTitle(&columns[i]))
	}
	var scratch []byte
	for g := range groups {
		grow(&t.count, digits64(groups[g].Count))
		for i := range columns {
			grow(&t.values[i], min(len(groups[g].value(i)), valueMost))
		}
		scratch = appendAge(scratch[:0], groups[g].Oldest)
		grow(&t.oldest, len(scratch))
	}
	if o.Width > 0 {
		t.share = len(shareTitle)
		t.fit(o.Width)
	}
	return t
}

// groupTitle returns the name of a column in a table, as REMOTE-ADDR.
func groupTitle(c *Column) string { return strings.ToUpper(strings.ReplaceAll(c.Name, "_", "-")) }

// width is that of a row.
func (t *groupTable) width() int {
	sum := t.count
	for _, width := range t.values {
		sum += min(width, 1) + width
	}
	return sum + min(t.share, 1) + t.share + min(t.oldest, 1) + t.oldest
}

// fit makes rows as narrow as the terminal: the widest values are cut, and columns left out when much would be lost.
func (t *groupTable) fit(width int) {
	if t.least() > width {
		t.share = 0
	}
	if t.least() > width {
		t.oldest = 0
	}
	for t.width() > width {
		widest := 0
		for i := range t.values {
			if t.values[i] > t.values[widest] {
				widest = i
			}
		}
		if len(t.values) == 0 || t.values[widest] <= 1 {
			break
		}
		t.values[widest]--
	}
	for i := len(t.values) - 1; i >= 0 && t.width() > width; i-- {
		t.values[i] = 0
	}
}

// least is the width of a row with its values cut as far as they may be while there are other columns to leave out.
func (t *groupTable) least() int {
	narrow := *t
	narrow.values = slices.Clone(t.values)
	for i := range narrow.values {
		narrow.values[i] = min(narrow.values[i], valueLeast)
	}
	return narrow.width()
}

func (t *groupTable) header(b []byte) []byte {
	b = padLeft(append(b, "COUNT"...), len(b), t.count)
	if t.share > 0 {
		b = padLeft(append(b, shareTitle...), len(b), t.share)
	}
	for i := range t.columns {
		b = t.value(b, i, groupTitle(&t.columns[i]))
	}
	if t.oldest > 0 {
		b = padLeft(append(b, oldestTitle...), len(b), t.oldest)
	}
	return append(bytes.TrimRight(b, " "), '\n')
}

func (t *groupTable) row(b []byte, g *Group) []byte {
	b = padLeft(appendUint(b, g.Count), len(b), t.count)
	if t.share > 0 {
		if t.paint {
			b = append(b, dim...)
		}
		b = padLeft(appendShare(b, g.Count, t.total), len(b), t.share)
		if t.paint {
			b = append(b[:len(b)-1], plain+" "...)
		}
	}
	for i := range t.columns {
		b = t.value(b, i, g.value(i))
	}
	if t.oldest > 0 {
		b = padLeft(appendAge(b, g.Oldest), len(b), t.oldest)
	}
	return append(bytes.TrimRight(b, " "), '\n')
}

// appendShare appends n as a part of total in percent, rounded; - when there is nothing to have a part of.
func appendShare(b []byte, n, total uint64) []byte {
	if total == 0 {
		return append(b, '-')
	}
	percent := float64(min(n, total)) / float64(total) * 100
	if n > 0 && percent < 1 {
		return append(b, "<1%"...)
	}
	return append(appendUint(b, uint64(percent+0.5)), '%')
}

// value appends the cell of a column.
func (t *groupTable) value(b []byte, column int, text string) []byte {
	width := t.values[column]
	switch {
	case width == 0:
		return b
	case text == "":
		text = "-"
	}
	start := len(b)
	if len(text) > width {
		b = appendMiddleCut(b, text, width)
	} else {
		b = appendPrintable(b, []byte(text))
	}
	if t.columns[column].Number {
		return padLeft(b, start, width)
	}
	// An ellipsis takes one column and three bytes.
	return padRight(b, start, width+len(b)-start-utf8.RuneCount(b[start:]))
}

// appendMiddleCut appends the two ends of a text in exactly width columns, which are too few for it: addresses and paths
// differ at either.
func appendMiddleCut(b []byte, text string, width int) []byte {
	head := (width - 1) / 2
	b = append(appendPrintable(b, []byte(text[:head])), ellipsis...)
	return appendPrintable(b, []byte(text[len(text)-(width-1-head):]))
}
