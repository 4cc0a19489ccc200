package output

import (
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// benchmark writes connections; an event is one operation.
func benchmark(b *testing.B, o Options, events []tcp.Event) {
	o.Location = time.UTC
	w := New(io.Discard, o)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := w.Event(&events[i]); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(events) {
			i = 0
		}
	}
}

func BenchmarkJSON(b *testing.B)  { benchmark(b, Options{Format: JSON}, connection()) }
func BenchmarkCSV(b *testing.B)   { benchmark(b, Options{Format: CSV}, connection()) }
func BenchmarkTable(b *testing.B) { benchmark(b, Options{Width: 120, Color: true}, connection()) }
func BenchmarkWide(b *testing.B)  { benchmark(b, Options{Format: Wide}, connection()) }

func BenchmarkJSONIPv6(b *testing.B) {
	events := connection()
	for i := range events {
		events[i].Local = netip.MustParseAddrPort("[2001:db8:85a3:8d3:1319:8a2e:370:7348]:54321")
		events[i].Remote = netip.MustParseAddrPort("[2606:2800:220:1::1946]:443")
		events[i].Family = tcp.Inet6
	}
	benchmark(b, Options{Format: JSON}, events)
}

func BenchmarkJSONHostile(b *testing.B) {
	events := connection()
	for i := range events {
		events[i].Comm = comm("\x1b[31m\"\xff\n")
	}
	benchmark(b, Options{Format: JSON}, events)
}
