package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// How long parameters may be.
const (
	maxQuery  = 16 << 10 // bytes, escaped: a filter of which every byte is, and the rest
	maxFilter = 4 << 10  // bytes; by far more than a person writes
	maxGroups = 8        // names in by
	maxName   = 64       // bytes of a name in by, and of a parameter's that we show
	maxLimit  = 10_000_000
)

// query is what is asked for.
type query struct {
	filter string
	by     []string
	limit  int // 0: none
}

// parseQuery reads the part of a URL after the question mark. Its errors are *BadRequestError.
func parseQuery(raw string, allowed []string) (*query, error) {
	if len(raw) > maxQuery {
		return nil, badRequest("", "the query is longer than %d bytes", maxQuery)
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badRequest("", "the query cannot be read: write %% as %%25, & as %%26 and ; as %%3B in values")
	}
	q := &query{}
	for name, given := range values {
		if !slices.Contains(allowed, name) {
			return nil, unknownParameter(name, allowed)
		}
		if name != paramBy && len(given) > 1 {
			return nil, badRequest(name, "%s is given %d times: give it once", name, len(given))
		}
	}
	if q.filter, err = parseFilter(values.Get(paramFilter)); err != nil {
		return nil, err
	}
	if q.by, err = parseGroups(values[paramBy]); err != nil {
		return nil, err
	}
	if values.Has(paramLimit) {
		q.limit, err = parseLimit(values.Get(paramLimit))
	}
	return q, err
}

func parseFilter(text string) (string, error) {
	switch {
	case len(text) > maxFilter:
		return "", badRequest(paramFilter, "filter is longer than %d bytes", maxFilter)
	case !utf8.ValidString(text):
		return "", badRequest(paramFilter, "filter is not valid UTF-8")
	}
	return text, nil
}

// parseGroups takes names apart that are separated by commas, by repetition or both.
func parseGroups(given []string) ([]string, error) {
	if len(given) == 0 {
		return nil, nil
	}
	joined := strings.Join(given, ",")
	if strings.Count(joined, ",") >= maxGroups {
		return nil, badRequest(paramBy, "by has more than %d names", maxGroups)
	}
	names := strings.Split(joined, ",")
	for i, name := range names {
		switch {
		case name == "":
			return nil, badRequest(paramBy, "by has an empty name: give names, separated by commas")
		case len(name) > maxName || !utf8.ValidString(name):
			return nil, badRequest(paramBy, "by has a name that is longer than %d bytes or not valid UTF-8", maxName)
		case slices.Contains(names[:i], name):
			return nil, badRequest(paramBy, "by has %q twice: give it once", name)
		}
	}
	return names, nil
}

func parseLimit(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || n > maxLimit {
		return 0, badRequest(paramLimit, "limit must be a number from 1 to %d; leave it out for no limit", maxLimit)
	}
	return int(n), nil
}

func badRequest(parameter, format string, args ...any) error {
	return &BadRequestError{Parameter: parameter, What: fmt.Sprintf(format, args...)}
}

// unknownParameter names the one that was meant, as far as can be told, and those that there are.
func unknownParameter(name string, allowed []string) error {
	if len(allowed) == 0 {
		return badRequest("", "there are no parameters here")
	}
	shown := name
	if len(shown) > maxName {
		shown = shown[:maxName] + "..."
	}
	hint := ""
	if near := nearest(name, allowed); near != "" {
		hint = fmt.Sprintf(" did you mean %q?", near)
	}
	return badRequest("", "unknown parameter %q:%s parameters here are %s", shown, hint, strings.Join(allowed, ", "))
}

// nearest returns the word that a mistyped one was likely to be: one with the least letters to add, to take away and to
// replace, if half of it is right. It returns "" if there is none.
func nearest(text string, words []string) string {
	best, least := "", len(text)
	if len(text) > maxName {
		return best
	}
	for _, word := range words {
		if n := mistakes(strings.ToLower(text), word); n < least && n <= len(word)/2 {
			best, least = word, n
		}
	}
	return best
}

// mistakes is the Levenshtein distance of two short words.
func mistakes(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
