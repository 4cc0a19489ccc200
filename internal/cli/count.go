package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcptrail/tcptrail/internal/census"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// countName is how the command is called.
const countName = "count"

const countHelp = `Count the TCP sockets of the host by state, in all network namespaces. All
states are shown, at zero, too. Minisocks and requests count as what they stand
for, as in ss; ZOMBIE are sockets in CLOSE whose connection is over and whose
descriptor is still open.

With a STATE it prints the bare number of that line; of several by commas, or of
one of ss's groups, the sum. It may be ZOMBIE.

` + filterHelp + `

Exit codes: 0 done, 1 failed, 2 wrong use, 3 kernel feature or privilege is
missing.`

const countExamples = `  tcptrail count                                  a line for each state
  tcptrail count CLOSE_WAIT                       a number, for monitoring
  tcptrail count CLOSE_WAIT age gt 5m             of those that are stuck
  tcptrail count --by remote-addr state time-wait which peer holds most of them
  tcptrail count --by process,state --top 10      and which process
  tcptrail count --interval 1s --matrix           live, with all transitions`

// countFlags are the flags of count as given.
type countFlags struct {
	selectFlags
	outputFlags
	by       []census.Key
	top      uint64
	interval time.Duration
	matrix   bool
	duration time.Duration
}

// countPlan is what count is asked to do, checked.
type countPlan struct {
	selection *selection
	looks     looks
	bare      *lines // print their number alone; nil: not asked for
	keys      []census.Key
	top       int
	interval  time.Duration // 0: once
	matrix    bool
	duration  time.Duration // 0: no end
}

func newCount(env *Env) *cobra.Command {
	var flags countFlags
	cmd := &cobra.Command{
		Use:                   countName + " [flags] [STATE] [FILTER]",
		Short:                 "Count sockets: by state, by anything, live",
		Long:                  countHelp,
		Example:               countExamples,
		ValidArgsFunction:     completeCount,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			run := func() error {
				plan, err := flags.plan(env, args)
				if err != nil {
					return explainFilter(cmd, err)
				}
				return runCount(env, plan)
			}
			if flags.interval > 0 {
				return run()
			}
			return untilInterrupted(env, run)
		},
	}
	flags.define(cmd)
	return cmd
}

func (f *countFlags) define(cmd *cobra.Command) {
	s := cmd.Flags()
	s.SortFlags = false
	f.defineConnection(s)
	f.defineState(s, "states, as CLOSE_WAIT or ss's groups")
	f.definePlace(s)
	s.Var(keys{&f.by}, "by", "state, remote-addr, remote-port, local-addr,\nlocal-port, process, pid, uid, cgroup, netns;\nany of them, joined by commas")
	s.VarP(count{&f.top}, "top", "n", "with --by, the largest groups alone; 0 is all")
	s.VarP(period{&f.interval}, "interval", "i", "count again and again, as 1s")
	s.BoolVar(&f.matrix, "matrix", false, "with --interval, each transition's number, too")
	s.Var(period{&f.duration}, "duration", "with --interval, end after this long")
	f.outputFlags.define(s)
	f.defineLooks(s)
	complete(cmd, s)
}

func (f *countFlags) plan(env *Env, args []string) (*countPlan, error) {
	p := &countPlan{
		keys: f.by, top: int(min(f.top, maxTop)), interval: f.interval, matrix: f.matrix, duration: f.duration,
	}
	var err error
	if p.looks, err = f.check(env); err != nil {
		return nil, err
	}
	if len(args) > 0 && strings.TrimSpace(args[0]) == "" { // as of a script's variable that is not set
		return nil, fmt.Errorf("%q is neither a filter nor a STATE: leave it out to count all states", args[0])
	}
	if len(args) > 0 {
		if l, ok := parseLines(args[0]); ok {
			p.bare, args = &l, args[1:]
		}
	}
	if err := p.checkTogether(f); err != nil {
		return nil, err
	}
	if p.selection, err = f.resolve(env, args); err != nil {
		return nil, err
	}
	if p.bare != nil {
		p.selection.only = p.bare.where()
	}
	if p.interval > 0 {
		err = p.selection.needsTransitions("leave it out with --interval")
	}
	return p, err
}

