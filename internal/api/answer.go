package api

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

func (a *API) serveCount(w *response, r *http.Request, q *query) error {
	if len(q.by) == 0 {
		return a.answer(w, r, false, typeJSON, func(ctx context.Context, to io.Writer) error {
			return a.backend.Count(ctx, to, q.filter, nil)
		})
	}
	return a.answerLines(w, r, func(ctx context.Context, to io.Writer) error {
		return a.backend.Count(ctx, to, q.filter, q.by)
	})
}

func (a *API) serveList(w *response, r *http.Request, q *query) error {
	return a.answerLines(w, r, func(ctx context.Context, to io.Writer) error {
		return a.backend.List(ctx, to, q.filter, q.limit)
	})
}

func (a *API) serveFindings(w *response, r *http.Request, q *query) error {
	return a.answerLines(w, r, func(ctx context.Context, to io.Writer) error {
		return a.backend.Findings(ctx, to, q.filter)
	})
}

// answerLines answers with objects on lines, or in an array if that is what the client wants.
func (a *API) answerLines(w *response, r *http.Request, write func(context.Context, io.Writer) error) error {
	w.Header().Add("Vary", "Accept")
	if prefersArray(r.Header.Values("Accept")) {
		return a.answer(w, r, true, typeJSON, write)
	}
	return a.answer(w, r, false, typeLines, write)
}

// answerBuffer is how much is held back, so that an error that comes early can still be told.
const answerBuffer = 32 << 10

// answer lets the backend write the body.
func (a *API) answer(
	w *response, r *http.Request, asArray bool, contentType string, write func(context.Context, io.Writer) error,
) error {
	w.until = time.Now().Add(a.requestTimeout)
	ctx, cancel := context.WithDeadline(r.Context(), w.until)
	defer cancel()
	buffer := bufio.NewWriterSize(&body{patient{w}, contentType}, answerBuffer)
	var err error
	if asArray {
		array := &array{to: buffer}
		if err = write(ctx, array); err == nil {
			err = array.close()
		}
	} else {
		err = write(ctx, buffer)
	}
	if err != nil {
		return err
	}
	if !w.began && buffer.Buffered() == 0 {
		w.begin(http.StatusOK, contentType)
	}
	return buffer.Flush()
}

// body begins an answer with the first write.
type body struct {
	patient
	contentType string
}

func (b *body) Write(p []byte) (int, error) {
	if !b.began {
		b.begin(http.StatusOK, b.contentType)
	}
	return b.patient.Write(p)
}

// array makes a JSON array of JSON values that come on lines.
type array struct {
	to     io.Writer
	begun  bool
	inLine bool
}

func (a *array) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		rest := p[written:]
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 1 && !a.inLine { // an empty line is no value
			written++
			continue
		}
		if err := a.separate(); err != nil {
			return written, err
		}
		a.inLine = n == 0
		if n == 0 {
			n = len(rest)
		}
		n, err := a.to.Write(rest[:n])
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// separate writes what comes before a value.
func (a *array) separate() error {
	if a.inLine {
		return nil
	}
	mark := ","
	if !a.begun {
		mark = "["
	}
	a.begun = true
	_, err := io.WriteString(a.to, mark)
	return err
}

func (a *array) close() error {
	end := "]\n"
	if !a.begun {
		end = "[]\n"
	}
	_, err := io.WriteString(a.to, end)
	return err
}
