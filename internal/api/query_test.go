package api

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var allParameters = []string{paramFilter, paramBy, paramLimit}

func TestParseQuery(t *testing.T) {
	long := strings.Repeat("x", maxFilter)
	for raw, want := range map[string]query{
		"":                                  {},
		"filter=":                           {},
		"filter=state+close-wait%20and%20x": {filter: "state close-wait and x"},
		"filter=" + long:                    {filter: long},
		"by=comm":                           {by: []string{"comm"}},
		"by=comm,pid&by=remote":             {by: []string{"comm", "pid", "remote"}},
		"by=comm%2Cpid&limit=7":             {by: []string{"comm", "pid"}, limit: 7},
		"limit=10000000":                    {limit: maxLimit},
	} {
		q, err := parseQuery(raw, allParameters)
		if err != nil {
			t.Errorf("%.50q: %v", raw, err)
			continue
		}
		if q.filter != want.filter || !slices.Equal(q.by, want.by) || q.limit != want.limit {
			t.Errorf("%.50q: got %+v, want %+v", raw, *q, want)
		}
	}
}

func TestParseQueryRefuses(t *testing.T) {
	for _, test := range []struct{ raw, parameter, want string }{
		{"fliter=x", "", `unknown parameter "fliter": did you mean "filter"? parameters here are filter, by, limit`},
		{"LIMIT=1", "", `unknown parameter "LIMIT": did you mean "limit"? parameters here are filter, by, limit`},
		{"whatever", "", `unknown parameter "whatever": parameters here are filter, by, limit`},
		{"=x", "", `unknown parameter "": parameters here are filter, by, limit`},
		{"%1b%5b2J=x", "", `unknown parameter "\x1b[2J": parameters here are filter, by, limit`},
		{strings.Repeat("y", 1000) + "=1", "", `unknown parameter "` + strings.Repeat("y", maxName) + `...": parameters here are filter, by, limit`},
		{"filter=a;b", "", "the query cannot be read: write % as %25, & as %26 and ; as %3B in values"},
		{"filter=%zz", "", "the query cannot be read: write % as %25, & as %26 and ; as %3B in values"},
		{"filter=a&filter=b", "filter", "filter is given 2 times: give it once"},
		{"limit=1&limit=1", "limit", "limit is given 2 times: give it once"},
		{"filter=" + strings.Repeat("x", maxFilter+1), "filter", "filter is longer than 4096 bytes"},
		{"filter=%ff", "filter", "filter is not valid UTF-8"},
		{"by=", "by", "by has an empty name: give names, separated by commas"},
		{"by=a,,b", "by", "by has an empty name: give names, separated by commas"},
		{"by=a&by=a", "by", `by has "a" twice: give it once`},
		{"by=a,b,c,d,e,f,g,h,i", "by", "by has more than 8 names"},
		{"by=" + strings.Repeat("x", maxName+1), "by", "by has a name that is longer than 64 bytes or not valid UTF-8"},
		{"by=%ff", "by", "by has a name that is longer than 64 bytes or not valid UTF-8"},
		{"limit=", "limit", "limit must be a number from 1 to 10000000; leave it out for no limit"},
		{"limit=0", "limit", "limit must be a number from 1 to 10000000; leave it out for no limit"},
		{"limit=-1", "limit", "limit must be a number from 1 to 10000000; leave it out for no limit"},
		{"limit=10000001", "limit", "limit must be a number from 1 to 10000000; leave it out for no limit"},
		{"limit=99999999999999999999", "limit", "limit must be a number from 1 to 10000000; leave it out for no limit"},
		{"filter=" + strings.Repeat("x", maxQuery), "", "the query is longer than 16384 bytes"},
	} {
		_, err := parseQuery(test.raw, allParameters)
		var bad *BadRequestError
		if !errors.As(err, &bad) || bad.What != test.want || bad.Parameter != test.parameter {
			t.Errorf("%.50q: got %q, want %q of %q", test.raw, err, test.want, test.parameter)
		}
	}
	if _, err := parseQuery("x=1", nil); err == nil || err.Error() != "there are no parameters here" {
		t.Errorf("got %v", err)
	}
}

// FuzzQuery: what is taken is within bounds and means what the query says; what is refused is refused printably.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "filter=a&by=b,c&limit=3", "by=a&by=b", "filter=%ff", "fliter=1", "a;b", "limit=1e3", "by=,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw, allParameters)
		if err != nil {
			var bad *BadRequestError
			if !errors.As(err, &bad) || bad.What == "" || len(bad.What) > 1000 || strings.ContainsFunc(bad.What, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("%q is refused by %q", raw, err)
			}
			return
		}
		if len(q.filter) > maxFilter || !utf8.ValidString(q.filter) || len(q.by) > maxGroups || q.limit < 0 || q.limit > maxLimit {
			t.Fatalf("%q is taken as %+v", raw, q)
		}
		values, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("%q is taken: %v", raw, err)
		}
		if q.filter != values.Get("filter") || strings.Join(q.by, ",") != strings.Join(values["by"], ",") {
			t.Fatalf("%q is taken as %+v", raw, q)
		}
		for _, name := range q.by {
			if name == "" || len(name) > maxName || strings.Contains(name, ",") {
				t.Fatalf("%q: name %q", raw, name)
			}
		}
	})
}

func TestPrefersArray(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "text/html,*/*;q=0.8": false, "application/x-ndjson": false, "application/*": false,
		"application/json": true, "APPLICATION/JSON": true, "application/json;q=0.5, */*": true,
		"application/json, application/x-ndjson": false, "application/json, application/x-ndjson;q=0.9": true,
		"application/json;q=0": false, "application/json;q=x": false, "application/json;q=NaN": false, "application/json;q=2": false,
		"application/json; charset=utf-8; q=0.4, application/x-ndjson; q=0.3": true, ",;,;q=": false,
	} {
		if got := prefersArray([]string{accept}); got != want {
			t.Errorf("%q: %v", accept, got)
		}
	}
	if !prefersArray([]string{"text/html", "application/json"}) {
		t.Error("the second header is not read")
	}
}

func TestArray(t *testing.T) {
	for lines, want := range map[string]string{
		"":                  "[]\n",
		"\n":                "[]\n",
		"{}\n":              "[{}\n]\n",
		"{}":                "[{}]\n",
		"1\n2\n3\n":         "[1\n,2\n,3\n]\n",
		"\n\n1\n\n\n22\n\n": "[1\n,22\n]\n",
	} {
		for cut := range len(lines) + 1 { // wherever writes are cut
			var b strings.Builder
			a := &array{to: &b}
			for _, part := range []string{lines[:cut], lines[cut:]} {
				if n, err := a.Write([]byte(part)); n != len(part) || err != nil {
					t.Errorf("%q: wrote %d, %v", part, n, err)
				}
			}
			if err := a.close(); err != nil || b.String() != want {
				t.Errorf("%q cut at %d: got %q, want %q", lines, cut, b.String(), want)
			}
		}
	}
}
