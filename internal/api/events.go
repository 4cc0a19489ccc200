package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

const pathEvents = "/api/v1/events"

const (
	// eventBuffer is how much is written at once.
	eventBuffer = 16 << 10
	// reconnect is how long a client is asked to wait before it comes again, in milliseconds: not all at once and at once.
	reconnect = 5000
	// maxLastID is as much of a Last-Event-ID as is told back. Ours are shorter.
	maxLastID = 64
)

// serveEvents streams transitions. Ids count what the filter selects, lost ones too, so that a hole is a loss; what is
// before the number no other stream has.
func (a *API) serveEvents(w *response, r *http.Request, q *query) error {
	if a.isEnding() {
		w.refuse(http.StatusServiceUnavailable, problem{Error: "tcptrail ends"}, retryStream)
		return nil
	}
	sub, err := a.backend.Subscribe(q.filter)
	if err != nil {
		return err
	}
	defer sub.Close()
	w.Header().Set("X-Accel-Buffering", "no") // nginx would wait for a buffer to fill up
	w.begin(http.StatusOK, typeSSE)
	if r.Method == http.MethodHead {
		return nil
	}
	to := patient{w}
	s := &eventWriter{to: to, buffer: bufio.NewWriterSize(to, eventBuffer)}
	s.prefix = fmt.Appendf(nil, "event: transition\nid: %x.%d-", a.since, a.started.Add(1))
	fmt.Fprintf(s.buffer, "retry: %d\n: transitions from now on\n\n", reconnect)
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		s.gap(id)
	}
	if err := s.flush(); err != nil {
		return err
	}
	return a.stream(s, r, sub)
}

// stream writes what comes until somebody ends it.
func (a *API) stream(s *eventWriter, r *http.Request, sub Subscription) error {
	heartbeat := time.NewTicker(a.heartbeat)
	defer heartbeat.Stop()
	var lines [][]byte
	for {
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-a.ending:
			return s.end("tcptrail ends")
		case <-heartbeat.C:
			_, _ = s.buffer.WriteString(":\n\n") // flush tells
		case <-sub.Ready():
			var lost uint64
			var open bool
			lines, lost, open = sub.Take(lines[:0])
			a.stats.lost.Add(s.write(lines, lost))
			if !open {
				return s.end("no more transitions come")
			}
		}
		if err := s.flush(); err != nil {
			return err
		}
	}
}

// eventWriter writes server-sent events. Errors stay in the buffer until flush.
type eventWriter struct {
	to     patient
	buffer *bufio.Writer
	prefix []byte // up to the number
	number uint64
	digits [20]byte
}

func (s *eventWriter) flush() error {
	if err := s.buffer.Flush(); err != nil {
		return err
	}
	return s.to.flush()
}

// write writes what was lost, and lines, and returns how many are lost.
func (s *eventWriter) write(lines [][]byte, lost uint64) uint64 {
	s.lose(lost)
	for _, line := range lines {
		if bytes.IndexByte(line, '\n') >= 0 || bytes.IndexByte(line, '\r') >= 0 { // never in JSON on a line, but it would be read as another field
			s.lose(1)
			lost++
			continue
		}
		s.number++
		_, _ = s.buffer.Write(s.prefix)
		_, _ = s.buffer.Write(strconv.AppendUint(s.digits[:0], s.number, 10))
		_, _ = s.buffer.WriteString("\ndata: ")
		_, _ = s.buffer.Write(line)
		_, _ = s.buffer.WriteString("\n\n")
	}
	return lost
}

func (s *eventWriter) lose(n uint64) {
	if n > 0 {
		s.number += n
		fmt.Fprintf(s.buffer, "event: lost\ndata: {\"lost\":%d}\n\n", n)
	}
}

// gap says that nothing is known of what happened after the event that the client has seen last.
func (s *eventWriter) gap(id string) {
	if len(id) > maxLastID || !utf8.ValidString(id) {
		id = ""
	}
	quoted, err := json.Marshal(id)
	if err != nil {
		quoted = []byte(`""`) // never
	}
	fmt.Fprintf(s.buffer, "event: gap\ndata: {\"after\":%s,\"replayed\":0}\n\n", quoted)
}

func (s *eventWriter) end(why string) error {
	fmt.Fprintf(s.buffer, "event: end\ndata: {\"reason\":%q}\n\n", why)
	return s.flush()
}
