package alert

import (
	"context"
	"sync"
	"testing"
	"time"
)

// noChance takes the chance out of waits: they are as long as they can be.
func noChance() float64 { return 1 }

// about returns an alert about a finding.
func about(id string, s Status) Alert {
	since := time.Date(2026, 3, 4, 5, 6, 7, 890e6, time.UTC)
	severity := Warn
	if s == Escalated {
		severity = Critical
	}
	return Alert{
		ID: id, Status: s, Severity: severity, Since: since, Time: since.Add(time.Minute),
		Summary: "nginx[7] holds 3 sockets in CLOSE_WAIT", Description: "The peer has closed.\nThe program has not.",
		JSON:   []byte(`{"event":"finding","id":"` + id + `","status":"` + s.String() + `"}`),
		Labels: []Pair{{"process", "nginx"}, {"pid", "7"}, {"state", "CLOSE_WAIT"}},
		Fields: []Pair{{"count", "3"}, {"oldest_ms", "61000.5"}},
	}
}

// fake is a sink that does what a test says, and keeps what it was given.
type fake struct {
	name   string
	traits Traits
	do     func(context.Context, []Delivery) error // nil: succeed

	mu     sync.Mutex
	got    []Delivery // of attempts
	closed bool
}

func (f *fake) Name() string   { return f.name }
func (f *fake) Traits() Traits { return f.traits }

func (f *fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

func (f *fake) Deliver(ctx context.Context, d []Delivery) error {
	f.mu.Lock()
	f.got = append(f.got, d...)
	f.mu.Unlock()
	if f.do == nil {
		return nil
	}
	return f.do(ctx, d)
}

// attempts returns what it was given, as "ID status".
func (f *fake) attempts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for i := range f.got {
		all = append(all, f.got[i].ID+" "+f.got[i].Status.String())
	}
	return all
}

// hang waits for the context, as a sink does whose server does not answer.
func hang(ctx context.Context, _ []Delivery) error {
	<-ctx.Done()
	return ctx.Err()
}

// eventually waits for a condition of the real world.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not after 20 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
