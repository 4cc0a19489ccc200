package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"
)

// Alertmanager sends alerts to Prometheus's Alertmanager by its API v2. What is true is sent each interval, and expires
// three intervals after the last time: so it ends there, too, when we do. The labels are alertname (AlertName), severity,
// finding (its ID) and those of the alert; the annotations summary, description and the alert's fields.
//
// Alertmanagers that form a cluster are to be sinks each: they do not pass alerts on.
type Alertmanager struct {
	poster    *poster
	interval  time.Duration
	generator string
	// told are the labels by which it knows the findings that are true. By its labels it tells alerts apart: when one of
	// them changes, as the severity does, the alert with the old ones has to be ended.
	told map[string]map[string]string
}

// AlertmanagerOptions say how to send alerts. The zero value has good defaults.
type AlertmanagerOptions struct {
	HTTPOptions
	Interval     time.Duration // 0: DefaultInterval
	GeneratorURL string        // a link to where alerts come from, as the user interface shows it; "": none
}

// AlertName is the label alertname.
const AlertName = "TCPSocketsStuck"

const (
	// DefaultInterval is that of Prometheus (--rules.alert.resend-delay).
	DefaultInterval = time.Minute
	// minInterval keeps a mistyped unit from making a flood.
	minInterval = time.Second
	// expiry is after how many intervals an alert that is not sent again ends: two may be lost.
	expiry = 3
	// alertBatch is how many alerts a request has, some 100 KB.
	alertBatch = 64
	// maxLabels, maxLabelName, maxLabelValue and maxAnnotation are more than ours ever need.
	maxLabels     = 64
	maxLabelName  = 128
	maxLabelValue = 1 << 10
	maxAnnotation = 8 << 10
	alertsPath    = "/api/v2/alerts"
)

// NewAlertmanager checks a URL, to which /api/v2/alerts is added.
func NewAlertmanager(base string, o AlertmanagerOptions) (*Alertmanager, error) {
	p, err := newPoster("alertmanager", base, o.HTTPOptions)
	if err != nil {
		return nil, err
	}
	p.url.RawQuery = ""
	if path := strings.TrimRight(p.url.Path, "/"); !strings.HasSuffix(path, alertsPath) {
		p.url = p.url.JoinPath(alertsPath)
	}
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.Interval < minInterval {
		return nil, fmt.Errorf("read interval of alertmanager: %v is too short; give at least %v", o.Interval, minInterval)
	}
	if u, err := url.Parse(o.GeneratorURL); err != nil || o.GeneratorURL != "" && (u.Scheme == "" || u.Host == "") {
		return nil, fmt.Errorf("read generator URL of alertmanager: give http://HOST/PATH or https://HOST/PATH")
	}
	return &Alertmanager{p, o.Interval, o.GeneratorURL, map[string]map[string]string{}}, nil
}

// Name returns the server's name.
func (m *Alertmanager) Name() string { return m.poster.name }

// Traits says that it forgets, and takes many alerts at a time.
func (m *Alertmanager) Traits() Traits {
	return Traits{Batch: alertBatch, Timeout: m.poster.timeout, Refresh: m.interval}
}

// Close gives up the connections.
func (m *Alertmanager) Close() error {
	m.poster.close()
	return nil
}

// postable is an alert as the API takes it ("postableAlert" in its OpenAPI description).
type postable struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// Deliver sends one request.
func (m *Alertmanager) Deliver(ctx context.Context, deliveries []Delivery) error {
	var posted []postable
	for i := range deliveries {
		posted = m.appendPostable(posted, &deliveries[i])
	}
	body, err := json.Marshal(posted)
	if err != nil {
		return final(fmt.Errorf("make request: %w", err))
	}
	if err := m.poster.post(ctx, deliveries[0].Now, body, nil); err != nil {
		return err
	}
	for i := range deliveries {
		m.note(&deliveries[i])
	}
	return nil
}

// note keeps in mind what it was told.
func (m *Alertmanager) note(d *Delivery) {
	switch {
	case d.Status.IsOver():
		delete(m.told, d.ID)
	case m.told[d.ID] != nil || len(m.told) < MaxFindings: // without, an alert whose labels change expires
		m.told[d.ID] = labelsOf(d)
	}
}

func (m *Alertmanager) appendPostable(all []postable, d *Delivery) []postable {
	p := postable{
		Labels: labelsOf(d), Annotations: annotationsOf(d), GeneratorURL: m.generator,
		StartsAt: earlier(d.Since, d.Now).UTC(), EndsAt: d.Now.Add(expiry * m.interval).UTC(),
	}
	known := m.told[d.ID]
	switch {
	case d.Status.IsOver():
		p.EndsAt = d.Now.UTC()
		if known != nil {
			p.Labels = known
		}
	case known != nil && !maps.Equal(known, p.Labels):
		ended := p
		ended.Labels, ended.EndsAt = known, d.Now.UTC()
		all = append(all, ended)
	}
	return append(all, p)
}

// labelsOf returns the labels, with names and values that Alertmanager takes.
func labelsOf(d *Delivery) map[string]string {
	labels := make(map[string]string, len(d.Labels)+3)
	add := func(name, value string) {
		if name = word(name, maxLabelName); name != "" && value != "" && len(labels) < maxLabels {
			labels[name] = plain(value, maxLabelValue)
		}
	}
	add("alertname", AlertName)
	add("severity", d.Severity)
	add("finding", d.ID)
	for _, p := range d.Labels {
		if _, taken := labels[word(p.Name, maxLabelName)]; !taken {
			add(p.Name, p.Value)
		}
	}
	return labels
}

func annotationsOf(d *Delivery) map[string]string {
	annotations := make(map[string]string, len(d.Fields)+2)
	for _, p := range d.Fields {
		if name := word(p.Name, maxLabelName); name != "" && len(annotations) < maxLabels {
			annotations[name] = plain(p.Value, maxLabelValue)
		}
	}
	annotations["summary"] = plain(d.Summary, maxAnnotation)
	annotations["description"] = plainLines(d.Description, maxAnnotation)
	return annotations
}
