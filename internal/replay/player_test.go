package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const begun = int64(1_800_000_000_000_000_000)

func transition(cookie uint64, at int64, old, now tcp.State) tcp.Event {
	return tcp.Event{
		Time: begun + at, Mono: at, Cookie: cookie, NetNS: 7, Family: tcp.Inet, Old: old, New: now, PID: 42, Evidence: tcp.EvidenceConnect,
		Local: netip.MustParseAddrPort("10.0.0.1:40000"), Remote: netip.MustParseAddrPort("10.0.0.2:80"), SRTT: tcp.Unknown,
	}
}

// files are segments in memory, which count how many are open.
type files struct{ open, most int }

type file struct {
	io.Reader
	of *files
}

func (f file) Close() error {
	f.of.open--
	return nil
}

func (f *files) segment(name string, text []byte) Segment {
	return Segment{Name: name, Open: func() (io.ReadCloser, error) {
		f.open++
		f.most = max(f.most, f.open)
		return file{bytes.NewReader(text), f}, nil
	}}
}

// play returns all lines.
func play(t *testing.T, streams []Stream) (records []record.Record, stats Stats) {
	t.Helper()
	p, err := Open(streams)
	if err != nil {
		t.Fatal(err)
	}
	for {
		r, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, *r)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	return records, p.Stats()
}

// Lines that went to many files come in the order in which they were made.
func TestOrder(t *testing.T) {
	const streams, lines = 50, 20_000
	random := rand.New(rand.NewPCG(1, 1))
	e := record.NewEncoder(begun)
	texts := make([][][]byte, streams)
	for i := range lines {
		k := random.IntN(streams)
		if random.IntN(200) == 0 || texts[k] == nil {
			texts[k] = append(texts[k], nil)
		}
		event := transition(uint64(i), random.Int64N(1e9), tcp.Established, tcp.CloseWait) // late ones, too
		last := len(texts[k]) - 1
		texts[k][last] = e.Transition(texts[k][last], &event)
	}
	var f files
	var all []Stream
	for i, segments := range texts {
		s := Stream{f.segment("empty", nil)}
		for j, text := range segments {
			s = append(s, f.segment(fmt.Sprintf("%d.%d", i, j), text))
		}
		all = append(all, s)
	}
	got, stats := play(t, append(all, Stream{}, Stream{f.segment("empty", nil)}))
	if len(got) != lines || stats.Lines != lines || stats.Bad+stats.Torn != 0 {
		t.Fatalf("%d lines, %+v", len(got), stats)
	}
	for i := range got {
		if got[i].Event.Cookie != uint64(i) {
			t.Fatalf("line %d is %d", i, got[i].Event.Cookie)
		}
	}
	if f.open != 0 || f.most > 2 {
		t.Errorf("%d files are open, %d at once", f.open, f.most)
	}
}

// What is damaged is counted, and what is not is read: a line that a crash has torn, one that is none, one of a later version.
func TestDamage(t *testing.T) {
	e := record.NewEncoder(begun)
	event := transition(1, 5, tcp.Established, tcp.CloseWait)
	good := string(e.Transition(nil, &event))
	again := string(e.Transition(nil, &event))
	loss := string(e.Loss(nil, begun, 12))
	var f files
	text := "\n\x00garbage\n" + good + `{"event":"of a later version"}` + "\n" + strings.Replace(good, "CLOSE_WAIT", "CLOSED", 1) + loss + good[:50]
	got, stats := play(t, []Stream{{f.segment("torn", []byte(text)), f.segment("next", []byte(again))}})
	if len(got) != 3 || stats.Bad != 2 || stats.Torn != 1 || stats.Strange != 1 || stats.Lost != 12 {
		t.Errorf("%d lines, %+v", len(got), stats)
	}
	if stats.First == nil || !strings.HasPrefix(stats.First.Error(), "torn: ") {
		t.Errorf("first: %v", stats.First)
	}
	endless := Segment{Name: "endless", Open: func() (io.ReadCloser, error) { return io.NopCloser(zeros{}), nil }}
	if _, err := Open([]Stream{{endless}}); err == nil || !strings.Contains(err.Error(), "endless: a line of more than") {
		t.Errorf("endless: %v", err)
	}
	broken := Segment{Name: "broken", Open: func() (io.ReadCloser, error) { return nil, io.ErrUnexpectedEOF }}
	if _, err := Open([]Stream{{broken}}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("broken: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}

// Lines of trace have no numbers: they come as they stand, and those of several files by their time.
func TestLinesOfTraceByTime(t *testing.T) {
	line := func(cookie int, at time.Duration) string {
		return fmt.Sprintf(`{"time":%q,"event":"transition","cookie":"%x","old":"ESTABLISHED","new":"CLOSE_WAIT"}`+"\n",
			time.Unix(0, begun).Add(at).UTC().Format(time.RFC3339Nano), cookie)
	}
	var f files
	got, _ := play(t, []Stream{
		{f.segment("a", []byte(line(1, 0)+line(4, 5*time.Second)))}, {f.segment("b", []byte(line(2, time.Second)+line(3, 0)))},
	})
	for i := range got {
		if got[i].Event.Cookie != uint64(i+1) {
			t.Errorf("line %d is %d", i, got[i].Event.Cookie)
		}
	}
}

func BenchmarkPlay(b *testing.B) {
	e := record.NewEncoder(begun)
	var text []byte
	const lines = 10_000
	for i := range lines {
		event := transition(uint64(i), int64(i), tcp.Established, tcp.CloseWait)
		text = e.Transition(text, &event)
	}
	var f files
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		p, err := Open([]Stream{{f.segment("a", text)}})
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = p.Next()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/lines, "ns/line")
}
