package output

import (
	"slices"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// matrixCell is the width of a column of the matrix: of its heading, and of any number that appendBrief makes.
const matrixCell = 6

// matrixHeads has what stands above the columns of a matrix.
var matrixHeads = [tcp.States + 1]string{
	tcp.Listen: "LISTEN", tcp.SynSent: "SYNSNT", tcp.SynRecv: "SYNRCV", tcp.NewSynRecv: "NEWSYN",
	tcp.Established: "ESTAB", tcp.FinWait1: "FINW1", tcp.FinWait2: "FINW2", tcp.Closing: "CLSING",
	tcp.TimeWait: "TIMEW", tcp.CloseWait: "CLOSEW", tcp.LastAck: "LASTA", tcp.Close: "CLOSE",
}

// appendMatrix appends the transitions of a sample: old states as rows, new ones as columns, a dot for none. A terminal
// that is too narrow for all states gets those that something happened in; one too narrow for these, a line for each
// kind of transition.
func appendMatrix(b []byte, s *LiveSample, o *LiveOptions) []byte {
	rows, columns := lifeCycle[:], lifeCycle[:]
	if o.Width > 0 && matrixWidth(columns) > o.Width {
		rows, columns = s.busy()
	}
	if o.Width > 0 && matrixWidth(columns) > o.Width {
		return appendPairs(b, s, o)
	}
	t := countTable{state: stateWidth, paint: painter(o.Color)}
	if len(columns) == 0 {
		return b
	}
	b = t.label(b, "", "FROM \\ TO")
	for i, to := range columns {
		b = t.matrixCell(b, i, "", matrixHeads[to])
	}
	b = append(b, '\n')
	for _, from := range rows {
		b = t.label(b, "", from.String())
		for i, to := range columns {
			if n := s.Transitions[from][to]; n > 0 {
				b = t.matrixCell(b, i, "", string(appendBrief(nil, n)))
			} else {
				b = t.matrixCell(b, i, dim, ".")
			}
		}
		b = append(b, '\n')
	}
	return b
}

// matrixCell appends a cell, and the space before it but for the first, which has one.
func (t *countTable) matrixCell(b []byte, column int, color, text string) []byte {
	if column > 0 {
		b = append(b, ' ')
	}
	return t.right(b, color, text, matrixCell)
}

// matrixWidth is that of a matrix with these columns.
func matrixWidth(columns []tcp.State) int { return stateWidth + len(columns)*(1+matrixCell) }

// busy returns the old and the new states of the transitions that happened.
func (s *LiveSample) busy() (from, to []tcp.State) {
	var old, next tcp.StateSet
	s.each(func(from, to tcp.State, _ uint64) {
		old |= tcp.SetOf(from)
		next |= tcp.SetOf(to)
	})
	only := func(set tcp.StateSet) []tcp.State {
		return slices.DeleteFunc(slices.Clone(lifeCycle[:]), func(s tcp.State) bool { return !set.Has(s) })
	}
	return only(old), only(next)
}

// appendPairs appends a line for each kind of transition that happened.
func appendPairs(b []byte, s *LiveSample, o *LiveOptions) []byte {
	s.each(func(from, to tcp.State, n uint64) {
		start := len(b)
		b = append(padLeft(appendBrief(b, n), start, matrixCell), from.String()...)
		b = append(append(b, arrowTight...), to.String()...)
		b = append(cut(b, start, o.Width), '\n')
	})
	return b
}
