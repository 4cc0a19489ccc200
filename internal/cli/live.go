package cli

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/tcptrail/tcptrail/internal/output"
)

// sampler takes samples of how many sockets there are. It is for one goroutine, but for stop.
type sampler interface {
	// sample returns how things are, and how long it took to look at the sockets themselves, if that was done.
	sample() (output.LiveSample, error)
	// close ends it and frees what it has.
	close() error
}

// runLive counts until it is told to end.
func runLive(env *Env, p *countPlan) error {
	if err := keep(env, listPrivileges); err != nil {
		return err
	}
	s, err := newSampler(env, p)
	if err != nil {
		return err
	}
	out := output.NewLive(env.Stdout, output.LiveOptions{
		CountOptions: p.looks.counts(), Matrix: p.matrix, Redraw: p.looks.width > 0 && env.Getenv("TERM") != "dumb",
		Height: env.terminalHeight(), Location: time.Local,
	})
	return errors.Join(live(env, p, s, out), s.close())
}

// live prints a sample at once and then one each interval.
func live(env *Env, p *countPlan, s sampler, out *output.Live) error {
	var end <-chan time.Time
	if p.duration > 0 {
		timer := time.NewTimer(p.duration)
		defer timer.Stop()
		end = timer.C
	}
	ticker := time.NewTicker(p.interval)
	defer ticker.Stop()
	for {
		sample, err := s.sample()
		if err != nil {
			return err
		}
		if err := out.Sample(&sample); err != nil {
			return wrote(err)
		}
		if !waitForTick(env, ticker.C, end) {
			return nil
		}
	}
}

// waitForTick returns false when it is time to end instead.
func waitForTick(env *Env, tick, end <-chan time.Time) bool {
	for {
		select {
		case <-tick:
			return true
		case <-end:
			return false
		case <-env.Gone:
			return false
		case signal := <-env.Signals:
			if signal != os.Signal(syscall.SIGUSR1) { // which asks trace for a summary: here there is one each interval
				return false
			}
		}
	}
}

func newSampler(env *Env, p *countPlan) (sampler, error) {
	if p.selection.isByState() && p.selection.filter.States == 0 && p.selection.filter.NetNS == nil {
		return newGauges(env)
	}
	return newFollower(env, p.selection)
}

// budget spreads looks at all sockets in time, so that however many there are they take a small part of it.
type budget struct {
	share time.Duration // one part in so many
	next  time.Time
}

// due says whether it is time to look.
func (b *budget) due(now time.Time) bool { return !now.Before(b.next) }

// spent notes a look that began at a time and has just ended.
func (b *budget) spent(began, ended time.Time) { b.next = ended.Add(ended.Sub(began) * b.share) }

func explainWalk(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("count sockets: %w", err)
}
