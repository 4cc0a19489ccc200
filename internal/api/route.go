package api

import (
	_ "embed" // openapi.json
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// route is one page. Either extra or serve is set.
type route struct {
	path       string
	what       string   // a line for the index
	parameters []string // that it takes
	slots      slots    // that it needs one of; nil: it costs nothing
	serve      func(w *response, r *http.Request, q *query) error
	extra      http.Handler
}

// Names of parameters.
const (
	paramFilter = "filter"
	paramBy     = "by"
	paramLimit  = "limit"
)

//go:embed openapi.json
var description []byte

// route fills in the routes. There are no patterns: a path is one of these or unknown.
func (a *API) route(extra map[string]http.Handler) error {
	a.routes = []route{
		{path: "/", what: "this page", serve: a.serveIndex},
		{path: "/healthz", what: "whether we are alive", serve: a.serveHealth},
		{path: "/readyz", what: "whether we are attached and the numbers are right", serve: a.serveReady},
		{
			path: "/api/v1/count", what: "sockets per state, or per group",
			parameters: []string{paramFilter, paramBy}, slots: a.requests, serve: a.serveCount,
		},
		{
			path: "/api/v1/list", what: "the sockets of now, a JSON object each",
			parameters: []string{paramFilter, paramLimit}, slots: a.requests, serve: a.serveList,
		},
		{
			path: "/api/v1/findings", what: "what is stuck, whose it is, and why",
			parameters: []string{paramFilter}, slots: a.requests, serve: a.serveFindings,
		},
		{
			path: pathEvents, what: "transitions as they happen, as server-sent events",
			parameters: []string{paramFilter}, slots: a.streams, serve: a.serveEvents,
		},
		{path: "/api/v1/openapi.json", what: "the description of all this", serve: a.serveDescription},
	}
	own := len(a.routes)
	for _, path := range slices.Sorted(maps.Keys(extra)) {
		a.routes = append(a.routes, route{path: path, extra: extra[path]})
	}
	for i := range a.routes {
		r := &a.routes[i]
		if i >= own && (!strings.HasPrefix(r.path, "/") || r.extra == nil || a.byPath[r.path] != nil) {
			return fmt.Errorf("mount %q: it must be a path of its own, begin with a slash, and have a handler", r.path)
		}
		a.byPath[r.path] = r
	}
	a.index = makeIndex(a.routes)
	return nil
}

// makeIndex writes a page that needs nothing, as its Content-Security-Policy allows nothing.
func makeIndex(routes []route) []byte {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>tcptrail</title></head>\n<body>\n")
	b.WriteString("<h1>tcptrail</h1>\n<ul>\n")
	for _, r := range routes {
		path := html.EscapeString(r.path)
		fmt.Fprintf(&b, "<li><a href=\"%s\">%s</a>", path, path)
		if r.what != "" {
			fmt.Fprintf(&b, ": %s", r.what)
		}
		if len(r.parameters) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Join(r.parameters, ", "))
		}
		b.WriteString("</li>\n")
	}
	b.WriteString("</ul>\n</body>\n</html>\n")
	return []byte(b.String())
}
