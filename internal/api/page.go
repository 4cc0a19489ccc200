package api

import (
	"net/http"
)

func (w *response) page(contentType string, body []byte) error {
	w.begin(http.StatusOK, contentType)
	_, err := patient{w}.Write(body)
	return err
}

func (a *API) serveIndex(w *response, _ *http.Request, _ *query) error {
	return w.page(typeHTML, a.index)
}

func (a *API) serveDescription(w *response, _ *http.Request, _ *query) error {
	return w.page(typeJSON, description)
}

// serveHealth says that we answer. Whether the answers are right, readiness says: nobody is to end us for that.
func (a *API) serveHealth(w *response, _ *http.Request, _ *query) error {
	return w.page(typeText, []byte("ok\n"))
}

func (a *API) serveReady(w *response, _ *http.Request, _ *query) error {
	err := a.backend.Ready()
	switch {
	case a.isEnding():
		w.refuse(http.StatusServiceUnavailable, problem{Error: "tcptrail ends"}, retryStream)
	case err != nil:
		w.refuse(http.StatusServiceUnavailable, problem{Error: err.Error()}, retryRequest)
	default:
		return w.page(typeText, []byte("ready\n"))
	}
	return nil
}
