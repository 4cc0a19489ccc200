package alert

import "time"

// Backoff is how long to wait after a failure. The zero value has good defaults.
type Backoff struct {
	First time.Duration // after the first failure; 0: DefaultFirst
	Max   time.Duration // 0: DefaultMax
	// Jitter returns a number from 0 to 1, exclusively, for the half of the wait that is up to chance; nil is the
	// runtime's generator. It is called by several goroutines.
	Jitter func() float64
}

// The defaults. A receiver that restarts is back in seconds; one that is down for the night is asked every minute, which
// costs it nothing. As long may one alert that it does not take keep it from hearing of others.
const (
	DefaultFirst = time.Second
	DefaultMax   = time.Minute
)

// after returns how long to wait after so many failures in a row: twice as long each time, half of it by chance, so that
// many hosts that lost the same receiver do not come back at the same moment.
func (b *Backoff) after(failures int) time.Duration {
	d := b.First
	for i := 1; i < failures && d < b.Max; i++ {
		d *= 2
	}
	d = min(d, b.Max)
	return d/2 + time.Duration(b.Jitter()*float64(d/2))
}
