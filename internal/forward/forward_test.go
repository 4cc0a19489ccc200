package forward

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// transition returns one of a connection of process 42.
func transition(cookie uint64) *tcp.Event {
	e := &tcp.Event{
		Time: 1_700_000_000_123_456_789, InOld: 1500 * time.Millisecond, Cookie: cookie, NetNS: 4026532001, UID: 33, PID: 42,
		Evidence: tcp.EvidenceAccept, Family: tcp.Inet, Old: tcp.Established, New: tcp.CloseWait, SRTT: tcp.Unknown,
		Local: netip.MustParseAddrPort("10.0.0.1:443"), Remote: netip.MustParseAddrPort("10.0.0.2:40000"),
	}
	copy(e.Comm[:], "web")
	return e
}

// fake is a log that does what a test says, and keeps what it has taken.
type fake struct {
	mu     sync.Mutex
	got    []string
	err    error         // of each Send
	room   int           // messages until err
	hold   chan struct{} // while not nil, Send waits for it, or for its context
	sends  int
	closed int
}

func (f *fake) Name() string { return "fake" }

func (f *fake) Transition(b []byte, e *tcp.Event) []byte { return fmt.Appendf(b, "%d", e.Cookie) }

func (f *fake) Loss(b []byte, _ time.Time, n uint64, cause string) []byte {
	return fmt.Appendf(b, "lost %d: %s", n, cause)
}

func (f *fake) Send(ctx context.Context, messages ...[]byte) (int, error) {
	f.mu.Lock()
	f.sends++
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, m := range messages {
		if f.err != nil && f.room == 0 {
			return i, f.err
		}
		f.room = max(f.room-1, 0)
		f.got = append(f.got, string(m))
	}
	return len(messages), nil
}

func (f *fake) Close() error {
	f.closed++
	return nil
}

func (f *fake) does(err error, room int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.room = err, room
}

func (f *fake) messages() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sends
}

// ear hears warnings.
type ear struct {
	mu   sync.Mutex
	said []string
}

func (e *ear) warn(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said = append(e.said, text)
}

func (e *ear) all() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.said, "\n")
}

// eventually waits for a condition of the real world.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after 20 s: %s", what)
		}
	}
}

// quick are times in which tests need not wait long, but a machine that stands still for a moment is no failure.
var quick = times{send: 20 * time.Second, retry: time.Millisecond, calm: 5 * time.Millisecond}

