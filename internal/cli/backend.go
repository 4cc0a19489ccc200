package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/api"
	"github.com/tcptrail/tcptrail/internal/census"
	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/stream"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

type httpHandler = http.Handler

// selectionOf reads the filter of a request.
func (d *daemon) selectionOf(text string) (*selection, error) {
	s := &selection{filter: d.selected().filter}
	var err error
	if s.expr, err = filter.Parse(text, resolver{d.env.Proc}); err != nil {
		bad := &api.BadRequestError{Parameter: "filter", What: oneLine(err.Error())}
		var syntax *filter.SyntaxError
		if errors.As(err, &syntax) {
			bad.Column, bad.What = syntax.Column, oneLine(syntax.What)
		}
		return nil, bad
	}
	s.host, err = newHost(d.env.Proc)
	return s, err
}

// selected returns what all of it is about, which no reload changes.
func (d *daemon) selected() *selection {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.plan.selection
}

// take looks at the sockets of now that a filter selects. One look at a time: more would not be faster.
func (d *daemon) take(ctx context.Context, text string) (*tcp.Snapshot, error) {
	s, err := d.selectionOf(text)
	if err != nil {
		return nil, err
	}
	d.looking.Lock()
	defer d.looking.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	snapshot, err := d.snapshots.Take()
	if err != nil {
		return nil, err
	}
	snapshot.Sockets = s.choose(snapshot.Sockets)
	return snapshot, nil
}

// Count counts by state, or by what the keys say.
func (d *daemon) Count(ctx context.Context, w io.Writer, text string, by []string) error {
	if text == "" && len(by) == 0 {
		d.mu.Lock()
		counts, _, err := d.gauge.count()
		d.mu.Unlock()
		if err != nil {
			return err
		}
		return output.WriteCounts(w, &counts, time.Now().UnixNano(), output.CountOptions{Format: output.JSON})
	}
	var names []census.Key
	if len(by) > 0 {
		if err := (keys{&names}).Set(strings.Join(by, ",")); err != nil {
			return &api.BadRequestError{Parameter: "by", What: oneLine(err.Error())}
		}
	}
	snapshot, err := d.take(ctx, text)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		var counts tcp.Counts
		for i := range snapshot.Sockets {
			counts.Count(&snapshot.Sockets[i])
		}
		return output.WriteCounts(w, &counts, snapshot.Time, output.CountOptions{Format: output.JSON})
	}
	labels, err := newLabels(d.env.Proc)
	if err != nil {
		return err
	}
	breakdown := census.New(names)
	for i := range snapshot.Sockets {
		breakdown.Add(&snapshot.Sockets[i])
	}
	columns, groups := breakdownRows(breakdown, 0, labels.ofGroups())
	return output.WriteGroups(w, columns, groups, breakdown.Total(), snapshot.Time, output.CountOptions{Format: output.JSON})
}

// List writes the sockets of now.
func (d *daemon) List(ctx context.Context, w io.Writer, text string, limit int) error {
	snapshot, err := d.take(ctx, text)
	if err != nil {
		return err
	}
	labels, err := newLabels(d.env.Proc)
	if err != nil {
		return err
	}
	out := output.NewList(w, output.ListOptions{Format: output.JSON, Names: labels.ofList(), Time: snapshot.Time})
	for i := range snapshot.Sockets {
		if limit > 0 && i == limit {
			break
		}
		if err := out.Socket(&snapshot.Sockets[i]); err != nil {
			return err
		}
	}
	return out.Flush()
}

// Findings writes what the last look has found; with a filter that of which it selects a socket that is shown.
func (d *daemon) Findings(_ context.Context, w io.Writer, text string) error {
	s, err := d.selectionOf(text)
	if err != nil {
		return err
	}
	d.mu.Lock()
	last := d.last
	d.mu.Unlock()
	if last == nil {
		return api.ErrUnavailable
	}
	o, err := d.findingOptions()
	if err != nil {
		return err
	}
	var selected []leak.Finding
	for i := range last.findings {
		if text == "" || showsOne(&last.findings[i], s) {
			selected = append(selected, last.findings[i])
		}
	}
	return output.NewFindings(w, o).Report(selected, last.at)
}

func showsOne(f *leak.Finding, s *selection) bool {
	for i := range f.Sample {
		if s.selects(&f.Sample[i].Socket) {
			return true
		}
	}
	return false
}

// Subscribe begins a stream of transitions.
func (d *daemon) Subscribe(text string) (api.Subscription, error) {
	s, err := d.selectionOf(text)
	if err != nil {
		return nil, err
	}
	if err := s.needsTransitions("leave it out"); err != nil {
		return nil, &api.BadRequestError{Parameter: "filter", What: oneLine(err.Error())}
	}
	subscription, err := d.feed.subscribe(func(e *tcp.Event) bool { return s.expr.MatchEvent(e, s.host) })
	if errors.Is(err, stream.ErrFull) || errors.Is(err, stream.ErrClosed) {
		return nil, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	}
	if err != nil {
		return nil, err
	}
	return subscription, nil
}

// longLook is how long a look takes at most before it counts as stuck: half a million sockets take about a second.
const longLook = time.Minute

// Ready says whether there was a look, and none is stuck.
func (d *daemon) Ready() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		return errors.New("nothing was looked at yet")
	}
	if still := d.hunt.still(); still > longLook {
		return fmt.Errorf("a look at the host began %v ago and has not ended", still.Round(time.Second))
	}
	return nil
}
