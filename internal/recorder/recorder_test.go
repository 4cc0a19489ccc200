package recorder

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/archive"
	"github.com/tcptrail/tcptrail/internal/record"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// shelf is a store in memory.
type shelf struct {
	streams map[string][]byte
	keys    []archive.Keys
	flushed int
	mark    uint64
}

func (s *shelf) Append(stream string, line []byte, k archive.Keys) {
	s.streams[stream] = append(s.streams[stream], line...)
	s.keys = append(s.keys, k)
}

func (s *shelf) Flush()                 { s.flushed++ }
func (s *shelf) Mark() uint64           { return s.mark }
func (s *shelf) SetMark(m uint64) error { s.mark = m; return nil }

func (s *shelf) names() []string { return slices.Sorted(maps.Keys(s.streams)) }

// host has processes, by pid and start.
type host struct {
	started map[uint32]time.Duration
	asked   int
}

func (h *host) begin(pid uint32) (time.Duration, bool) {
	h.asked++
	since, ok := h.started[pid]
	return since, ok
}

func newRecorder(t *testing.T, h *host, whole bool) (*Recorder, *shelf) {
	t.Helper()
	s := &shelf{streams: map[string][]byte{}}
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	r, err := New(s, Options{Whole: whole, Started: h.begin, Now: now, Session: record.SessionInfo{Host: "h"}})
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

func event(pid uint32, comm string, seconds int64) *tcp.Event {
	e := &tcp.Event{PID: pid, Mono: seconds * 1e9, Cookie: 7, Old: tcp.Established, New: tcp.CloseWait, InOld: tcp.Unknown, SRTT: tcp.Unknown}
	copy(e.Comm[:], comm)
	return e
}

// A process has a stream of its own: not one with the next of the same pid, and not one for what its name was before.
func TestStreams(t *testing.T) {
	h := &host{started: map[uint32]time.Duration{42: 100 * time.Second}}
	r, s := newRecorder(t, h, false)
	for range 1000 {
		r.Event(event(42, "web", 1))
	}
	if h.asked != 1 {
		t.Errorf("asked %d times for one process", h.asked)
	}
	r.Event(event(42, "web2", 2)) // it has executed another program
	r.Event(event(0, "", 3))
	r.Event(event(43, "short", 3)) // it was gone before it could be asked for
	h.started[42] = 200 * time.Second
	r.Event(event(42, "web2", 4)) // the very pid again within seconds is still taken for the same
	r.Event(event(42, "web2", 100))
	delete(h.started, 42)
	r.Event(event(42, "web2", 200)) // it has ended meanwhile
	want := []string{HostStream, "short-43-gone", "unowned", "web-42-10000", "web2-42-10000", "web2-42-20000"}
	if got := s.names(); !slices.Equal(got, want) {
		t.Errorf("streams %q, want %q", got, want)
	}
	if got := bytes.Count(s.streams["web2-42-20000"], []byte("\n")); got != 2 || r.Written() != 1006 {
		t.Errorf("%d lines, %d in all", got, r.Written())
	}
	if k := s.keys[1]; k.Cookie != 7 || k.PID != 42 {
		t.Errorf("keys %+v", k)
	}
}

func TestManyProcessesAreForgotten(t *testing.T) {
	r, _ := newRecorder(t, &host{}, false)
	for pid := range uint32(maxNames + 100) {
		r.Event(event(pid+1, "x", 1))
	}
	if n := len(r.names.known); n > maxNames {
		t.Errorf("%d names are kept", n)
	}
}

// All that there is can be read again, in the order in which it happened.
func TestSessionInOneStream(t *testing.T) {
	r, s := newRecorder(t, &host{}, true)
	r.Event(event(42, "web", 1))
	if err := r.Look(5, &tcp.Snapshot{Sockets: []tcp.Socket{{Cookie: 7, Seen: 9, Family: tcp.Inet, State: tcp.CloseWait}}}, &record.Look{Now: 9}); err != nil {
		t.Fatal(err)
	}
	r.Lost(3)
	r.Event(event(0, "", 2))
	r.Flush()
	r.End()
	if len(s.streams) != 1 || s.flushed != 2 {
		t.Errorf("%q, flushed %d times", s.names(), s.flushed)
	}
	var d record.Decoder
	var kinds []string
	last := uint64(0)
	for line := range bytes.Lines(s.streams[HostStream]) {
		var x record.Record
		if err := d.Decode(line, &x); err != nil || x.Seq <= last {
			t.Fatalf("%v: %s", err, line)
		}
		last = x.Seq
		kinds = append(kinds, x.Kind.String())
	}
	if got, want := strings.Join(kinds, " "), "session transition watched look loss transition end"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestEventDoesNotAllocate(t *testing.T) {
	r, s := newRecorder(t, &host{}, false)
	e := event(42, "web", 1)
	r.Event(e)
	s.streams["web-42-gone"] = make([]byte, 0, 1<<20)
	s.keys = make([]archive.Keys, 0, 1000)
	if n := testing.AllocsPerRun(100, func() { r.Event(e) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func BenchmarkEvent(b *testing.B) {
	a, err := archive.Open(archive.Options{
		Dir: b.TempDir(), SegmentBytes: 1 << 40, SegmentAge: time.Hour, MaxBytes: 1 << 40, MaxFiles: 1000, Now: time.Now, Warn: func(string) {},
	})
	if err != nil {
		b.Fatal(err)
	}
	h := &host{started: map[uint32]time.Duration{}}
	for pid := range uint32(100) {
		h.started[pid] = time.Duration(pid) * time.Second
	}
	r, err := New(a, Options{Started: h.begin, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	e := event(1, "web", 1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.PID, e.Cookie = uint32(i%100), uint64(i)
		r.Event(e)
		if i%500 == 499 {
			r.Flush()
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(a.Stats().Bytes)/float64(b.N), "B/event")
	if err := a.Close(); err != nil {
		b.Fatal(err)
	}
}
