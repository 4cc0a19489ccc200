package alert

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ellipsis ends what was cut.
const ellipsis = "…"

// plain returns text for one line of at most limit bytes: characters that steer a terminal, break a line or turn its
// direction come out as \u and their number, and what is not UTF-8 as U+FFFD. A limit below four bytes is four.
func plain(text string, limit int) string { return cleaned(text, limit, false) }

// plainLines does the same, but leaves line feeds alone.
func plainLines(text string, limit int) string { return cleaned(text, limit, true) }

func cleaned(text string, limit int, lines bool) string {
	limit = max(limit, len(ellipsis)+1)
	if len(text) <= limit && isPlain(text, lines) {
		return text
	}
	var b strings.Builder
	end := 0 // the last place to cut at that leaves room for the ellipsis
	for _, r := range text {
		switch {
		case lines && r == '\n', unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		if b.Len() <= limit-len(ellipsis) {
			end = b.Len()
		}
		if b.Len() > limit {
			return b.String()[:end] + ellipsis
		}
	}
	return b.String()
}

// isPlain says whether there is nothing to clean.
func isPlain(text string, lines bool) bool {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			return false
		}
		if !unicode.IsPrint(r) && (!lines || r != '\n') {
			return false
		}
	}
	return true
}

// word returns a name in which all but ASCII letters, digits and underscores are underscores, which does not begin with a
// digit, and has at most limit bytes.
func word(name string, limit int) string {
	b := make([]byte, 0, len(name)+1)
	for i := 0; i < len(name) && len(b) < limit; i++ {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
			b = append(b, c)
		case '0' <= c && c <= '9':
			if i == 0 {
				b = append(b, '_')
			}
			b = append(b, c)
		default:
			b = append(b, '_')
		}
	}
	if len(b) > limit {
		b = b[:limit]
	}
	return string(b)
}
