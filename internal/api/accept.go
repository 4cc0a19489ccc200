package api

import (
	"strconv"
	"strings"
)

// prefersArray says whether a client names JSON, and likes it better than lines of JSON, by its Accept headers. Ranges
// such as */* name neither.
func prefersArray(accept []string) bool {
	var array, lines float64
	for _, header := range accept {
		for item := range strings.SplitSeq(header, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case typeJSON:
				array = max(array, quality(parameters))
			case typeLines:
				lines = max(lines, quality(parameters))
			}
		}
	}
	return array > lines
}

// quality returns the weight among parameters; 1 if there is none, and 0 if it cannot be read.
func quality(parameters string) float64 {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !(q >= 0 && q <= 1) {
				return 0
			}
			return q
		}
	}
	return 1
}
