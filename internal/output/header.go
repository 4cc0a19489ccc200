package output

// The header's words for a transition. A reason only ever follows CLOSE, and REASON stands above it.
const (
	changeLoose = "OLD         -> NEW"
	changeTight = "OLD->NEW"
	titleReason = "REASON"
	reasonGap   = len("CLOSE") - len("NEW")
)

// header appends the names of the columns as they now are.
func (t *table) header(b []byte) []byte {
	start := len(b)
	b = t.headTitles(b)
	l := &t.layout
	if l.tight {
		b = append(b, changeTight+" "+titleReason...)
	} else {
		b = append(b, changeLoose...)
		b = append(padRight(b, len(b), reasonGap), titleReason...)
	}
	if t.width > 0 {
		b = b[:min(len(b), start+t.width)]
	}
	return append(b, '\n')
}

// headTitles appends the names of the columns before the transition.
func (t *table) headTitles(b []byte) []byte {
	l := &t.layout
	for _, column := range [...]struct {
		width int
		right bool
		name  string
	}{
		{l.time(), false, "TIME"},
		{l.pid, true, "PID"},
		{l.comm, false, "COMM"},
		{l.via, false, "VIA"},
		{l.local, false, "LOCAL"},
		{l.remote, false, "REMOTE"},
		{l.inOld, true, "IN-OLD"},
	} {
		switch {
		case column.width == 0:
		case column.right:
			b = padLeft(append(b, column.name...), len(b), column.width)
		default:
			b = padRight(append(b, column.name...), len(b), column.width)
		}
	}
	return b
}
