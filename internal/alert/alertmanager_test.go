package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func alertmanager(t *testing.T, url string, o AlertmanagerOptions) *Alertmanager {
	t.Helper()
	m, err := NewAlertmanager(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func postedIn(t *testing.T, r request) []postable {
	t.Helper()
	var all []postable
	if err := json.Unmarshal([]byte(r.body), &all); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return all
}

func TestAlertmanager(t *testing.T) {
	s := serve(t, (*httptest.Server).Start, answer(200, ""))
	m := alertmanager(t, s.URL+"/prefix/?x=y", AlertmanagerOptions{Interval: 10 * time.Second, GeneratorURL: "http://host/"})
	now := time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC)
	send := func(status Status) []postable {
		d := []Delivery{{Alert: about("a", status), Now: now}}
		if err := m.Deliver(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		all := s.requests()
		return postedIn(t, all[len(all)-1])
	}
	p := send(Firing)[0]
	if got := s.requests()[0].path; got != "/prefix/api/v2/alerts" {
		t.Error(got)
	}
	want := map[string]string{"alertname": AlertName, "severity": "warn", "finding": "a", "process": "nginx", "pid": "7", "state": "CLOSE_WAIT"}
	if fmt.Sprint(p.Labels) != fmt.Sprint(want) {
		t.Errorf("labels %v", p.Labels)
	}
	if p.Annotations["count"] != "3" || !strings.Contains(p.Annotations["description"], "\n") || p.Annotations["summary"] == "" {
		t.Errorf("annotations %v", p.Annotations)
	}
	if !p.StartsAt.Equal(about("a", Firing).Since) || !p.EndsAt.Equal(now.Add(30*time.Second)) || p.GeneratorURL != "http://host/" {
		t.Errorf("%+v", p)
	}
	both := send(Escalated)
	if len(both) != 2 || both[0].Labels["severity"] != "warn" || !both[0].EndsAt.Equal(now) ||
		both[1].Labels["severity"] != "critical" || !both[1].EndsAt.After(now) {
		t.Errorf("escalated: %+v", both)
	}
	over := send(Resolved) // with severity warn, as about() has it, but known as critical
	if len(over) != 1 || over[0].Labels["severity"] != "critical" || !over[0].EndsAt.Equal(now) {
		t.Errorf("resolved: %+v", over)
	}
	if len(m.told) != 0 {
		t.Errorf("keeps %v in mind", m.told)
	}
}

func TestAlertmanagerWithClocksThatDisagree(t *testing.T) {
	s := serve(t, (*httptest.Server).Start, answer(200, ""))
	m := alertmanager(t, s.URL, AlertmanagerOptions{})
	d := []Delivery{{Alert: about("a", Resolved), Now: about("a", Resolved).Since.Add(-time.Hour)}}
	if err := m.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if p := postedIn(t, s.requests()[0])[0]; p.EndsAt.Before(p.StartsAt) {
		t.Errorf("ends at %v and starts at %v", p.EndsAt, p.StartsAt)
	}
}

func TestAlertmanagerFails(t *testing.T) {
	s := serve(t, (*httptest.Server).Start, answer(400, `"invalid label"`), answer(503, ""), answer(200, ""))
	m := alertmanager(t, s.URL+"/api/v2/alerts", AlertmanagerOptions{})
	var e *DeliveryError
	err := m.Deliver(t.Context(), delivery("a", Firing))
	if !errors.As(err, &e) || !e.Final || !e.Split || !strings.Contains(err.Error(), "invalid label") {
		t.Errorf("%v", err)
	}
	err = m.Deliver(t.Context(), delivery("a", Firing))
	if !errors.As(err, &e) || e.Final || len(m.told) != 0 {
		t.Errorf("%v, %v", err, m.told)
	}
	deliver(t, m, "a")
	if got := s.requests()[0].path; got != "/api/v2/alerts" {
		t.Error(got)
	}
}

// TestAlertmanagerIsFed holds that what is true is sent again and again by a dispatcher.
func TestAlertmanagerIsFed(t *testing.T) {
	s := serve(t, (*httptest.Server).Start, func(w http.ResponseWriter, r *http.Request) { answer(200, "")(w, r) })
	m := alertmanager(t, s.URL, AlertmanagerOptions{})
	m.interval = 20 * time.Millisecond
	d := NewDispatcher(Options{}, m)
	d.Notify(about("a", Firing), about("b", Firing))
	eventually(t, "it was sent five times", func() bool { return len(s.requests()) >= 5 })
	if h := d.Stats()[0]; h.Delivered != 2 {
		t.Errorf("%+v", h)
	}
	closeNow(t, d)
}

func TestAlertmanagersThatAreRefused(t *testing.T) {
	for url, o := range map[string]AlertmanagerOptions{
		"host:9093": {}, "http://a/": {Interval: time.Millisecond}, "http://b/": {GeneratorURL: "x"}, "http://c/": {Interval: -time.Minute},
	} {
		if _, err := NewAlertmanager(url, o); err == nil {
			t.Errorf("%s %+v was taken", url, o)
		}
	}
}

// FuzzLabels holds that names and values are those that Alertmanager takes.
func FuzzLabels(f *testing.F) {
	f.Add("net.ns", "\xff\x00é")
	f.Add("7", "")
	f.Fuzz(func(t *testing.T, name, value string) {
		labels := labelsOf(&Delivery{Alert: Alert{ID: value, Severity: value, Labels: []Pair{{name, value}, {"x", value}}}})
		if labels["alertname"] != AlertName {
			t.Errorf("%v", labels)
		}
		for name, value := range labels {
			if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != "" || name[0] >= '0' && name[0] <= '9' || len(name) > maxLabelName {
				t.Errorf("name %q", name)
			}
			if value == "" || !utf8.ValidString(value) || len(value) > maxLabelValue || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '\u202e' }) {
				t.Errorf("value %q", value)
			}
		}
	})
}
