package output

import (
	"bytes"
	"math"
	"net/netip"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// holderIndent is what a holder's line begins with.
const holderIndent = "    "

// listTable writes sockets for eyes: as a table, or with all that is known and no limit to its width.
type listTable struct {
	natural  listLayout // wide enough for all that was seen
	layout   listLayout // natural, made to fit the terminal
	note     int        // widest note in the place of an owner
	width    int        // of the terminal; 0 for none
	wide     bool
	measured bool
	holders  bool
	paint    painter
	labels   *labels
	text     [maxEndpoint + maxService]byte
}

func newListTable(o *ListOptions, l *labels) listTable {
	t := listTable{width: o.Width, wide: o.Format == Wide, holders: o.Holders, paint: painter(o.Color), labels: l}
	if t.wide {
		t.width = 0
	}
	t.natural = newListLayout(t.columns(), true)
	t.layout = t.natural.fitted(t.width)
	return t
}

// columns is how many there are.
func (t *listTable) columns() listColumn {
	if t.wide {
		return listColumns
	}
	return listVia + 1
}

// measureAll makes the columns what these sockets need.
func (t *listTable) measureAll(sockets []*tcp.Socket) {
	t.natural, t.note, t.measured = newListLayout(t.columns(), false), 0, true
	var scratch []byte
	for _, s := range sockets {
		scratch, _ = t.measure(scratch, s)
	}
	t.layout = t.natural.fitted(t.width)
}

// grow widens the columns for one socket, unless all were measured.
func (t *listTable) grow(s *tcp.Socket) {
	if t.measured {
		return
	}
	var scratch [256]byte
	if _, grown := t.measure(scratch[:0], s); grown {
		t.layout = t.natural.fitted(t.width)
	}
}

// measure widens the columns that a socket does not fit and says whether there are any. It returns scratch for more.
func (t *listTable) measure(scratch []byte, s *tcp.Socket) (_ []byte, grown bool) {
	widths := &t.natural.widths
	for c := range t.columns() {
		if c == listCgroup {
			continue // comes last and is not padded
		}
		scratch = t.cell(scratch[:0], s, c, math.MaxInt)
		grown = grow(&widths[c], len(scratch)) || grown
	}
	if note := unheld(s); note != "" {
		if s.PID == 0 {
			t.note = max(t.note, len("()")+len(note))
		} else if len(s.Holders) == 0 {
			grown = grow(&widths[listFD], len(unheldBrief(s))) || grown // where it stands without VIA
		}
	}
	return scratch, grow(&widths[listComm], t.note-widths[listPID]-1) || grown
}

// header appends the names of the columns as they now are.
func (t *listTable) header(b []byte) []byte {
	for c := range t.columns() {
		if width := t.layout.widths[c]; width > 0 {
			name := listTitles[c].name
			b = t.pad(append(b, name[:min(width, len(name))]...), c, len(b))
		}
	}
	return append(bytes.TrimRight(b, " "), '\n')
}

// pad ends the cell of a column, which began at start.
func (t *listTable) pad(b []byte, c listColumn, start int) []byte {
	width := t.layout.widths[c]
	if listTitles[c].right {
		return padLeft(b, start, width)
	}
	// An ellipsis takes one column and three bytes.
	return padRight(b, start, width+len(b)-start-utf8.RuneCount(b[start:]))
}

// row appends one socket, and its holders if they are asked for.
func (t *listTable) row(b []byte, s *tcp.Socket) []byte {
	for c := range t.columns() {
		width := t.layout.widths[c]
		switch {
		case width == 0:
		case s.PID == 0 && c == listPID && unheld(s) != "":
			b = t.unowned(b, s)
		case s.PID == 0 && c == listComm && unheld(s) != "":
		case c == listState:
			b = t.state(b, s)
		case c == listLocal || c == listRemote:
			b = t.pad(t.cell(b, s, c, width), c, len(b))
		case t.wide && c == listCgroup:
			b = t.cell(b, s, c, width)
		default:
			b = t.pad(cut(t.cell(b, s, c, width), len(b), width), c, len(b))
		}
	}
	b = append(bytes.TrimRight(b, " "), '\n')
	if t.holders {
		return t.holderRows(b, s)
	}
	return b
}

// state appends the first column, in its color.
func (t *listTable) state(b []byte, s *tcp.Socket) []byte {
	width := t.layout.widths[listState]
	color := socketColor(s)
	if !t.paint || color == "" {
		return padRight(cut(t.cell(b, s, listState, width), len(b), width), len(b), width)
	}
	b = append(b, color...)
	start := len(b)
	b = cut(t.cell(b, s, listState, width), start, width)
	length := len(b) - start
	b = append(b, plain...)
	return padRight(b, len(b)-length, width)
}

// unowned appends, over the columns of PID and COMM, why nobody owns a socket.
func (t *listTable) unowned(b []byte, s *tcp.Socket) []byte {
	width := t.layout.widths[listPID]
	if comm := t.layout.widths[listComm]; comm > 0 {
		width += 1 + comm
	}
	note := unheld(s)
	if len(note)+len("()") > width {
		note = unheldBrief(s)
	}
	if t.paint {
		b = append(b, dim...)
	}
	start := len(b)
	b = cut(append(append(append(b, '('), note...), ')'), start, width)
	length := len(b) - start
	if t.paint {
		b = append(b, plain...)
	}
	return padRight(b, len(b)-length, width)
}

// holderRows appends a line for each holder, unless the row has said all.
func (t *listTable) holderRows(b []byte, s *tcp.Socket) []byte {
	if len(s.Holders) == 1 && s.Holders[0].PID == s.PID {
		return b
	}
	for i := range s.Holders {
		h := &s.Holders[i]
		start := len(b)
		b = append(b, holderIndent...)
		b = padLeft(appendUint(b, uint64(h.PID)), len(b), t.natural.widths[listPID])
		b = padRight(appendPrintable(b, h.Comm.Bytes()), len(b), commStart)
		b = appendUint(append(b, "fd "...), uint64(h.FD))
		if t.width > 0 {
			b = cut(b, start, t.width)
		}
		b = append(bytes.TrimRight(b, " "), '\n')
	}
	return b
}

// socketColor returns the color of a socket's state.
func socketColor(s *tcp.Socket) string {
	if s.Zombie {
		return red
	}
	return stateColor(s.State)
}

// endpoint appends an address and a port, with the port's name if there is room for it.
func (t *listTable) endpoint(b []byte, a netip.AddrPort, width int, portOnly bool) []byte {
	text := appendEndpoint(t.text[:0], a)
	if service := t.labels.names.service(a.Port()); service != "" && a.Addr().IsValid() {
		named := append(text[:len(text)-len(portPart(text))+1], service...)
		if portOnly {
			named = portPart(named)
		}
		if len(named) <= width {
			return append(b, named...)
		}
		text = appendEndpoint(t.text[:0], a)
	}
	if portOnly && a.Addr().IsValid() {
		text = portPart(text)
	}
	if len(text) > width {
		return appendShortened(b, text, width)
	}
	return append(b, text...)
}
