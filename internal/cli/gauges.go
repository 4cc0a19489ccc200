package cli

import (
	"errors"
	"time"

	"github.com/tcptrail/tcptrail/internal/census"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// gaugeShare is one part in how much of the time goes into counting sockets in the kernel's tables: two percent of one
// CPU at most. Gauges are exact between two counts; minisocks, requests and zombies are as of the last one.
const gaugeShare = 50

// orphaned are the states in which a socket may outlive all processes of its network namespace. The namespace then lives by
// it alone, and nobody can enter it to count.
var orphaned = tcp.SetOf(tcp.FinWait1, tcp.FinWait2, tcp.Closing, tcp.LastAck)

// gauges count the whole host by the kernel's own counts of transitions, and check them against its tables. Nothing is
// done in user space for a transition.
type gauges struct {
	source  Source
	counter Counter
	check   census.Reconciler
	view    census.View
	budget  budget
	last    *reading
	now     func() time.Time
}

// reading is what the kernel had counted at a time.
type reading struct {
	at    time.Time
	stats kernel.Stats
	flow  census.Flow
}

func newGauges(env *Env) (_ *gauges, err error) {
	source, err := env.Open(kernel.Options{Gauges: true, Silent: true})
	if err != nil {
		return nil, err
	}
	return gaugesOf(env, source)
}

// gaugesOf makes gauges of a tracer that has them, which they close in the end, or at once when they fail.
func gaugesOf(env *Env, source Source) (_ *gauges, err error) {
	g := &gauges{
		source: source, budget: budget{share: gaugeShare}, now: env.clock(), check: census.Reconciler{Unseen: orphaned},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	tracer, _ := g.source.(*kernel.Tracer) // in tests there is none
	if g.counter, err = env.OpenCounter(kernel.SnapshotOptions{Tracer: tracer}); err != nil {
		return nil, err
	}
	return g, explainWalk(g.counter.Watch())
}

func (g *gauges) close() error {
	var errs []error
	if g.counter != nil {
		errs = append(errs, g.counter.Close())
	}
	if g.source != nil {
		errs = append(errs, g.source.Stop(), g.source.Close())
	}
	return errors.Join(errs...)
}

func (g *gauges) read() (*reading, error) {
	stats, err := g.source.Stats()
	if err != nil {
		return nil, err
	}
	return &reading{
		at: g.now(), stats: stats,
		flow: census.Flow{Transitions: stats.Transitions, Adopted: stats.Adopted, Gone: stats.Gone},
	}, nil
}

func (g *gauges) sample() (output.LiveSample, error) {
	now, err := g.read()
	if err != nil {
		return output.LiveSample{}, err
	}
	looked := g.budget.due(now.at)
	if looked {
		if now, err = g.reconcile(now); err != nil {
			return output.LiveSample{}, explainWalk(err)
		}
	}
	g.view.Follow(g.check.Gauge(&now.flow))
	s := output.LiveSample{
		Time: now.at.UnixNano(), Counts: g.view.Counts(), Drift: g.check.Drift(), Missed: now.stats.Missed, Reconciled: looked,
	}
	if g.last != nil {
		s.Elapsed = now.at.Sub(g.last.at)
		interval := now.flow.Sub(&g.last.flow)
		s.Transitions = interval.Transitions
	}
	g.last = now
	return s, nil
}

// reconcile counts the sockets in the kernel's tables and moves the gauges if they are wrong, which a second count has to
// confirm: a socket is in a state for a moment before it is in the tables. It returns the latest reading.
func (g *gauges) reconcile(before *reading) (*reading, error) {
	began := g.now()
	tally, after, err := g.count()
	if err != nil {
		return nil, err
	}
	if g.check.Compare(&before.flow, &after.flow, tally.Full) != [tcp.States + 1]int64{} {
		before = after
		if tally, after, err = g.count(); err != nil {
			return nil, err
		}
		g.check.Check(&before.flow, &after.flow, tally.Full)
	}
	g.view.Rest = tcp.Counts{States: tally.Bare, Zombies: tally.Zombies}
	g.view.Rest.States[tcp.Close] = tally.Full[tcp.Close]
	g.budget.spent(began, g.now())
	return after, nil
}

func (g *gauges) count() (tcp.Tally, *reading, error) {
	tally, err := g.counter.Count()
	if err != nil {
		return tally, nil, err
	}
	after, err := g.read()
	return tally, after, err
}
