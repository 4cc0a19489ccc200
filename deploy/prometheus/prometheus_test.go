// Package prometheus_test tries the rules and the dashboard in this directory on the real programs.
package prometheus_test

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/metrics"
)

func TestPromtool(t *testing.T) {
	promtool := program(t, "promtool")
	for _, args := range [][]string{
		{"check", "rules", "alerts.rules.yml", "recording.rules.yml"}, {"test", "rules", "tests.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestRealPrometheus scrapes a host as text and, for native histograms, as protobuf.
func TestRealPrometheus(t *testing.T) {
	for name, test := range map[string]struct {
		flags         []string
		there, absent string
	}{
		"text": {nil, "tcptrail_state_duration_seconds_bucket", "tcptrail_state_duration_seconds"},
		"native histograms": {
			[]string{"--enable-feature=native-histograms"},
			"histogram_count(tcptrail_state_duration_seconds) > 0", "tcptrail_state_duration_seconds_bucket",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h host
			target := httptest.NewServer(metrics.Handler(&h, metrics.Options{MaxAge: 1}))
			defer target.Close()
			s := startPrometheus(t, target.Listener.Addr().String(), test.flags...)
			s.wantNumbers(t, "durations", test.there)
			if found, err := s.query(test.absent); err != nil || len(found) > 0 {
				t.Errorf("%s: %d samples, %v", test.absent, len(found), err)
			}
			whenWell(t, s)
			h.ill.Store(true)
			whenIll(t, s, target)
		})
	}
}

// whenWell runs every query of the dashboard and every rule on a host on which all is well.
func whenWell(t *testing.T, s *server) {
	t.Helper()
	for what, expression := range readDashboard(t).queries() {
		s.wantNumbers(t, what, expression)
	}
	definition := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, v := range readDashboard(t).Templating.List {
		if v.Type != "query" {
			continue
		}
		parts := definition.FindStringSubmatch(v.Definition)
		if parts == nil {
			t.Errorf("%s: %q is no label_values()", v.Name, v.Definition)
			continue
		}
		var values []string
		err := s.get("/api/v1/label/"+parts[2]+"/values", url.Values{"match[]": {substitute(parts[1])}}, &values)
		if err != nil || len(values) != 1 {
			t.Errorf("%s: %q, %v", v.Name, values, err)
		}
	}
	everyMetricIsShown(t, s)
	tested := read(t, "tests.yml")
	for _, r := range s.rules(t) {
		if !strings.Contains(tested, r.Name) {
			t.Errorf("%s has no case in tests.yml", r.Name)
		}
		if r.Type == "recording" {
			s.wantNumbers(t, r.Name, r.Name)
			s.wantNumbers(t, r.Name, r.Query)
			continue
		}
		s.wantNothing(t, r.Name, r.Query)
	}
}

// everyMetricIsShown holds that the dashboard has all that there is.
func everyMetricIsShown(t *testing.T, s *server) {
	t.Helper()
	var names []string
	if err := s.get("/api/v1/label/__name__/values", url.Values{"match[]": {`{__name__=~"tcptrail_.+"}`}}, &names); err != nil {
		t.Fatal(err)
	}
	if len(names) < 30 {
		t.Errorf("%d metrics: %v", len(names), names)
	}
	dashboard := read(t, "dashboard.json")
	for _, name := range names {
		if !regexp.MustCompile(name + `\b`).MatchString(dashboard) {
			t.Errorf("%s is not on the dashboard", name)
		}
	}
}

// whenIll waits until every alert has a reason, and at last takes the host away.
func whenIll(t *testing.T, s *server, target *httptest.Server) {
	t.Helper()
	alerts := map[string]string{}
	for _, r := range s.rules(t) {
		if r.Type == "alerting" {
			alerts[r.Name] = r.Query
		}
	}
	if len(alerts) < 9 || alerts["TcptrailDown"] == "" {
		t.Fatalf("alerts: %v", alerts)
	}
	down := alerts["TcptrailDown"]
	delete(alerts, "TcptrailDown")
	for name, expression := range alerts {
		s.wantNumbers(t, name, expression)
	}
	wantReadable(t, s, alerts)
	target.Close()
	s.wantNumbers(t, "TcptrailDown", down)
	wantReadable(t, s, map[string]string{"TcptrailDown": down})
}

// wantReadable waits until alerts are shown, and looks for what templates leave that name what is not there.
func wantReadable(t *testing.T, s *server, alerts map[string]string) {
	t.Helper()
	var shown map[string]string
	eventually(t, "alerts are shown", func() error {
		shown = s.annotations(t)
		for name := range alerts {
			if shown[name] == "" {
				return errors.New(name + " is not")
			}
		}
		return nil
	})
	for name, text := range shown {
		if strings.Contains(text, "error") || strings.Contains(text, "<no value>") || strings.Contains(text, "()") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
