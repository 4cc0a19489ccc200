package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/tcptrail/tcptrail/internal/alert"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/metrics"
	"github.com/tcptrail/tcptrail/internal/output"
)

// alerts tells findings to sinks. A nil *alerts tells nobody.
type alerts struct {
	dispatcher *alert.Dispatcher
	text       *output.Findings
	json       *output.Findings
	buffer     *bytes.Buffer // of json
	labels     []alert.Pair  // of every alert
	site       func(number uint64) (output.Site, bool)
}

// newAlerts starts to feed the sinks; nil without any.
func newAlerts(env *Env, sinks []alert.Sink, o output.FindingOptions) *alerts {
	if len(sinks) == 0 {
		return nil
	}
	a := &alerts{buffer: &bytes.Buffer{}, site: o.CallSite}
	if host, err := os.Hostname(); err == nil {
		a.labels = append(a.labels, alert.Pair{Name: "host", Value: host})
	}
	o.Format, o.Width, o.Color = output.Table, 0, false
	a.text = output.NewFindings(nil, o)
	o.Format = output.JSON
	a.json = output.NewFindings(a.buffer, o)
	a.dispatcher = alert.NewDispatcher(alert.Options{Report: func(h alert.Health, c alert.Change) {
		fmt.Fprintf(env.Stderr, "tcptrail: %s\n", oneLine(healthText(&h, c)))
	}}, sinks...)
	return a
}

// healthText says what became of a sink.
func healthText(h *alert.Health, c alert.Change) string {
	text := h.Sink + " " + c.String()
	switch c {
	case alert.Began:
		return fmt.Sprintf("%s: %s; what is still true will be told when it works again", text, h.Err)
	case alert.Losing:
		return fmt.Sprintf("%s: %d so far, and %d wait", text, h.Dropped, h.Pending)
	}
	return text
}

// tell hands on what a look has found.
func (a *alerts) tell(r *report) error {
	if a == nil {
		return nil
	}
	for i := range r.findings {
		f := &r.findings[i]
		made, err := a.of(f, r.now, r.at)
		if err != nil {
			return err
		}
		if f.News {
			a.dispatcher.Notify(made)
		} else {
			a.dispatcher.Update(made)
		}
	}
	return nil
}

// health says how the sinks do; none is not nil, for Prometheus to know that there is none.
func (a *alerts) health() []metrics.Sink {
	sinks := []metrics.Sink{}
	if a == nil {
		return sinks
	}
	for _, h := range a.dispatcher.Stats() {
		sinks = append(sinks, metrics.Sink{
			Name: h.Sink, Delivered: h.Delivered, Failed: h.Refused, Dropped: h.Dropped, Queued: uint64(max(h.Pending, 0)), Failing: h.Failing(),
		})
	}
	return sinks
}

// close delivers what waits, as far as that goes in a short time.
func (a *alerts) close() error {
	if a == nil {
		return nil
	}
	if err := a.dispatcher.Close(context.Background()); err != nil {
		return fmt.Errorf("alerts not delivered: %w", err)
	}
	return nil
}

// statuses are the words of package alert for those of package leak.
var statuses = map[leak.Status]alert.Status{
	leak.Firing: alert.Firing, leak.Escalated: alert.Escalated, leak.Resolved: alert.Resolved, leak.Muted: alert.Muted,
	leak.Merged: alert.Merged,
}

// of makes an alert of a finding.
func (a *alerts) of(f *leak.Finding, now, at int64) (alert.Alert, error) {
	a.buffer.Reset()
	if err := a.json.News(f, at); err != nil {
		return alert.Alert{}, fmt.Errorf("write finding: %w", err)
	}
	severity := alert.Warn
	if f.Level == leak.Critical {
		severity = alert.Critical
	}
	return alert.Alert{
		ID: f.ID, Status: statuses[f.Status], Severity: severity,
		Time: time.Unix(0, at), Since: time.Unix(0, at-(now-f.FirstSeen)),
		Summary: a.text.Summary(f), Description: a.text.Description(f), JSON: bytes.TrimSpace(bytes.Clone(a.buffer.Bytes())),
		Labels: append(a.labels[:len(a.labels):len(a.labels)], a.labelsOf(&f.Key)...), Fields: fieldsOf(f),
	}, nil
}

// labelsOf returns what a finding is about: the parts of its key.
func (a *alerts) labelsOf(k *leak.Key) []alert.Pair {
	labels := pairs{}
	labels.add("state", k.Condition.String())
	labels.add("cause", k.Cause.String())
	labels.add("process", string(k.Comm.Bytes()))
	if k.PID != 0 {
		labels.add("pid", strconv.FormatUint(uint64(k.PID), 10))
	}
	if k.NetNS != 0 {
		labels.add("netns", strconv.FormatUint(uint64(k.NetNS), 10))
	}
	labels.add("direction", k.Direction.String())
	labels.add("endpoint", endpointLabel(k.Endpoint))
	if a.site != nil && k.CallSite != 0 {
		if site, ok := a.site(k.CallSite); ok {
			labels.add("callsite", site.Text())
		}
	}
	return labels
}

// endpointLabel returns an endpoint, or a port of ours as ":80".
func endpointLabel(a netip.AddrPort) string {
	switch {
	case a.Addr().IsValid():
		return a.String()
	case a.Port() != 0:
		return ":" + strconv.Itoa(int(a.Port()))
	}
	return ""
}

// fieldsOf returns the numbers of a finding.
func fieldsOf(f *leak.Finding) []alert.Pair {
	fields := pairs{}
	fields.add("count", strconv.Itoa(f.Count))
	if f.Oldest > 0 {
		fields.add("oldest_ms", strconv.FormatInt(f.Oldest.Milliseconds(), 10))
	}
	if f.Growth.Known {
		fields.add("rate_per_min", strconv.FormatFloat(f.Growth.PerMinute, 'f', 3, 64))
	}
	if f.FDs.Known {
		fields.add("fd_limit", strconv.FormatUint(f.FDs.Limit, 10))
		fields.add("fd_used", strconv.Itoa(f.FDs.Used))
	}
	return fields
}

// pairs are names and values; what is unknown is left out.
type pairs []alert.Pair

func (p *pairs) add(name, value string) {
	if value != "" {
		*p = append(*p, alert.Pair{Name: name, Value: value})
	}
}