// checkTogether refuses flags that have nothing to say to each other.
func (p *countPlan) checkTogether(f *countFlags) error {
	switch {
	case p.bare != nil && (p.keys != nil || p.interval > 0):
		return errors.New("with a STATE count prints one number: for --by and --interval write it as a filter, as state close-wait")
	case p.keys != nil && p.interval > 0:
		return errors.New("--by and --interval do not go together: use one of them")
	case f.top > 0 && p.keys == nil:
		return errors.New("--top goes with --by: it is the number of groups")
	case p.interval > 0 && p.interval < minInterval:
		return fmt.Errorf("--interval %v: use %v or more", p.interval, minInterval)
	case f.matrix && p.interval == 0:
		return errors.New("--matrix goes with --interval: transitions take time")
	case f.duration > 0 && p.interval == 0:
		return errors.New("--duration goes with --interval: without it count ends at once")
	}
	return nil
}

func runCount(env *Env, p *countPlan) error {
	switch {
	case p.interval > 0:
		return runLive(env, p)
	case p.keys != nil:
		return runBreakdown(env, p)
	}
	counts, err := p.selection.count(env)
	if err != nil {
		return err
	}
	p.selection.noteNetNS(env)
	if p.bare != nil {
		_, err = fmt.Fprintln(env.Stdout, p.bare.number(counts))
		return wrote(err)
	}
	return wrote(output.WriteCounts(env.Stdout, counts, time.Now().UnixNano(), p.looks.counts()))
}

func (l looks) counts() output.CountOptions {
	return output.CountOptions{Format: l.format, Header: l.header, Color: l.color, Width: l.width}
}

// count counts what is selected by state.
func (s *selection) count(env *Env) (*tcp.Counts, error) {
	if s.isByState() {
		return s.countInKernel(env)
	}
	snapshot, err := s.take(env)
	if err != nil {
		return nil, err
	}
	var counts tcp.Counts
	for i := range snapshot.Sockets {
		counts.Count(&snapshot.Sockets[i])
	}
	return &counts, nil
}

func (s *selection) countInKernel(env *Env) (*tcp.Counts, error) {
	o := s.snapshotOptions()
	if s.only != 0 {
		if counts, done, err := countQuickly(env, o); done {
			counts.Keep(o.States)
			return counts, err
		}
	}
	if err := keep(env, listPrivileges); err != nil {
		return nil, err
	}
	counter, err := env.OpenCounter(o)
	if err != nil {
		return nil, err
	}
	tally, err := counter.Count()
	if err = errors.Join(err, counter.Close()); err != nil {
		return nil, err
	}
	counts := tally.Counts()
	counts.Keep(o.States)
	return &counts, nil
}

// runBreakdown counts by what the keys say.
func runBreakdown(env *Env, p *countPlan) error {
	defer collectLater()()
	snapshot, labels, err := p.selection.look(env)
	if err != nil {
		return err
	}
	breakdown := census.New(p.keys)
	for i := range snapshot.Sockets {
		breakdown.Add(&snapshot.Sockets[i])
	}
	columns, groups := breakdownRows(breakdown, p.top, labels.ofGroups())
	return wrote(output.WriteGroups(env.Stdout, columns, groups, breakdown.Total(), snapshot.Time, p.looks.counts()))
}

// valuesOf returns names of processes as they are, where census makes them fit for a table: output does that, and JSON has
// them whole.
func valuesOf(g *census.Group, keys []census.Key, names census.Names) []string {
	values := g.Values(keys, names)
	for i, key := range keys {
		if name := g.Comm.Bytes(); key == census.ByProcess && len(name) > 0 {
			values[i] = string(name)
		}
	}
	return values
}

func breakdownRows(b *census.Breakdown, top int, names census.Names) ([]output.Column, []output.Group) {
	var columns []output.Column
	for _, key := range b.Keys() {
		columns = append(columns, output.Column{Name: key.JSON(), Number: key.Number()})
	}
	largest, _, _ := b.Top(top)
	groups := make([]output.Group, len(largest))
	for i := range largest {
		g := &largest[i]
		groups[i] = output.Group{Values: valuesOf(g, b.Keys(), names), Count: g.Count, Oldest: g.Oldest}
	}
	return columns, groups
}
