package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/tcptrail/tcptrail/internal/traffic"
)

// eventReader reads events until its stream ends.
type eventReader struct {
	body io.ReadCloser
	over chan struct{} // closed when the stream has ended

	mu   sync.Mutex
	came int         // transitions
	sum  hash.Hash64 // of their data, in order
	lost int         // as it was told
}

// follow opens a stream of the stage's events.
func (s *stage) follow(client *http.Client) *eventReader {
	s.Helper()
	answer, err := client.Get("http://localhost" + s.events())
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != http.StatusOK {
		s.Fatalf("events: %s", answer.Status)
	}
	f := &eventReader{body: answer.Body, over: make(chan struct{}), sum: fnv.New64a()}
	go f.read()
	return f
}

func (s *stage) events() string { return fmt.Sprint("/api/v1/events?filter=netns+", s.ns.Inode()) }

func (f *eventReader) read() {
	defer close(f.over)
	name := ""
	for lines := bufio.NewScanner(f.body); lines.Scan(); {
		line := lines.Text()
		if after, ok := strings.CutPrefix(line, "event: "); ok {
			name = after
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		f.mu.Lock()
		switch name {
		case "transition":
			f.came++
			_, _ = io.WriteString(f.sum, data+"\n")
		case "lost":
			n := 0
			_, _ = fmt.Sscanf(data, `{"lost":%d}`, &n)
			f.lost += n
		}
		f.mu.Unlock()
	}
}

// told returns how many events came, and how many were said to be lost.
func (f *eventReader) told() (came, lost int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.came, f.lost
}

// ofBurst is how many transitions a burst is: those of its connections, and of a listener a worker that comes and goes.
func ofBurst(workers, each int) int { return workers * (each*traffic.TransitionsPerConnection + 2) }

// metric returns a metric without labels.
func metric(t *testing.T, client *http.Client, name string) (value float64) {
	t.Helper()
	for line := range strings.Lines(ask(t, client, "/metrics")) {
		if n, _ := fmt.Sscanf(line, name+" %g", &value); n == 1 {
			return value
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

func terminate(t *testing.T, r *tracer) {
	t.Helper()
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != ExitDone {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
}

// A reader that vanishes, and one that stops reading, cost those that go on nothing: each event comes, or is told as lost.
func TestPrivilegedServeReadersThatVanish(t *testing.T) {
	s := newStage(t)
	r, client := startServe(t)
	stay := []*eventReader{s.follow(client), s.follow(client)}
	leaves := s.follow(client)
	stops := s.neverRead(client)
	const rounds, workers, each = 10, 2, 250 // more lines than a stream holds, with what a socket's buffer takes
	made := 0
	for round := range rounds {
		s.burst(workers, each)
		made += ofBurst(workers, each)
		if round == 1 {
			eventually(t, "it is in the middle", func() bool { came, _ := leaves.told(); return came > 0 })
			leaves.body.Close()
			eventually(t, "the stream of who left has ended", func() bool { return metric(t, client, "tcptrail_stream_subscribers") == 3 })
		}
		for i, f := range stay {
			eventually(t, fmt.Sprintf("reader %d is told of all", i), func() bool {
				came, lost := f.told()
				return came+lost >= made
			})
		}
	}
	for i, f := range stay {
		if came, lost := f.told(); came+lost != made {
			t.Errorf("reader %d: %d came, %d are told as lost, of %d", i, came, lost, made)
		}
	}
	eventually(t, "who does not read loses", func() bool { return metric(t, client, "tcptrail_stream_dropped_lines_total") > 0 })
	terminate(t, r)
	for _, f := range stay {
		if _, ok := receive(f.over); !ok {
			t.Error("a stream goes on after the end")
		}
	}
	stops.Close()
}

// neverRead asks for events over a connection of its own and reads the head of the answer alone.
func (s *stage) neverRead(client *http.Client) net.Conn {
	s.Helper()
	c, err := client.Transport.(*http.Transport).DialContext(s.Context(), "", "")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", s.events()); err != nil {
		s.Fatal(err)
	}
	status, err := bufio.NewReaderSize(c, 16).ReadString('\n')
	if err != nil || !strings.Contains(status, "200") {
		s.Fatalf("%q, %v", status, err)
	}
	return c
}

// Readers in their hundreds get the same transitions in the same order.
func TestPrivilegedServeReaders(t *testing.T) {
	s := newStage(t)
	r, client := startServe(t)
	readers := make([]*eventReader, 200)
	for i := range readers {
		readers[i] = s.follow(client)
	}
	const workers, each = 2, 20
	s.burst(workers, each)
	made := ofBurst(workers, each)
	for i, f := range readers {
		eventually(t, fmt.Sprintf("reader %d has all", i), func() bool {
			came, lost := f.told()
			return came+lost >= made
		})
	}
	terminate(t, r)
	for i, f := range readers {
		if _, ok := receive(f.over); !ok {
			t.Fatalf("stream %d goes on after the end", i)
		}
		if came, lost := f.told(); came != made || lost != 0 || f.sum.Sum64() != readers[0].sum.Sum64() {
			t.Errorf("reader %d: %d came, %d lost, of %d; as the first: %t", i, came, lost, made, f.sum.Sum64() == readers[0].sum.Sum64())
		}
	}
}

// Scrapes while connections come and go as fast as they can are whole, and no counter goes back.
func TestPrivilegedServeScrapesUnderLoad(t *testing.T) {
	s := newStage(t)
	r, client := startServe(t)
	stop := s.ns.Churn(t, 2)
	last := map[string]float64{}
	const scrapes = 20
	first := 0.0
	for i := range scrapes {
		now := counters(t, ask(t, client, "/metrics"))
		for name, before := range last {
			if value, ok := now[name]; !ok || value < before {
				t.Errorf("scrape %d: %s is %v (there: %t), was %v", i, name, value, ok, before)
			}
		}
		if last = now; i == 0 {
			first = now["tcptrail_events_seen_total"]
		}
		eventually(t, "more is seen", func() bool {
			return metric(t, client, "tcptrail_events_seen_total") > now["tcptrail_events_seen_total"]
		})
	}
	made := float64(stop()) * traffic.TransitionsPerConnection
	eventually(t, "all are seen", func() bool { return metric(t, client, "tcptrail_events_seen_total") >= made })
	var now map[string]float64
	eventually(t, "the books balance", func() bool { // others make transitions, too, and some are on their way
		now = counters(t, ask(t, client, "/metrics"))
		return now["tcptrail_events_seen_total"] ==
			now["tcptrail_events_delivered_total"]+now["tcptrail_events_lost_total"]+now["tcptrail_events_filtered_total"]
	})
	seen := now["tcptrail_events_seen_total"]
	if first >= seen {
		t.Errorf("seen %v, at first %v", seen, first)
	}
	transitions := 0.0
	for name, value := range now {
		if strings.HasPrefix(name, "tcptrail_transitions_total{") {
			transitions += value
		}
	}
	if transitions < made {
		t.Errorf("%v transitions by state, of %v that were made", transitions, made)
	}
	terminate(t, r)
}

// counters returns all counters of a scrape, with their labels, and the counts of histograms. A scrape that cannot be parsed
// is an error.
func counters(t *testing.T, text string) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	decoder := expfmt.NewDecoder(bytes.NewReader([]byte(text)), expfmt.NewFormat(expfmt.TypeTextPlain))
	for {
		var family dto.MetricFamily
		err := decoder.Decode(&family)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for _, m := range family.Metric {
			if !strings.HasPrefix(family.GetName(), "tcptrail_") {
				continue
			}
			name := family.GetName() + labelsOf(m)
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				values[name] = m.GetCounter().GetValue()
			case dto.MetricType_HISTOGRAM:
				values[name] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	if len(values) == 0 {
		t.Fatalf("no counter in %s", text)
	}
	return values
}

// labelsOf returns what stands after a metric's name.
func labelsOf(m *dto.Metric) string {
	if len(m.Label) == 0 {
		return ""
	}
	labels := model.Metric{}
	for _, l := range m.Label {
		labels[model.LabelName(l.GetName())] = model.LabelValue(l.GetValue())
	}
	return labels.String()
}
