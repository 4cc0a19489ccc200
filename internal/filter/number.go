package filter

import (
	"strconv"
	"strings"
)

// parseDecimal reads plain digits, at most limit. It refuses leading zeros, which ss reads as octal (get_long() in
// iproute2's lib/utils.c) and others do not.
func parseDecimal(text string, limit uint64) (uint64, bool) {
	if len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return n, err == nil && n <= limit
}

// parseCNumber reads a number of so many bits as strtoul() does, and so ss: octal digits after 0, hexadecimal ones after 0x.
func parseCNumber(text string, bits int) (uint64, bool) {
	base := 10
	if digits, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		text, base = digits, 16
	} else if len(text) > 1 && text[0] == '0' {
		base = 8
	}
	n, err := strconv.ParseUint(text, base, bits)
	return n, err == nil
}

// parseNumber reads decimal digits, or hexadecimal ones after 0x, of a number with so many bits. Like parseDecimal it
// refuses octal: it is for what ss has no word for.
func parseNumber(text string, bits int) (uint64, bool) {
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		n, err := strconv.ParseUint(digits, 16, bits)
		return n, err == nil
	}
	if len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, bits)
	return n, err == nil
}

// isNumeric says whether text begins like a number, so that it is meant as one and not as a name.
func isNumeric(text string) bool {
	return text != "" && (text[0] >= '0' && text[0] <= '9' || text[0] == '-')
}

func appendNumber[N uint16 | uint32 | uint64](text []byte, n N) []byte {
	return strconv.AppendUint(text, uint64(n), 10)
}

func appendHex(text []byte, n uint32) []byte {
	return strconv.AppendUint(append(text, "0x"...), uint64(n), 16)
}
