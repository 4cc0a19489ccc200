package filter

import "strconv"

// parseDecimal reads plain digits, at most limit. It refuses leading zeros, which ss reads as octal (get_long() in
// iproute2's lib/utils.c) and others do not.
func parseDecimal(text string, limit uint64) (uint64, bool) {
	if len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return n, err == nil && n <= limit
}
