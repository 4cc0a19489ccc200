package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/traffic"
)

// companion is what runs beside the load.
type companion struct {
	name string
	// start starts it; nil: nothing runs, which shows what chance does.
	start func(options) (*daemon, error)
	// ask asks the daemon things until the context ends; nil: nobody does.
	ask func(context.Context, *daemon, *beside) error
}

// companions are what is measured, in the order of the table.
func companions() []companion {
	serve := func(o options) (*daemon, error) { return startServe(o) }
	// Of what the load's connections go through, ZOMBIE is watched without a record of each.
	unwatched := func(o options) (*daemon, error) { return startServe(o, "--limit", "CLOSE_WAIT=off,FIN_WAIT2=off") }
	return []companion{
		{name: "nothing"},
		{name: "serve, watching ZOMBIE alone", start: unwatched},
		{name: "serve, never asked", start: serve},
		{name: "serve, scraped every 15 s", start: serve, ask: scrapeEvery(15 * time.Second)},
		{name: "serve, scraped every 1 s", start: serve, ask: scrapeEvery(time.Second)},
		{name: "serve, one reader of events", start: serve, ask: readEvents},
		{name: "log, a file for each process", start: func(o options) (*daemon, error) { return startLog(o) }},
		{name: "log, one file", start: func(o options) (*daemon, error) { return startLog(o, "--layout", "host") }},
	}
}

// beside is one run of the load with a companion beside it.
type beside struct {
	load
	daemon    time.Duration // its CPU time meanwhile
	asked     int           // times
	delivered uint64        // events, to a reader or to files
	lost      uint64        // events that it says it has lost
	missing   uint64        // events that a reader did neither get nor hear of
	files     recording
}

// run runs the load with the companion beside it.
func (c *companion) run(o options) (b beside, err error) {
	if c.start == nil {
		b.load, err = generateLoad(o)
		return b, err
	}
	d, err := c.start(o)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, d.remove()) }()
	if err := c.loaded(o, d, &b); err != nil {
		return b, fmt.Errorf("%s: %w: %s", c.name, err, d.kill())
	}
	said, err := d.stop()
	if err != nil || d.client != nil {
		return b, err
	}
	return b, b.account(d, said)
}

// loaded runs the load, and measures the daemon meanwhile.
func (c *companion) loaded(o options, d *daemon, b *beside) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	asked := make(chan error, 1)
	if c.ask != nil {
		go func() { asked <- c.ask(ctx, d, b) }()
	} else {
		asked <- nil
	}
	before, err := d.cpu()
	if err != nil {
		return err
	}
	if b.load, err = generateLoad(o); err != nil {
		return err
	}
	after, err := d.cpu()
	b.daemon = after - before
	cancel()
	err = errors.Join(err, <-asked)
	made := uint64(b.rate * o.seconds.Seconds() * traffic.TransitionsPerConnection)
	if told := b.delivered + b.lost; told > 0 && made > told {
		b.missing = made - told
	}
	return err
}

// account reads what log says of itself, and what is in its files.
func (b *beside) account(d *daemon, said string) error {
	at := strings.LastIndex(said, "tcptrail: seen ")
	if at < 0 {
		return fmt.Errorf("log printed no summary: %q", said)
	}
	var seen uint64
	if _, err := fmt.Sscanf(said[at:], "tcptrail: seen %d, recorded %d, lost %d", &seen, &b.delivered, &b.lost); err != nil {
		return fmt.Errorf("read summary of log: %w: %q", err, said[at:])
	}
	var err error
	b.files, err = measureRecording(d.recording())
	return err
}

// scrapeEvery asks for metrics, the first time after half of the interval, so that a run has as many as it is long.
func scrapeEvery(interval time.Duration) func(context.Context, *daemon, *beside) error {
	return func(ctx context.Context, d *daemon, b *beside) error {
		next := time.NewTimer(interval / 2)
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-next.C:
			}
			next.Reset(interval)
			if _, err := d.get("/metrics"); err != nil {
				return err
			}
			b.asked++
		}
	}
}

// readEvents reads all events until the context ends, and then what the daemon has counted as lost.
func readEvents(ctx context.Context, d *daemon, b *beside) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/api/v1/events", nil)
	if err != nil {
		return err
	}
	answer, err := d.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	counter := occurrences{of: []byte("\nevent: transition\n")}
	if _, err := io.Copy(&counter, answer.Body); err != nil && ctx.Err() == nil {
		return fmt.Errorf("read events: %w", err)
	}
	b.asked, b.delivered = 1, counter.n
	text, err := d.get("/metrics")
	if err != nil {
		return err
	}
	lost, err := sample(text, "tcptrail_stream_dropped_lines_total")
	b.lost = uint64(lost)
	return err
}

// occurrences counts how often something comes in what is written.
type occurrences struct {
	of   []byte
	n    uint64
	tail []byte // as much of the end as may be the beginning of another
}

// Write implements [io.Writer].
func (c *occurrences) Write(p []byte) (int, error) {
	keep := len(c.of) - 1
	seam := append(c.tail, p[:min(keep, len(p))]...)
	c.n += uint64(bytes.Count(seam, c.of) + bytes.Count(p, c.of))
	if len(p) >= keep {
		seam = append(seam[:0], p[len(p)-keep:]...)
	}
	c.tail = append(c.tail[:0], seam[max(0, len(seam)-keep):]...)
	return len(p), nil
}

// sample returns the value of a metric without labels.
func sample(text []byte, name string) (float64, error) {
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("no %s in the answer of /metrics", name)
}
