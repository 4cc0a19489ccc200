package filter

import "cmp"

// comparison is an operator between a field and a value.
type comparison uint8

const (
	equal comparison = iota
	notEqual
	less
	lessEqual
	greater
	greaterEqual
)

// comparisonNames has each as it is printed, and then ss's other names for it (iproute2, misc/ssfilter.y).
var comparisonNames = [...][]string{
	equal:        {"=", "==", "eq"},
	notEqual:     {"!=", "ne", "neq"},
	less:         {"<", "lt"},
	lessEqual:    {"<=", "le", "leq"},
	greater:      {">", "gt"},
	greaterEqual: {">=", "ge", "geq"},
}

// String returns the symbol.
func (c comparison) String() string { return comparisonNames[c][0] }

// isOrder says whether the operator asks for more than equality.
func (c comparison) isOrder() bool { return c >= less }

// holds compares a field's value with the one written.
func holds[N cmp.Ordered](c comparison, field, value N) bool {
	switch c {
	case equal:
		return field == value
	case notEqual:
		return field != value
	case less:
		return field < value
	case lessEqual:
		return field <= value
	case greater:
		return field > value
	}
	return field >= value
}

// appendComparison starts a term's text: its word and its operator, with blanks after both.
func appendComparison(text []byte, word string, c comparison) []byte {
	text = append(append(text, word...), ' ')
	return append(append(text, c.String()...), ' ')
}
