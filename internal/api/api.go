// Package api is the HTTP interface of a daemon that knows TCP sockets: counts, lists, findings, live transitions, health,
// their description, and a server for them on TCP and unix sockets. What the numbers are and how they come about is a
// Backend's business; here requests are checked and bounded, and answers written to readers that may be slow, many, gone
// or hostile.
package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Backend knows the answers. Its methods are called by many goroutines at a time.
//
// Filters are expressions of the filter language, valid UTF-8 of at most 4096 bytes, "" for all. What is written must be
// JSON with everything escaped that JSON wants escaped, each object on a line of its own. A method that fails before it
// has written 32 KiB gets its error to the client: a *BadRequestError as it is, anything that is ErrUnavailable or a context's
// end as "try again later", all else as nothing but the fact (it is logged). After that the connection is broken off, so
// that nobody takes half an answer for a whole one. They must return soon after the context has ended or a write has
// failed.
type Backend interface {
	// Count writes one object, or, if there are names to group by, any number of them.
	Count(ctx context.Context, w io.Writer, filter string, by []string) error
	// List writes an object for each socket, at most limit if that is not 0.
	List(ctx context.Context, w io.Writer, filter string, limit int) error
	// Findings writes an object for each finding.
	Findings(ctx context.Context, w io.Writer, filter string) error
	// Subscribe begins a stream of transitions. Its errors are as above.
	Subscribe(filter string) (Subscription, error)
	// Ready returns nil while we are attached and the numbers are right. It is quick, and the text of its error is shown to
	// anybody who asks.
	Ready() error
}

// Subscription is a reader's place in a stream. A *stream.Subscription is one.
type Subscription interface {
	// Ready returns a channel that has a value when there is something to take; it may have one for nothing.
	Ready() <-chan struct{}
	// Take appends JSON objects without line feeds to batch and does not wait for any; they need to last until the next Take
	// or Close. Lost is how many are missing before them because this reader was slow. Not open: nothing more comes.
	Take(batch [][]byte) (lines [][]byte, lost uint64, open bool)
	// Close ends it; it is called once.
	Close()
}

// BadRequestError is an error of the client's, which is told.
type BadRequestError struct {
	Parameter string // whose value it is, if one's
	Column    int    // where in the value, in characters from 1; 0: unknown
	What      string // the cause and the remedy, one printable line
}

// Error returns what is wrong.
func (e *BadRequestError) Error() string { return e.What }

// ErrUnavailable is what errors are, in the sense of errors.Is, that may be over soon.
var ErrUnavailable = errors.New("it is too early, or there is too much to do")

// How much is done at a time, and for how long.
const (
	// MaxStreams is as many event streams as there are subscriptions of a stream.Hub.
	MaxStreams = 256
	// MaxRequests is how many counts, lists and findings are made at a time. Two or three keep a host busy already; more
	// wait in the backend.
	MaxRequests = 16
	// RequestTimeout is how long one of them may take, writing included: 200,000 sockets are 100 MB, and a reader that takes
	// them in driblets must not keep others from theirs.
	RequestTimeout = time.Minute
	// WriteTimeout is how long a reader may take nothing at all (or less than 64 KiB) before it is given up.
	WriteTimeout = 10 * time.Second
	// Heartbeat is how often a stream without events says that it is alive: less than any proxy's patience.
	Heartbeat = 15 * time.Second
)

// Options say what there is beside the backend. The zero value is good.
type Options struct {
	// Extra are other pages by path, such as /metrics, for GET and HEAD without a body. They have WriteTimeout to be written
	// if they do not set another deadline.
	Extra map[string]http.Handler
	// Log is told of errors of the backend and of panics; nil: nobody is.
	Log *slog.Logger
}

// API answers requests: an http.Handler. Make it with New.
type API struct {
	backend  Backend
	log      *slog.Logger
	routes   []route
	byPath   map[string]*route
	index    []byte
	streams  slots
	requests slots

	requestTimeout, writeTimeout, heartbeat time.Duration

	ending  chan struct{}
	end     sync.Once
	running atomic.Int64
	since   int64         // when we began, for ids that are ours
	started atomic.Uint64 // streams, ever
	stats   counters
}

// counters are what Stats reads.
type counters struct{ panics, busy, failed, lost atomic.Uint64 }

// Stats are numbers since the start, but for Streams and Requests, which are of now.
type Stats struct {
	Streams  int    // events are sent on
	Requests int    // counts, lists and findings that are made
	Lost     uint64 // events that were not sent because readers were slow
	Busy     uint64 // requests refused because there were too many
	Failed   uint64 // requests that the backend failed, the client's errors aside
	Panics   uint64 // in handlers, ours and Extra's; each was logged and answered with an error
}

// New returns the API of a backend. It fails if a path of Extra is ours or none.
func New(b Backend, o Options) (*API, error) {
	a := &API{
		backend: b, log: o.Log, streams: make(slots, MaxStreams), requests: make(slots, MaxRequests),
		requestTimeout: RequestTimeout, writeTimeout: WriteTimeout, heartbeat: Heartbeat,
		since: time.Now().UnixNano(), ending: make(chan struct{}), byPath: make(map[string]*route),
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if err := a.route(o.Extra); err != nil {
		return nil, err
	}
	return a, nil
}

// Stats returns the numbers of now.
func (a *API) Stats() Stats {
	return Stats{
		Streams: len(a.streams), Requests: len(a.requests), Lost: a.stats.lost.Load(), Busy: a.stats.busy.Load(),
		Failed: a.stats.failed.Load(), Panics: a.stats.panics.Load(),
	}
}

// End ends all event streams at once, with an event that says so, and is no longer ready. What else is asked is answered
// as before.
func (a *API) End() { a.end.Do(func() { close(a.ending) }) }

func (a *API) isEnding() bool {
	select {
	case <-a.ending:
		return true
	default:
		return false
	}
}

// slots are as many as may be taken at a time.
type slots chan struct{}

func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) give() { <-s }
