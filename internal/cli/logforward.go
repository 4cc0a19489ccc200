package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/tcptrail/tcptrail/internal/forward"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// lossPoll is how often the kernel's side is asked what it had to give up, for the log to have it near its place.
const lossPoll = time.Second

// forwardKeeper is log to the journal or syslog: transitions, and word of those that are missing, nothing else.
type forwardKeeper struct {
	*forward.Forwarder
	env       *Env
	selection *selection
	lost      uint64 // that the log was told of
}

func openForwardKeeper(env *Env, p *logPlan) (*forwardKeeper, error) {
	l, err := p.to.open()
	if err != nil {
		return nil, err
	}
	f := forward.New(l, func(text string) { fmt.Fprintf(env.Stderr, "tcptrail: %s\n", oneLine(text)) })
	return &forwardKeeper{Forwarder: f, env: env, selection: p.selection}, nil
}

func (k *forwardKeeper) begin(Source) error { return nil }
func (k *forwardKeeper) event(e *tcp.Event) { k.Event(e) }
func (k *forwardKeeper) flush()             { k.Flush() }

// watch gives older sockets their owners, gives up the privileges that only this needed, and counts losses.
func (k *forwardKeeper) watch(source Source, ready func() error, stop <-chan struct{}) error {
	unknown, err := source.Adopt()
	if err != nil {
		return err
	}
	if unknown > 0 {
		fmt.Fprintf(k.env.Stderr, "tcptrail: %s: %d of them for want of %s\n", privilege.TraceOptionalLoss, unknown, privilege.TraceOptional)
	}
	if err := keep(k.env, privilege.Trace|k.selection.privileges()); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	tick := time.NewTicker(lossPoll)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-tick.C:
		}
		if stats, err := source.Stats(); err == nil {
			k.note(&stats)
		}
	}
}

// note tells of what the kernel's side has lost since it was called last.
func (k *forwardKeeper) note(stats *kernel.Stats) {
	if stats.Lost <= k.lost {
		return
	}
	n := stats.Lost - k.lost
	k.lost = stats.Lost
	fmt.Fprintf(k.env.Stderr, "tcptrail: %s lost: more came than were read; --buffer makes room\n", plural(int(n), "event"))
	k.Lost(n)
}

func (k *forwardKeeper) end(stats *kernel.Stats) error {
	k.note(stats)
	ctx, cancel := context.WithTimeout(context.Background(), k.env.drainLimit())
	defer cancel()
	return k.Close(ctx)
}

func (k *forwardKeeper) account() keptAccount {
	s := k.Stats()
	return keptAccount{done: "sent", kept: s.Sent, undone: "not sent", lost: s.Lost}
}
