package cli

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

var errInterrupted = errors.New("interrupted")

// untilInterrupted does work that ends by itself, and gives up on it at SIGINT or SIGTERM, wherever it is: what it has in
// the kernel goes with the process. Whoever waited for its output got a part of it at most, so that is an error.
func untilInterrupted(env *Env, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	for {
		select {
		case err := <-done:
			return err
		case signal := <-env.Signals:
			if signal != syscall.SIGUSR1 {
				return errInterrupted
			}
		}
	}
}

// untilStopped does work that goes on until stop is closed: at SIGINT or SIGTERM, after duration if that is not 0, or
// when nobody reads the output any more. It waits for the end, and returns true if that does not come within the drain
// limit, or before another signal: then the output is stuck, and the work goes on.
func untilStopped(env *Env, duration time.Duration, work func(stop <-chan struct{}) error) (stuck bool, err error) {
	done, stop := make(chan error, 1), make(chan struct{})
	go func() { done <- work(stop) }()
	var end <-chan time.Time
	if duration > 0 {
		timer := time.NewTimer(duration)
		defer timer.Stop()
		end = timer.C
	}
	for stopping := false; !stopping; {
		select {
		case err := <-done:
			return false, err
		case <-end:
			stopping = true
		case <-env.Gone:
			stopping = true
		case signal := <-env.Signals:
			switch {
			case signal == syscall.SIGUSR1: // asks trace for a summary
			case signal == syscall.SIGHUP && env.hangup != nil:
				env.hangup()
			default:
				stopping = true
			}
		}
	}
	close(stop)
	late := time.NewTimer(env.drainLimit())
	defer late.Stop()
	for {
		select {
		case err := <-done:
			return false, err
		case <-late.C:
			fmt.Fprintln(env.Stderr, "tcptrail: output takes too long: what was left is not delivered")
			return true, nil
		case signal := <-env.Signals:
			if signal != syscall.SIGUSR1 {
				fmt.Fprintln(env.Stderr, "tcptrail: interrupted again: what was left is not delivered")
				return true, nil
			}
		}
	}
}
