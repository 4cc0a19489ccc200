package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/tcptrail/tcptrail/internal/output"
)

// minInterval is the shortest interval: nobody reads faster, and the kernel's tables are not to be looked at for nothing.
const minInterval = 10 * time.Millisecond

// sampler takes samples of how many sockets there are. It is for one goroutine at a time.
type sampler interface {
	// sample returns how things are, and whether the sockets themselves were looked at.
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
	p.selection.noteNetNS(env)
	out := output.NewLive(env.Stdout, output.LiveOptions{
		CountOptions: p.looks.counts(), Matrix: p.matrix, Redraw: p.looks.width > 0 && env.Getenv("TERM") != "dumb",
		Height: env.terminalHeight(), Location: time.Local,
	})
	stuck, err := untilStopped(env, p.duration, func(stop <-chan struct{}) error { return live(env, p, s, out, stop) })
	if stuck {
		return err // the sampler is still in use: what the process leaves behind, the kernel frees
	}
	return errors.Join(err, s.close())
}

// live prints a sample at once and then one each interval.
func live(env *Env, p *countPlan, s sampler, out *output.Live, stop <-chan struct{}) error {
	ticker := time.NewTicker(p.interval)
	defer ticker.Stop()
	for {
		sample, err := s.sample()
		if err != nil {
			return err
		}
		if p.looks.width > 0 {
			out.Resize(env.TerminalWidth(), env.terminalHeight())
		}
		if err := out.Sample(&sample); err != nil {
			return wrote(err)
		}
		select {
		case <-stop:
			return nil
		case <-ticker.C:
		}
		select {
		case <-stop: // and not one sample more
			return nil
		default:
		}
	}
}

func newSampler(env *Env, p *countPlan) (sampler, error) {
	if isWholeHost(p.selection) {
		return newGauges(env)
	}
	return newFollower(env, p.selection)
}

// budget spreads looks at all sockets in time, so that however many there are they take a small part of it.
type budget struct {
	share time.Duration // one part in so many
	burst time.Duration // how far ahead of that looks may get, so that a few need not wait for each other
	paid  time.Time     // until when looks so far have used up their share
}

// next returns when it is time to look.
func (b *budget) next() time.Time { return b.paid.Add(-b.burst) }

// due says whether it is time to look.
func (b *budget) due(now time.Time) bool { return !now.Before(b.next()) }

// spent notes a look that began at a time and has just ended.
func (b *budget) spent(began, ended time.Time) {
	b.paid = latest(b.paid, began).Add(ended.Sub(began) * (b.share + 1))
}

func explainWalk(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("count sockets: %w", err)
}
