package output

import (
	"math"
	"strconv"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// The widths of a live table's columns beyond a table of counts.
const (
	changeColumn = len("+12345")
	rateColumn   = len("12345")
)

// liveTable is where the columns of a live table are; one of width 0 is left out.
type liveTable struct {
	countTable
	change int
	in     int
	out    int
}

func newLiveTable(s *LiveSample, o *LiveOptions) liveTable {
	t := liveTable{change: changeColumn, in: rateColumn, out: rateColumn}
	t.countTable = newCountTable(&s.Counts, o.Width, painter(o.Color))
	for _, column := range [...]*int{&t.out, &t.in, &t.change} {
		if o.Width > 0 && t.width() > o.Width {
			*column = 0
		}
	}
	return t
}

// width is that of a line.
func (t *liveTable) width() int {
	sum := t.state + 1 + t.count
	for _, width := range [...]int{t.change, t.in, t.out} {
		if width > 0 {
			sum += 1 + width
		}
	}
	return sum
}

// table appends the block of one sample.
func (l *Live) table(b []byte, s *LiveSample) []byte {
	t := newLiveTable(s, &l.o)
	b = l.words(b, liveHead(s, l.o.Location))
	if l.o.Header {
		b = t.right(t.label(b, "", "STATE"), "", "COUNT", t.count)
		b = append(t.more(b, "CHANGE", "IN/S", "OUT/S"), '\n')
	}
	for _, state := range lifeCycle {
		b, _ = t.counted(b, stateColor(state), state.String(), s.Counts.States[state])
		in, out := rates(s, state)
		b = append(t.more(b, l.changed(s.Counts.States[state], l.before.States[state]), in, out), '\n')
	}
	b, _ = t.counted(b, red, zombieName, s.Counts.Zombies)
	b = append(t.more(b, l.changed(s.Counts.Zombies, l.before.Zombies), "-", "-"), '\n')
	b, _ = t.counted(b, "", totalName, s.Counts.Total())
	b = append(t.more(b, l.changed(s.Counts.Total(), l.before.Total()), "", ""), '\n')
	b = l.words(b, liveFoot(s))
	if l.o.Matrix {
		b = appendMatrix(b, s, &l.o)
	}
	return b
}

// more appends the cells after a count.
func (t *liveTable) more(b []byte, change, in, out string) []byte {
	for _, cell := range [...]struct {
		width int
		text  string
	}{{t.change, change}, {t.in, in}, {t.out, out}} {
		if cell.width == 0 || cell.text == "" {
			continue
		}
		color := ""
		if cell.text == "0" || cell.text == "-" {
			color = dim
		}
		b = t.right(append(b, ' '), color, cell.text, cell.width)
	}
	return b
}

// changed returns by how many sockets there are more, - when there is no sample before.
func (l *Live) changed(now, before uint64) string {
	switch {
	case !l.began:
		return "-"
	case now > before:
		return "+" + string(appendBrief(nil, now-before))
	case now < before:
		return "-" + string(appendBrief(nil, before-now))
	}
	return "0"
}

// flow returns how many sockets came into a state, and how many left it. A socket that stays where it is does neither;
// a listener whose child is born, which is what LISTEN to SYN_RECV says, does not leave.
func flow(s *LiveSample, state tcp.State) (in, out uint64) {
	for _, other := range lifeCycle {
		if other == state {
			continue
		}
		in += s.Transitions[other][state]
		if state != tcp.Listen || other != tcp.SynRecv {
			out += s.Transitions[state][other]
		}
	}
	return in, out
}

// rates returns how many sockets came into a state and left it a second. No transition tells of minisocks and requests,
// so none of them is no sign that nothing happened.
func rates(s *LiveSample, state tcp.State) (in, out string) {
	came, left := flow(s, state)
	if (state == tcp.TimeWait || state == tcp.NewSynRecv) && came+left == 0 {
		return "-", "-"
	}
	return rate(came, s.Elapsed), rate(left, s.Elapsed)
}

// rate returns n a second, - when no time has gone by.
func rate(n uint64, elapsed time.Duration) string {
	if elapsed <= 0 {
		return "-"
	}
	perSecond := float64(n) / elapsed.Seconds()
	switch {
	case n == 0:
		return "0"
	case perSecond < 0.1:
		return "<0.1"
	case perSecond < 100:
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	}
	return string(appendBrief(nil, uint64(min(perSecond+0.5, 1e15))))
}

// liveHead returns what stands above a table.
func liveHead(s *LiveSample, location *time.Location) []string {
	second, _ := splitSecond(s.Time)
	words := []string{time.Unix(second, 0).In(location).Format(liveSeconds)}
	if s.Elapsed > 0 {
		words = append(words, "interval "+string(appendDuration(nil, s.Elapsed)))
	}
	if s.Reconciled {
		words = append(words, "reconciled")
	}
	return words
}

// liveFoot returns what stands below a table.
func liveFoot(s *LiveSample) []string {
	var sum uint64
	s.each(func(_, _ tcp.State, n uint64) { sum += n })
	words := []string{"transitions/s " + rate(sum, s.Elapsed), "drift " + strconv.FormatUint(s.Drift, 10)}
	if s.Missed > 0 {
		words = append(words, "missed "+strconv.FormatUint(s.Missed, 10))
	}
	if s.Lost > 0 {
		words = append(words, "lost "+strconv.FormatUint(s.Lost, 10))
	}
	return words
}

// words appends words with commas between them, and begins a new line where the terminal ends.
func (l *Live) words(b []byte, words []string) []byte {
	room := math.MaxInt
	if l.o.Width > 0 {
		room = max(l.o.Width-len(","), 1)
	}
	used := 0
	for i, word := range words {
		word = word[:min(len(word), room)]
		switch {
		case i == 0:
		case used+len(", ")+len(word) > room:
			b, used = append(b, ",\n"...), 0
		default:
			b, used = append(b, ", "...), used+len(", ")
		}
		b, used = append(b, word...), used+len(word)
	}
	return append(b, '\n')
}
