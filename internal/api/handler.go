package api

import (
	"errors"
	"net/http"
	"runtime/debug"
	"time"
)

// ServeHTTP answers a request. Whatever happens inside is answered or breaks the connection off, and ends nothing else.
func (a *API) ServeHTTP(raw http.ResponseWriter, r *http.Request) {
	a.running.Add(1)
	defer a.running.Add(-1)
	w := &response{ResponseWriter: raw, control: http.NewResponseController(raw), timeout: a.writeTimeout}
	defer a.recover(w)
	w.extend()
	defer w.extend() // for what net/http sends when we have returned
	protect(w.Header())
	if !a.admit(w, r) {
		return
	}
	route := a.byPath[r.URL.Path]
	if route == nil {
		w.refuse(http.StatusNotFound, problem{Error: "no such page: / lists those that there are"}, 0)
		return
	}
	w.path = route.path
	if route.extra != nil {
		route.extra.ServeHTTP(w, r)
		return
	}
	q, err := parseQuery(r.URL.RawQuery, route.parameters)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if route.slots != nil {
		if !route.slots.take() {
			a.refuseBusy(w, route)
			return
		}
		defer route.slots.give()
	}
	if err := route.serve(w, r, q); err != nil {
		a.fail(w, r, err)
	}
}

// protect sets what keeps browsers from doing more with an answer than to show it. A configuration's own policy stays.
func protect(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	if h.Get("Content-Security-Policy") == "" {
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	}
}

// admit refuses what no page takes.
func (a *API) admit(w *response, r *http.Request) bool {
	if r.ContentLength != 0 { // net/http would read it first
		w.Header().Set("Connection", "close")
		_ = w.control.SetReadDeadline(time.Now())
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		w.refuse(http.StatusMethodNotAllowed, problem{Error: "there is nothing to change here: use GET or HEAD"}, 0)
	case r.ContentLength != 0:
		w.refuse(http.StatusBadRequest, problem{Error: "a request has no body here: leave it out"}, 0)
	case r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate":
		// No page of another site could read the answer. It shall not make us work for nothing either.
		w.refuse(http.StatusForbidden, problem{Error: "pages of other sites may not ask"}, 0)
	default:
		return true
	}
	return false
}

func (a *API) refuseBusy(w *response, route *route) {
	a.stats.busy.Add(1)
	retry := retryRequest
	if route.path == pathEvents {
		retry = retryStream
	}
	w.refuse(http.StatusServiceUnavailable, problem{Error: "too many requests of this kind at a time: try again later"}, retry)
}

// recover answers for a handler that panics.
func (a *API) recover(w *response) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause) // net/http breaks the connection off, and says nothing
	}
	a.stats.panics.Add(1)
	a.log.Error("request failed", "path", w.path, "panic", cause, "stack", string(debug.Stack()))
	if w.began {
		panic(http.ErrAbortHandler)
	}
	w.refuse(http.StatusInternalServerError, problem{Error: "internal error: the log of tcptrail says more"}, 0)
}
