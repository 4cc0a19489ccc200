package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// changed keeps what a dispatcher reports.
type changed struct{ lines []string }

func (c *changed) report(h Health, change Change) {
	c.lines = append(c.lines, fmt.Sprintf("%s %v: %s", h.Sink, change, h.Err))
}

var exact = Backoff{Jitter: noChance}

func closeNow(t *testing.T, d *Dispatcher) {
	t.Helper()
	if err := d.Close(t.Context()); err != nil {
		t.Errorf("at the end: %v", err)
	}
}

func TestDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := &fake{name: "one"}, &fake{name: "two"}
		d := NewDispatcher(Options{}, one, two)
		d.Notify(about("a", Firing), about("b", Firing))
		synctest.Wait()
		d.Notify(about("a", Resolved))
		synctest.Wait()
		want := []string{"a firing", "b firing", "a resolved"}
		for _, s := range []*fake{one, two} {
			if got := s.attempts(); !slices.Equal(got, want) {
				t.Errorf("%s: %q", s.name, got)
			}
		}
		if one.got[0].Key == one.got[1].Key || one.got[0].Key == two.got[0].Key || len(one.got[0].Key) != 32 {
			t.Errorf("keys %s %s %s", one.got[0].Key, one.got[1].Key, two.got[0].Key)
		}
		if !one.got[0].Now.Equal(time.Now()) {
			t.Errorf("attempt at %v", one.got[0].Now)
		}
		closeNow(t, d)
		if !one.closed || !two.closed {
			t.Error("a sink was not closed")
		}
		if h := d.Stats()[0]; h.Delivered != 3 || h.Pending != 0 || h.Failing() {
			t.Errorf("%+v", h)
		}
		d.Notify(about("c", Firing))
		if h := d.Stats()[0]; h.Dropped != 1 || len(one.attempts()) != 3 {
			t.Errorf("after the end: %+v", h)
		}
	})
}

// TestBackoff holds the waits of a sink that is down for a long time, that the same alert has the same key, and that
// people are told twice.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		s := &fake{name: "hook", do: func(context.Context, []Delivery) error {
			at = append(at, time.Since(start))
			if len(at) <= 12 {
				return errors.New("is \x1b down")
			}
			return nil
		}}
		var c changed
		d := NewDispatcher(Options{Backoff: exact, Report: c.report}, s)
		d.Notify(about("a", Firing))
		synctest.Wait()
		if h := d.Stats()[0]; !h.Failing() || h.Pending != 1 || h.Err != `is \u001b down` {
			t.Errorf("%+v", h)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		var waits []int
		for i := 1; i < len(at); i++ {
			waits = append(waits, int((at[i]-at[i-1])/time.Second))
		}
		if want := []int{1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60}; !slices.Equal(waits, want) {
			t.Errorf("waits %v, want %v", waits, want)
		}
		for i := range s.got {
			if s.got[i].Key != s.got[0].Key {
				t.Errorf("key %s after %s", s.got[i].Key, s.got[0].Key)
			}
		}
		if want := []string{`hook began to fail: is \u001b down`, `hook recovered: is \u001b down`}; !slices.Equal(c.lines, want) {
			t.Errorf("reported %q", c.lines)
		}
		closeNow(t, d)
	})
}

func TestBackoffStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		s := &fake{do: func(context.Context, []Delivery) error {
			at = append(at, time.Now())
			if n := len(at); n == 4 || n == 6 {
				return nil
			}
			return errors.New("down")
		}}
		d := NewDispatcher(Options{Backoff: exact}, s)
		for range 2 {
			d.Notify(about("a", Firing))
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		if len(at) != 6 || at[5].Sub(at[4]) != time.Second {
			t.Errorf("attempts at %v", at)
		}
		closeNow(t, d)
	})
}

func TestBackoffIsHalfChance(t *testing.T) {
	for chance, want := range map[float64]time.Duration{0: 2 * time.Second, 0.5: 3 * time.Second, 1: 4 * time.Second} {
		b := Backoff{First: time.Second, Max: time.Minute, Jitter: func() float64 { return chance }}
		if got := b.after(3); got != want {
			t.Errorf("%v of chance: %v, want %v", chance, got, want)
		}
	}
}

// TestStuckSink holds that one that hangs costs neither the producer nor the others anything, and hears in the end what
// is true.
func TestStuckSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var works atomic.Bool
		stuck := &fake{name: "stuck", do: func(ctx context.Context, d []Delivery) error {
			if works.Load() {
				return nil
			}
			return hang(ctx, d)
		}}
		good := &fake{name: "good"}
		d := NewDispatcher(Options{}, stuck, good)
		start := time.Now()
		for round := range 100 {
			for id := range 10 {
				d.Notify(about(fmt.Sprint(id), []Status{Firing, Escalated, Firing, Resolved, Firing}[round%5]))
				synctest.Wait() // the good one takes each, whatever the stuck one does
			}
		}
		if !time.Now().Equal(start) {
			t.Error("the producer has waited")
		}
		if n := len(good.attempts()); n != 1000 {
			t.Errorf("the other has heard of %d", n)
		}
		if h := d.Stats()[0]; h.Pending > 11 { // one is in flight
			t.Errorf("%d wait", h.Pending)
		}
		works.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		last := map[string]string{}
		for _, a := range stuck.attempts() {
			id, status, _ := strings.Cut(a, " ")
			last[id] = status
		}
		for id := range 10 {
			if got := last[fmt.Sprint(id)]; got != "firing" && got != "escalated" {
				t.Errorf("%d is told to be %q", id, got)
			}
		}
		closeNow(t, d)
	})
}

func TestRetryAfterIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for wish, want := range map[time.Duration]time.Duration{20 * time.Minute: 20 * time.Minute, 100 * time.Hour: MaxAfter, 0: time.Second} {
			var at []time.Time
			s := &fake{do: func(context.Context, []Delivery) error {
				if at = append(at, time.Now()); len(at) == 1 {
					return fmt.Errorf("busy: %w", &DeliveryError{Err: errBrokenOff, After: wish})
				}
				return nil
			}}
			d := NewDispatcher(Options{Backoff: exact}, s)
			d.Notify(about("a", Firing))
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			if got := at[1].Sub(at[0]); got != want {
				t.Errorf("asked for %v: tried again after %v", wish, got)
			}
			closeNow(t, d)
		}
	})
}

func TestFinalErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fake{name: "hook", do: func(_ context.Context, d []Delivery) error {
			if d[0].ID == "poison" {
				return final(errors.New("400"))
			}
			return nil
		}}
		var c changed
		d := NewDispatcher(Options{Report: c.report}, s)
		d.Notify(about("poison", Firing), about("a", Firing))
		time.Sleep(time.Hour)
		synctest.Wait()
		d.Notify(about("poison", Resolved), about("a", Resolved))
		time.Sleep(time.Hour)
		synctest.Wait()
		if got, want := s.attempts(), []string{"poison firing", "a firing", "a resolved"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if h := d.Stats()[0]; h.Refused != 1 || h.Delivered != 2 {
			t.Errorf("%+v", h)
		}
		if want := []string{"hook began to fail: 400", "hook recovered: 400"}; !slices.Equal(c.lines, want) {
			t.Errorf("reported %q", c.lines)
		}
		closeNow(t, d)
	})
}

// TestFlapping holds that a sink that takes every other alert is not reported each time.
func TestFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := &fake{do: func(context.Context, []Delivery) error {
			if n++; n%2 == 1 {
				return errors.New("odd")
			}
			return nil
		}}
		var c changed
		d := NewDispatcher(Options{Backoff: exact, Report: c.report}, s)
		for range 60 {
			d.Notify(about("a", Firing))
			time.Sleep(2 * time.Second)
			synctest.Wait()
		}
		if len(c.lines) != 4 {
			t.Errorf("reported in two minutes: %q", c.lines)
		}
		closeNow(t, d)
	})
}

func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		s := &fake{traits: Traits{Batch: 3}, do: func(_ context.Context, d []Delivery) error {
			sizes = append(sizes, len(d))
			for i := range d {
				if d[i].ID == "1" {
					return &DeliveryError{Err: errors.New("400"), Final: true, Split: true}
				}
			}
			return nil
		}}
		d := NewDispatcher(Options{}, s)
		var all []Alert
		for id := range 5 {
			all = append(all, about(fmt.Sprint(id), Firing))
		}
		d.Notify(all...)
		time.Sleep(time.Minute)
		synctest.Wait()
		if h := d.Stats()[0]; h.Delivered != 4 || h.Refused != 1 {
			t.Errorf("%+v in batches of %v", h, sizes)
		}
		if slices.Max(sizes) != 3 {
			t.Errorf("batches of %v", sizes)
		}
		closeNow(t, d)
	})
}

func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		busy := map[string]*atomic.Bool{}
		for id := range 10 {
			busy[fmt.Sprint(id)] = &atomic.Bool{}
		}
		s := &fake{traits: Traits{Lanes: 4}, do: func(_ context.Context, d []Delivery) error {
			most.Store(max(most.Load(), running.Add(1)))
			if busy[d[0].ID].Swap(true) {
				t.Errorf("two deliveries of %s at a time", d[0].ID)
			}
			time.Sleep(time.Second)
			busy[d[0].ID].Store(false)
			running.Add(-1)
			return nil
		}}
		d := NewDispatcher(Options{}, s)
		for id := range 10 {
			d.Notify(about(fmt.Sprint(id), Firing))
			synctest.Wait()
			d.Notify(about(fmt.Sprint(id), Escalated))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if most.Load() != 4 {
			t.Errorf("up to %d at a time", most.Load())
		}
		if h := d.Stats()[0]; h.Delivered != 14 { // the first four were told before they escalated
			t.Errorf("%+v: %q", h, s.attempts())
		}
		closeNow(t, d)
	})
}

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fake{traits: Traits{Refresh: time.Minute, Batch: 10}}
		d := NewDispatcher(Options{}, s)
		d.Notify(about("a", Firing))
		time.Sleep(2*time.Minute + time.Second)
		synctest.Wait()
		newer := about("a", Firing)
		newer.Summary = "holds 4 sockets"
		d.Update(newer)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := s.got[2:]; len(got) != 2 || got[0].Summary == newer.Summary || got[1].Summary != newer.Summary {
			t.Errorf("%+v", got)
		}
		d.Notify(about("a", Resolved))
		time.Sleep(time.Hour)
		synctest.Wait()
		if got, want := s.attempts(), []string{"a firing", "a firing", "a firing", "a firing", "a resolved"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if h := d.Stats()[0]; h.Delivered != 2 || h.Coalesced != 0 {
			t.Errorf("%+v", h)
		}
		closeNow(t, d)
	})
}

