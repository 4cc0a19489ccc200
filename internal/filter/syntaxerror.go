package filter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError is why Parse refuses a text, and where.
type SyntaxError struct {
	Text   string // as given
	Column int    // where it goes wrong, in runes from 1, as a terminal counts
	What   string // the cause and the remedy; one line, printable
}

// Error returns one printable line with the column.
func (e *SyntaxError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.What) }

// How much of a long text Caret shows before and after the column, in runes: it fits on a line of 80.
const (
	shownBefore = 55
	shownAfter  = 20
)

// Caret returns two lines without a final newline: the text made printable, rune by rune, of a long one the part in
// question, and a caret under the column.
func (e *SyntaxError) Caret() string {
	text, at := []rune(printable(e.Text)), e.Column-1
	if at > shownBefore {
		text, at = append([]rune("..."), text[at-shownBefore+3:]...), shownBefore
	}
	if len(text) > at+shownAfter {
		text = append(text[:at+shownAfter-3:at+shownAfter-3], []rune("...")...)
	}
	return string(text) + "\n" + strings.Repeat(" ", at) + "^"
}

// printable replaces what would move the cursor, or nothing at all, by what takes one column.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case isBlank(r):
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return utf8.RuneError
	}, text)
}

// syntaxError points to the byte at offset.
func syntaxError(text string, offset int, format string, args ...any) error {
	return &SyntaxError{
		Text: text, Column: utf8.RuneCountInString(text[:offset]) + 1, What: fmt.Sprintf(format, args...),
	}
}
