package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// Types of what we write. JSON is UTF-8 by definition.
const (
	typeJSON  = "application/json"
	typeLines = "application/x-ndjson"
	typeText  = "text/plain; charset=utf-8"
	typeHTML  = "text/html; charset=utf-8"
	typeSSE   = "text/event-stream"
)

// problem is an error, as clients get it.
type problem struct {
	Error     string `json:"error"`
	Parameter string `json:"parameter,omitempty"`
	Column    int    `json:"column,omitempty"`
}

// When to try again: a request is over in seconds; a stream when somebody goes.
const (
	retryRequest = time.Second
	retryStream  = 10 * time.Second
)

// refuse answers with an error, to which nothing was written yet. A positive retry says when to try again.
func (w *response) refuse(status int, p problem, retry time.Duration) {
	body, err := json.Marshal(p) // escapes what HTML or a terminal might take for something else than text
	if err != nil {
		body = []byte(`{"error":"internal error"}`) // never: there is nothing in it that could fail
	}
	if retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(retry/time.Second)))
	}
	w.until = time.Time{} // which may be why
	w.extend()
	w.begin(status, typeJSON)
	_, _ = w.Write(append(body, '\n'))
}

// fail tells of an error of a handler if nothing was written, and breaks the connection off otherwise.
func (a *API) fail(w *response, r *http.Request, err error) {
	if r.Context().Err() != nil { // which is so when a write has failed, whatever the backend has made of that
		panic(http.ErrAbortHandler) // nobody is there to be told
	}
	var bad *BadRequestError
	if errors.As(err, &bad) && !w.began {
		w.refuse(http.StatusBadRequest, problem{bad.What, bad.Parameter, bad.Column}, 0)
		return
	}
	a.stats.failed.Add(1)
	isTemporary := errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	level := slog.LevelError
	if isTemporary {
		level = slog.LevelDebug // whoever asks often enough brings it about
	}
	a.log.Log(r.Context(), level, "request failed", "path", w.path, "err", err)
	switch {
	case w.began:
		panic(http.ErrAbortHandler)
	case isTemporary:
		w.refuse(http.StatusServiceUnavailable, problem{Error: "there is no answer at the moment: try again later"}, retryRequest)
	default:
		w.refuse(http.StatusInternalServerError, problem{Error: "internal error: the log of tcptrail says more"}, 0)
	}
}
