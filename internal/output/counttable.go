package output

import (
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const (
	stateWidth = len("NEW_SYN_RECV")
	countStart = len("COUNT")
	// barLeast and barMost limit the longest bar: with fewer columns it tells nothing, with more nothing new.
	barLeast, barMost = 8, 50
)

// countTable is where the columns of a table of counts are.
type countTable struct {
	state int
	count int
	bar   int    // columns of the longest bar; 0 for none
	most  uint64 // what the longest bar stands for
	paint painter
}

// newCountTable returns a table for counts on a terminal of that width; 0 is none, and has no bars.
func newCountTable(c *tcp.Counts, width int, p painter) countTable {
	t := countTable{state: stateWidth, count: max(countStart, digits64(c.Total())), most: c.Zombies, paint: p}
	for _, n := range c.States {
		t.most = max(t.most, n)
	}
	if width > 0 {
		if bar := width - t.state - t.count - 2; bar >= barLeast {
			t.bar = min(bar, barMost)
		}
		t.state = min(t.state, max(width-t.count-1, 1))
	}
	return t
}

// digits64 returns how many decimal digits v has.
func digits64(v uint64) int {
	var text [maxUint]byte
	return len(appendUint(text[:0], v))
}

func appendCountTable(b []byte, c *tcp.Counts, o *CountOptions) []byte {
	t := newCountTable(c, o.Width, painter(o.Color))
	if o.Header {
		b = append(t.right(t.label(b, "", "STATE"), "", "COUNT", t.count), '\n')
	}
	for _, state := range lifeCycle {
		b = t.row(b, stateColor(state), state.String(), c.States[state])
	}
	b = t.row(b, red, zombieName, c.Zombies)
	t.bar = 0
	return t.row(b, "", totalName, c.Total())
}

// row appends a name, its number and its bar; all dim when there is none.
func (t *countTable) row(b []byte, color, name string, n uint64) []byte {
	b, color = t.counted(b, color, name, n)
	if t.bar > 0 && n > 0 {
		b = t.paint.paint(append(b, ' '), color, string(appendBar(nil, n, t.most, t.bar)))
	}
	return append(b, '\n')
}

// counted appends a name and its number, and returns the color of what belongs to them.
func (t *countTable) counted(b []byte, color, name string, n uint64) (_ []byte, used string) {
	number := ""
	if n == 0 {
		color, number = dim, dim
	}
	b = t.label(b, color, name)
	return t.right(b, number, string(appendUint(nil, n)), t.count), color
}

// label appends the first cell of a line, and the space after it.
func (t *countTable) label(b []byte, color, name string) []byte {
	text := string(cut([]byte(name), 0, t.state))
	b = t.paint.paint(b, color, text)
	return padRight(b, len(b)-len(text), t.state)
}

// right appends a text at the right of a column.
func (t *countTable) right(b []byte, color, text string, width int) []byte {
	for range width - len(text) {
		b = append(b, ' ')
	}
	return t.paint.paint(b, color, text)
}

// bars has the blocks that fill one to eight eighths of a column.
var bars = [...]string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"}

// appendBar appends a bar for n, where most has room columns. Anything but nothing shows.
func appendBar(b []byte, n, most uint64, room int) []byte {
	eighths := max(int(float64(n)/float64(most)*float64(room)*8), 1)
	for range eighths / 8 {
		b = append(b, bars[8]...)
	}
	return append(b, bars[eighths%8]...)
}