func numbers(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func give(f *Forwarder, from, to int) {
	for i := from; i < to; i++ {
		f.Event(transition(uint64(i)))
	}
	f.Flush()
}

func TestForward(t *testing.T) {
	l, e := &fake{}, &ear{}
	f := begin(l, e.warn, quick)
	give(f, 0, 200)
	eventually(t, "all are there", func() bool { return f.Stats().Sent == 200 })
	f.Lost(3)
	eventually(t, "the loss is there", func() bool { return len(l.messages()) == 201 })
	give(f, 200, 203)
	if err := f.Close(t.Context()); err != nil || l.closed != 1 {
		t.Error(err, l.closed)
	}
	f.Event(transition(1)) // is not taken any more
	want := append(numbers(0, 200), "lost 3: the buffer between the kernel and tcptrail was full")
	want = append(want, numbers(200, 203)...)
	if got := l.messages(); !slices.Equal(got, want) || f.Stats() != (Stats{Sent: 203, Lost: 1}) || e.all() != "" {
		t.Errorf("%q, %+v, %s", got, f.Stats(), e.all())
	}
}

// What a log does not take is tried again, in order, and nothing comes twice; word of that is given once at its beginning and
// once at its end.
func TestTrouble(t *testing.T) {
	l, e := &fake{}, &ear{}
	f := begin(l, e.warn, quick)
	l.does(errors.New("gone"), 70) // in the middle of the second chunk
	give(f, 0, 200)
	eventually(t, "it is tried again", func() bool { return l.count() > 10 })
	l.does(nil, 0)
	eventually(t, "all are there, and it is said", func() bool {
		return f.Stats().Sent == 200 && strings.Contains(e.all(), "again")
	})
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	want := "fake: send: gone: transitions wait, and are lost when there are too many\nfake: takes transitions again: 0 were lost"
	if got := l.messages(); !slices.Equal(got, numbers(0, 200)) || e.all() != want {
		t.Errorf("%q, %s", got, e.all())
	}
}

// Whoever hands transitions over does not wait for a log that stands still; what there is no room for is counted, and the log
// has word of it, where it is missing.
func TestStall(t *testing.T) {
	l, e := &fake{hold: make(chan struct{})}, &ear{}
	f := begin(l, e.warn, quick)
	give(f, 0, 1)
	eventually(t, "it stands still", func() bool { return l.count() == 1 })
	give(f, 1, maxWaiting+101)
	if got := f.Stats(); got != (Stats{Lost: 100}) {
		t.Errorf("%+v", got)
	}
	close(l.hold)
	eventually(t, "it is said", func() bool { return strings.Contains(e.all(), "again") })
	give(f, 99999, 100000)
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	want := append(numbers(0, maxWaiting+1), "lost 100: this log did not take them in time", "99999")
	if got := l.messages(); !slices.Equal(got, want) || f.Stats() != (Stats{Sent: maxWaiting + 2, Lost: 100}) {
		t.Errorf("%d messages, %q; %+v", len(got), got[max(0, len(got)-3):], f.Stats())
	}
	if got, want := e.all(), "fake: does not keep up: transitions are lost\nfake: takes transitions again: 100 were lost"; got != want {
		t.Error(got)
	}
}

// A log that takes a little and fails, again and again, is told of once.
func TestFlapping(t *testing.T) {
	l, e := &fake{}, &ear{}
	f := begin(l, e.warn, times{send: quick.send, retry: time.Millisecond, calm: time.Hour})
	for i := range 20 {
		l.does(errors.New("refused"), 1)
		give(f, 2*i, 2*i+2)
		eventually(t, "it fails", func() bool { return len(l.messages()) == 2*i+1 })
		l.does(nil, 0)
		eventually(t, "it goes on", func() bool { return len(l.messages()) == 2*i+2 })
	}
	if err := f.Close(t.Context()); err != nil || strings.Count(e.all(), "\n") != 0 || !strings.Contains(e.all(), "refused") {
		t.Errorf("%v, %s", err, e.all())
	}
}

// A message that the log will never take does not keep the others.
func TestTooLarge(t *testing.T) {
	l, e := &fake{}, &ear{}
	f := begin(l, e.warn, times{send: quick.send, retry: time.Hour, calm: quick.calm})
	l.does(fmt.Errorf("write: %w", syscall.EMSGSIZE), 1)
	give(f, 0, 1)
	eventually(t, "the first is there", func() bool { return f.Stats().Sent == 1 })
	give(f, 1, 2)
	eventually(t, "the second is given up", func() bool { return f.Stats().Lost == 1 })
	l.does(nil, 0)
	eventually(t, "that is said", func() bool { return strings.HasSuffix(e.all(), "takes transitions again: 1 were lost") })
	give(f, 2, 3)
	if err := f.Close(t.Context()); err != nil || f.Stats() != (Stats{Sent: 2, Lost: 1}) || !strings.Contains(e.all(), "message too long") {
		t.Errorf("%v, %+v, %s", err, f.Stats(), e.all())
	}
	if got := l.messages(); got[0] != "0" || !slices.Contains(got, "2") || slices.Contains(got, "1") {
		t.Errorf("%q", got)
	}
}

// Close does not wait for a log that stands still, nor for one that has failed, and what was left is lost.
func TestCloseInTrouble(t *testing.T) {
	l, e := &fake{hold: make(chan struct{})}, &ear{}
	f := begin(l, e.warn, quick)
	give(f, 0, 10)
	eventually(t, "it stands still", func() bool { return l.count() > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := f.Close(ctx); err != nil || f.Stats() != (Stats{Lost: 10}) || l.closed != 1 {
		t.Errorf("%v, %+v", err, f.Stats())
	}
	l = &fake{err: errors.New("gone")}
	f = begin(l, e.warn, times{send: quick.send, retry: time.Hour, calm: time.Hour})
	give(f, 0, 10)
	eventually(t, "it has failed", func() bool { return l.count() > 0 })
	if err := f.Close(t.Context()); err != nil || f.Stats() != (Stats{Lost: 10}) {
		t.Errorf("%v, %+v", err, f.Stats())
	}
}

func TestRate(t *testing.T) {
	var r rate
	start := time.Unix(1_700_000_000, 0)
	for i, test := range []struct {
		after time.Duration
		n     int
		want  bool
	}{
		{0, journalBurst, false},
		{journalInterval, journalBurst, false},
		{journalInterval + time.Second, 1, true},
		{journalInterval + time.Second, 1, false}, // told once
		{3 * journalInterval, 2 * journalBurst, false},
	} {
		if got := r.exceeds(test.n, start.Add(test.after)); got != test.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}
