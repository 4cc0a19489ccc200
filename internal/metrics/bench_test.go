package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkScrape is one scrape of a host with ten thousand processes and cgroups: with a reading of its own, as a lone
// scraper has it, and with one that is shared. What it takes to read the host is not in it.
func BenchmarkScrape(b *testing.B) {
	r := crowd(10_000)
	for _, format := range []struct{ name, accept string }{
		{"text", ""},
		{"openmetrics", "application/openmetrics-text;version=1.0.0"},
		{"protobuf", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"},
	} {
		for _, reading := range []struct {
			name string
			o    Options
		}{{"own", Options{MaxAge: 1}}, {"shared", Options{MaxAge: 1 << 60}}} {
			b.Run(format.name+"/"+reading.name, func(b *testing.B) {
				h := Handler(fixed{r}, reading.o)
				request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
				request.Header.Set("Accept", format.accept)
				b.ReportAllocs()
				size := 0
				for b.Loop() {
					var w counted
					h.ServeHTTP(&w, request)
					size = w.size
				}
				b.ReportMetric(float64(size), "bytes")
				b.ReportMetric(float64(seriesOf(h)), "series")
			})
		}
	}
}

// counted is a writer of answers that only counts.
type counted struct {
	header http.Header
	size   int
}

func (c *counted) Header() http.Header {
	if c.header == nil {
		c.header = http.Header{}
	}
	return c.header
}

func (c *counted) WriteHeader(int) {}

func (c *counted) Write(b []byte) (int, error) {
	c.size += len(b)
	return len(b), nil
}

// seriesOf counts the lines that are no comments.
func seriesOf(h http.Handler) int {
	answer := scrape(h, "")
	n := 0
	for line := range strings.Lines(answer.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n
}
