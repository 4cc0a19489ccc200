package metrics

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxLabel is how many bytes a label's value may have: a pod's cgroup path has 170.
	maxLabel = 256
	// ellipsis stands for what was cut.
	ellipsis = "…"
)

// label makes text fit to be a label's value: at most maxLabel bytes of UTF-8. Characters that steer a terminal, break a
// line or turn its direction come out as \u and their number, and what is not UTF-8 as U+FFFD. Of what is too long the
// middle is left out: paths that begin alike end differently. Different texts may become the same value.
func label(text string) string {
	if len(text) <= maxLabel && isPlain(text) {
		return text
	}
	if len(text) > 2*maxLabel { // however long, no more than this is looked at
		text = text[:maxLabel] + text[len(text)-maxLabel:]
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return shortened(b.String())
}

// shortened leaves out the middle of valid UTF-8 that is longer than maxLabel.
func shortened(text string) string {
	if len(text) <= maxLabel {
		return text
	}
	const half = (maxLabel - len(ellipsis)) / 2
	begin, end := half, len(text)-half
	for !utf8.RuneStart(text[begin]) {
		begin--
	}
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end++
	}
	return text[:begin] + ellipsis + text[end:]
}

// isPlain says whether text can stay as it is.
func isPlain(text string) bool {
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return utf8.ValidString(text)
}
