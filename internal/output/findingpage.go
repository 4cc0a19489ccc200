package output

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

const (
	// defaultWidth is that of text which goes to no terminal: whoever reads it later has about so much.
	defaultWidth = 100
	// leastWidth is what a page needs for a level and a word beside it.
	leastWidth = 20
	// leastText is how many columns of text must be left beside an indentation; a deeper one is made less.
	leastText = 2 * leastWidth
)

// page is text that is broken into lines at a width. It takes printable text without line feeds, one column a character.
type page struct {
	b      []byte
	width  int
	column int
}

// newPage returns a page that goes on after b, which ends with a line.
func newPage(b []byte, width int) *page {
	if width <= 0 {
		width = defaultWidth
	}
	return &page{b: b, width: max(width, leastWidth)}
}

// indent returns how far a line can be indented so that there is room beside it.
func (p *page) indent(columns int) int { return min(columns, max(p.width-leastText, p.width/10)) }

// start begins a line at an indentation.
func (p *page) start(indent int) {
	p.end()
	p.pad(indent)
}

// end ends the line if there is one, without the spaces at its end.
func (p *page) end() {
	if p.column > 0 {
		p.b, p.column = append(bytes.TrimRight(p.b, " "), '\n'), 0
	}
}

// pad appends spaces up to a column.
func (p *page) pad(column int) {
	for p.column < column {
		p.b = append(p.b, ' ')
		p.column++
	}
}

// put appends text as it is.
func (p *page) put(text string) {
	p.b = append(p.b, text...)
	p.column += utf8.RuneCountInString(text)
}

// words appends text, its lines after the first indented. A word that is longer than a line is broken.
func (p *page) words(text string, hanging int) {
	hanging = p.indent(hanging)
	for i, word := range wordsOf(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case i > 0 && p.column+1+length <= p.width:
			p.put(" ")
		case i > 0 || p.column+length > p.width && p.column > hanging:
			p.start(hanging)
		}
		for p.column+length > p.width {
			head, tail := splitAt(word, p.width-p.column)
			p.put(head)
			p.start(hanging)
			word, length = tail, length-utf8.RuneCountInString(head)
		}
		p.put(word)
	}
}

// wordsOf splits text at spaces; strings.Fields would split numbers at their thin spaces, too.
func wordsOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' })
}

// splitAt splits text behind n characters.
func splitAt(text string, n int) (head, tail string) {
	for i := range text {
		if n == 0 {
			return text[:i], text[i:]
		}
		n--
	}
	return text, ""
}

// command appends a command of ASCII for a shell. It is broken so that pasting it does the same: between words, with a
// backslash at the end of the line; and where no word ends in time, within one, the next line not indented, and quotes
// closed before and opened behind.
func (p *page) command(text string, hanging int) {
	hanging = p.indent(hanging)
	for len(text) > p.width-p.column {
		n, quote, between := lineBreak(text, p.width-p.column)
		p.put(text[:n])
		if between {
			p.put("\\")
			text = text[n:]
			if next := wordLength(text) + len(` \`); hanging+next > p.width && next <= p.width {
				p.end() // whole, for the price of the indentation
			} else {
				p.start(hanging)
			}
			continue
		}
		p.put(quote + "\\")
		p.end()
		text = quote + text[n:]
	}
	p.put(text)
}

// wordLength returns the length of the first word of a command, quotes and what is in them included.
func wordLength(text string) int {
	open := rune(0)
	for i, c := range text {
		switch {
		case open == 0 && c == ' ':
			return i
		case open == 0 && (c == '\'' || c == '"'):
			open = c
		case c == open:
			open = 0
		}
	}
	return len(text)
}

// lineBreak returns how much of a command goes into a line of that many columns with what has to follow there, the quote
// that is open then, and whether that is between words. Inside a word it breaks behind a space if it can.
func lineBreak(text string, columns int) (n int, quote string, between bool) {
	open := byte(0)
	inside, spaced := 1, 1
	var quoteInside, quoteSpaced string
	for i := 0; i < columns-2 && i < len(text); i++ {
		c := text[i]
		switch {
		case open == 0 && (c == '\'' || c == '"'):
			open = c
		case c == open:
			open = 0
		}
		quote := ""
		if open != 0 {
			quote = string(open)
		}
		switch {
		case c == '\\': // what it is for must not be torn from it
		case c == ' ' && open == 0:
			n = i + 1
		case c == ' ':
			spaced, quoteSpaced = i+1, quote
		default:
			inside, quoteInside = i+1, quote
		}
	}
	switch {
	case n > 0:
		return n, "", true
	case spaced > columns/2:
		return spaced, quoteSpaced, false
	}
	return inside, quoteInside, false
}
