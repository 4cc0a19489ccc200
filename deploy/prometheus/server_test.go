package prometheus_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program returns where a program of the Debian package prometheus is.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing := name + " is not there: install the Debian package prometheus"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing) // on Debian it would start a daemon, which is for the user to decide
	}
	return path
}

// server is a Prometheus that scrapes one target on loopback and evaluates the rules in this directory.
type server struct{ url string }

const config = `
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [%q]
scrape_configs: [{job_name: tcptrail, static_configs: [{targets: [%q]}]}]
`

// startPrometheus starts the real program. It ends with the test.
func startPrometheus(t *testing.T, target string, flags ...string) *server {
	t.Helper()
	path := program(t, "prometheus")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, filepath.Join(here, "*.rules.yml"), target), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	var output bytes.Buffer
	cmd := exec.Command(path, append(flags, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")...)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	s := &server{url: "http://" + address}
	eventually(t, "prometheus is ready", func() error {
		answer, err := http.Get(s.url + "/-/ready")
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", answer.StatusCode)
		}
		return nil
	})
	return s
}

// freeAddress returns one on loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// get asks the API and reads the data of its answer.
func (s *server) get(path string, parameters url.Values, data any) error {
	answer, err := http.Get(s.url + path + "?" + parameters.Encode())
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	envelope := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	if envelope.Status != "success" {
		return fmt.Errorf("%s: %s", envelope.Status, envelope.Error)
	}
	return nil
}

// sample is one element of an instant vector: a number, or a histogram.
type sample struct {
	Metric    map[string]string
	Value     []any
	Histogram []any
}

// isNumber says whether there is a value, which NaN is not.
func (s *sample) isNumber() bool {
	return len(s.Histogram) > 0 || len(s.Value) == 2 && s.Value[1] != "NaN"
}

func (s *server) query(expression string) ([]sample, error) {
	var data struct {
		ResultType string
		Result     []sample
	}
	err := s.get("/api/v1/query", url.Values{"query": {expression}}, &data)
	if err == nil && data.ResultType != "vector" {
		err = fmt.Errorf("a %s is no vector", data.ResultType)
	}
	return data.Result, err
}

// wantNumbers polls until a query has a number for an answer. An error is one at once.
func (s *server) wantNumbers(t *testing.T, what, expression string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s has numbers: %s", what, expression), func() error {
		result, err := s.query(expression)
		if err != nil {
			t.Fatalf("%s: %v: %s", what, err, expression)
		}
		for i := range result {
			if result[i].isNumber() {
				return nil
			}
		}
		return fmt.Errorf("%d samples, and no number", len(result))
	})
}

// wantNothing polls until a query has no answer.
func (s *server) wantNothing(t *testing.T, what, expression string) {
	t.Helper()
	eventually(t, what+" has no answer: "+expression, func() error {
		result, err := s.query(expression)
		if err == nil && len(result) > 0 {
			err = fmt.Errorf("%v", result)
		}
		return err
	})
}

type rule struct{ Name, Query, Type, Health, LastError string }

// rules returns those that the server evaluates, when it has evaluated all of them.
func (s *server) rules(t *testing.T) []rule {
	t.Helper()
	var all []rule
	eventually(t, "all rules were evaluated", func() error {
		var data struct{ Groups []struct{ Rules []rule } }
		if err := s.get("/api/v1/rules", nil, &data); err != nil {
			return err
		}
		all = nil
		for _, g := range data.Groups {
			all = append(all, g.Rules...)
		}
		for _, r := range all {
			if r.Health != "ok" {
				return fmt.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
		return nil
	})
	return all
}

// annotations returns those of all alerts that are pending or fire, by the alert's name.
func (s *server) annotations(t *testing.T) map[string]string {
	t.Helper()
	var data struct {
		Alerts []struct{ Labels, Annotations map[string]string }
	}
	if err := s.get("/api/v1/alerts", nil, &data); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, a := range data.Alerts {
		all[a.Labels["alertname"]] = a.Annotations["summary"] + "\n" + a.Annotations["description"]
	}
	return all
}

// eventually polls a condition, which returns why it does not hold.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
