package alert

import (
	"context"
	"errors"
	"time"
)

// Sink is where alerts go.
type Sink interface {
	// Name is how messages call it; it has no secrets and only printable characters.
	Name() string
	// Traits are how it is to be fed. They do not change.
	Traits() Traits
	// Deliver delivers all of what is given or returns an error, a *DeliveryError if there is more to say than "try again". It
	// returns soon after the context is done. Up to Traits.Lanes calls run at a time, never two about the same finding.
	Deliver(context.Context, []Delivery) error
	// Close is called once, after the last Deliver.
	Close() error
}

// Traits are how a sink is to be fed. The zero value is that of one that takes one alert at a time.
type Traits struct {
	// Log says that each alert counts, and in order: what waits for a log is not replaced by what is newer, as long as
	// there is room (MaxHistory). The others tell the world how things are: an alert that waits is replaced by a newer one
	// about the same finding, and a finding that is over before the sink has heard of it is not told at all.
	Log bool
	// Lanes is how many deliveries may run at a time; 0 is 1.
	Lanes int
	// Batch is how many alerts one delivery may have; 0 is 1.
	Batch int
	// Timeout is how long a delivery may take; 0 is DefaultTimeout.
	Timeout time.Duration
	// Refresh is after which time to deliver again what is still true, for sinks that forget; 0: never.
	Refresh time.Duration
}

// DefaultTimeout is how long a delivery may take: longer than a healthy receiver needs, short enough that Retry goes on.
const DefaultTimeout = 15 * time.Second

// Delivery is an alert on its way to a sink.
type Delivery struct {
	Alert
	Key string    // 32 hexadecimal digits, the same for each attempt to deliver this alert to this sink, and no other's
	Now time.Time // of the attempt
}

// DeliveryError is an error with more to say about what to do next.
type DeliveryError struct {
	Err   error
	Final bool // trying again will not help; the alert is dropped
	// Unheard says that the sink has not heard of the alert for certain. Without it, it may have: then it will be told
	// when the finding is over, too.
	Unheard bool
	Split   bool          // of a final one: not all of the batch may be to blame; each is to be tried on its own
	After   time.Duration // the sink wants to be left alone for so long; at most MaxAfter
}

// MaxAfter bounds DeliveryError.After: a receiver that says to come back tomorrow is asked within the hour.
const MaxAfter = time.Hour

// Error returns the text of the cause.
func (f *DeliveryError) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *DeliveryError) Unwrap() error { return f.Err }

// failureOf returns what is known of an error.
func failureOf(err error) DeliveryError {
	var f *DeliveryError
	if !errors.As(err, &f) {
		return DeliveryError{Err: err}
	}
	known := *f
	known.Err = err
	known.After = min(max(known.After, 0), MaxAfter)
	return known
}

// final returns an error that trying again will not help against.
func final(err error) error { return &DeliveryError{Err: err, Final: true, Unheard: true} }