func TestClose(t *testing.T) {
	notify := func(o Options, s Sink) *Dispatcher {
		d := NewDispatcher(o, s)
		for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
			d.Notify(about(id, Firing))
		}
		return d
	}
	t.Run("delivers what waits for another attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			s := &fake{do: func(context.Context, []Delivery) error {
				if n++; n == 1 {
					return errors.New("down")
				}
				return nil
			}}
			d := notify(Options{}, s)
			synctest.Wait()
			start := time.Now()
			closeNow(t, d)
			if h := d.Stats()[0]; h.Delivered != 6 || !time.Now().Equal(start) {
				t.Errorf("%+v after %v", h, time.Since(start))
			}
		})
	})
	t.Run("gives up a dead sink soon", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &fake{name: "hook", do: func(context.Context, []Delivery) error { return errors.New("down") }}
			d := notify(Options{}, s)
			synctest.Wait()
			start := time.Now()
			err := d.Close(t.Context())
			if want := "hook: 6 alerts not delivered (of finding e, f, a, b, c and others): down"; err == nil || err.Error() != want {
				t.Errorf("%v", err)
			}
			if n := len(s.attempts()); n != 1+maxLastFailures || !time.Now().Equal(start) {
				t.Errorf("%d attempts in %v", n, time.Since(start))
			}
			if !s.closed || d.Close(t.Context()) != nil {
				t.Error("not closed, or twice")
			}
		})
	})
	t.Run("breaks off what hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &fake{name: "hook", traits: Traits{Timeout: time.Hour}, do: hang}
			d := notify(Options{}, s)
			start := time.Now()
			err := d.Close(t.Context())
			if took := time.Since(start); err == nil || took != FlushTimeout || !strings.Contains(err.Error(), "broken off") {
				t.Errorf("%v after %v", err, took)
			}
		})
	})
	t.Run("leaves behind what does not end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			s := &fake{name: "hook", do: func(context.Context, []Delivery) error { <-release; return nil }}
			d := notify(Options{}, s)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := d.Close(ctx)
			if took := time.Since(start); err == nil || took != time.Second+stopTimeout {
				t.Errorf("%v after %v", err, took)
			}
			close(release)
			synctest.Wait()
			if !s.closed {
				t.Error("not closed")
			}
		})
	})
	t.Run("leaves a sink alone that has asked for it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &fake{do: func(context.Context, []Delivery) error {
				return &DeliveryError{Err: errors.New("429"), After: time.Minute}
			}}
			d := notify(Options{}, s)
			synctest.Wait()
			if err := d.Close(t.Context()); err == nil || len(s.attempts()) != 1 {
				t.Errorf("%v after %d attempts", err, len(s.attempts()))
			}
		})
	})
}

func TestLossIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c changed
		s := &fake{name: "log", traits: Traits{Log: true}, do: hang}
		d := NewDispatcher(Options{Report: c.report}, s)
		d.workers[0].queue.limits.history = 1
		for range 5 {
			d.Notify(about("a", Firing))
			synctest.Wait()
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !slices.ContainsFunc(c.lines, func(l string) bool { return strings.HasPrefix(l, "log loses alerts") }) {
			t.Errorf("reported %q", c.lines)
		}
		if h := d.Stats()[0]; h.Dropped != 2 || h.Pending != 3 {
			t.Errorf("%+v", h)
		}
		_ = d.Close(t.Context())
	})
}

// BenchmarkNotify is a report of 10,000 findings to a sink that is dead and has heard of none.
func BenchmarkNotify(b *testing.B) {
	d := NewDispatcher(Options{}, &fake{do: hang, traits: Traits{Timeout: time.Hour}})
	alerts := make([]Alert, 10_000)
	for i := range alerts {
		alerts[i] = about(fmt.Sprintf("%016x", i), Firing)
	}
	d.Notify(alerts...)
	b.ReportAllocs()
	for b.Loop() {
		d.Notify(alerts...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(alerts)), "ns/finding")
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	ctx, stop := context.WithTimeout(ctx, time.Millisecond)
	defer stop()
	_ = d.Close(ctx)
}

// TestNotifyAllocatesNothing holds that reports to a dead sink cost no memory.
func TestNotifyAllocatesNothing(t *testing.T) {
	q := newQueue(Traits{})
	a := about("a", Firing)
	q.add(&a, origin)
	if n := testing.AllocsPerRun(100, func() { q.add(&a, origin) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
