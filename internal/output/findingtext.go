package output

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/leak"
)

// levelColumns is the widest level with the spaces after it.
const levelColumns = len("CRITICAL") + 2

// when returns a time of the wall clock.
func (w *Findings) when(at int64) string {
	number, _ := splitSecond(at)
	return time.Unix(number, 0).In(w.o.Location).Format(liveSeconds)
}

// appendReport appends what is going on.
func (w *Findings) appendReport(b []byte, findings []*leak.Finding, at int64) []byte {
	p := newPage(b, w.o.Width)
	p.words(w.when(at)+" "+w.total(findings), levelColumns)
	p.end()
	for _, f := range findings {
		p.b = append(p.b, '\n')
		word, color := levelWord(f)
		p.b = painter(w.o.Color).paint(p.b, color, word)
		p.column = len(word)
		p.pad(p.indent(levelColumns))
		if p.column == len(word) {
			p.pad(len(word) + 1)
		}
		p.words(w.headline(f), levelColumns)
		p.end()
		w.details(p, f)
	}
	return p.b
}

// total says what a report is about.
func (w *Findings) total(findings []*leak.Finding) string {
	if len(findings) == 0 {
		limits := strings.ReplaceAll(w.o.Limits.String(), ",", ", ")
		if limits == "" {
			return "nothing found: no limit is set"
		}
		return "nothing found: no socket has been for longer in " + limits
	}
	sockets, left := 0, true
	for _, f := range findings {
		sockets += f.Count
		left = left && isGone(f)
	}
	about := w.counted(len(findings), "finding") + " about "
	if left {
		return about + w.counted(sockets, "socket") + " left open or closed late"
	}
	return about + w.counted(sockets, "stuck socket")
}

// isGone says whether the sockets of a finding that is not over are no more.
func isGone(f *leak.Finding) bool { return f.Status == leak.Left || f.Status == leak.Overdue }

// headline says who has how many sockets in which state, for how long, and why.
func (w *Findings) headline(f *leak.Finding) string {
	var text strings.Builder
	if f.Status == leak.Escalated {
		text.WriteString("escalated: ")
	}
	text.WriteString(w.owner(&f.Key) + " " + verb(f) + " " + w.sockets(f))
	if age := ageText(f.Oldest, f.AtLeast); age != "" {
		text.WriteString(", oldest " + age)
		if f.Status.IsOver() {
			text.WriteString(" when last seen")
		}
	}
	if rate := rateText(&f.Growth); rate != "" && !f.Status.IsOver() {
		text.WriteString(" (" + rate + ")")
	}
	text.WriteString(": " + briefCause(f))
	return text.String()
}

// verb says what a process does to its sockets: those that wait for accept() it does not hold.
func verb(f *leak.Finding) string {
	switch held := f.Signs.Has(leak.SignHeld); {
	case f.Status == leak.Left:
		return "left"
	case f.Status == leak.Overdue:
		return "closed late"
	case f.Status.IsOver() && held:
		return "held"
	case f.Status.IsOver():
		return "had"
	case held:
		return "holds"
	}
	return "has"
}

func (w *Findings) sockets(f *leak.Finding) string {
	if f.Key.Condition == leak.Zombie {
		return w.counted(f.Count, "zombie")
	}
	return w.counted(f.Count, "socket") + " in " + f.Key.Condition.String()
}

// appendNews appends one line.
func (w *Findings) appendNews(b []byte, f *leak.Finding, at int64) []byte {
	word, color := levelWord(f)
	parts := []string{w.headline(f), w.where(f)}
	if !f.Status.IsOver() {
		parts = append(parts, w.certainty(f), w.descriptors(f))
	}
	if site := w.callSite(f); site != "" {
		parts = append(parts, "opened at "+site)
	}
	parts = append(parts, "finding "+printableText(f.ID))
	if f.Into != "" {
		parts = append(parts, "goes on in finding "+printableText(f.Into))
	}
	var text strings.Builder
	for _, part := range parts {
		if part != "" && text.Len() > 0 {
			text.WriteString("; ")
		}
		text.WriteString(part)
	}
	line := strings.TrimRight(text.String(), " ")
	before := w.when(at) + " "
	if w.o.Width > 0 {
		room := max(w.o.Width, leastWidth) - len(before) - len(word) - 1
		if room < 1 { // a terminal that narrow shows the level alone
			before, room = "", max(w.o.Width, leastWidth)-len(word)-1
		}
		line = shortened(line, room)
	}
	b = painter(w.o.Color).paint(append(b, before...), color, word)
	return append(append(append(b, ' '), line...), '\n')
}

// shortened cuts text to so many columns, at least one.
func shortened(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	head, _ := splitAt(text, columns-1)
	return strings.TrimRight(head, " ") + ellipsis
}
