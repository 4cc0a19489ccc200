package api

import (
	"errors"
	"net/http"
	"time"
)

// errGone is why a write failed: the reader is gone, or does not read.
var errGone = errors.New("write response: the reader is gone, or too slow")

// maxWrite is how much is written under one deadline.
const maxWrite = 64 << 10

// response is a http.ResponseWriter that knows whether the answer has begun. What our own pages write has a deadline that
// moves on with every write, but not beyond until.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	path    string // of a route; never what was asked
	timeout time.Duration
	until   time.Time // zero: no end
	began   bool
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader begins the answer.
func (w *response) WriteHeader(status int) {
	w.began = true
	w.ResponseWriter.WriteHeader(status)
}

// Write is for Extra's pages: under the deadline that is set.
func (w *response) Write(p []byte) (int, error) {
	w.began = true
	return w.ResponseWriter.Write(p)
}

// begin begins an answer of a type.
func (w *response) begin(status int, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
}

// extend moves the deadline on. Writers that know no deadlines are tests'.
func (w *response) extend() {
	at := time.Now().Add(w.timeout)
	if !w.until.IsZero() && at.After(w.until) {
		at = w.until
	}
	_ = w.control.SetWriteDeadline(at)
}

// patient writes to a response and extends its deadline. Its errors are errGone.
type patient struct{ *response }

func (w patient) Write(p []byte) (int, error) {
	written := 0
	for len(p) > written {
		w.extend()
		n, err := w.response.Write(p[written:min(len(p), written+maxWrite)])
		written += n
		if err != nil {
			return written, errGone
		}
	}
	return written, nil
}

// flush sends what net/http holds back.
func (w patient) flush() error {
	w.extend()
	if err := w.control.Flush(); err != nil {
		return errGone
	}
	return nil
}
