package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/alert"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/output"
)

const leaksHelp = `Find sockets that are stuck: for over a minute in CLOSE_WAIT or FIN_WAIT2, or
dead and still held (ZOMBIE). Say which process holds how many, since when, why,
and what to do about it.

What is stuck already is found at once, by what the kernel notes of each
connection; the rest as its time is over. Sockets that the kernel itself ends
(orphans, minisocks) and half-closed ones whose bytes still flow are no leaks.

` + filterHelp + `

Exit codes: 0 done, 1 failed, 2 wrong use, 3 kernel feature or privilege is
missing, 4 --once has found something.`

const leaksExamples = `  tcptrail leaks                         watch, and report as it changes
  tcptrail leaks --once                  what is stuck now; exit code 4 if any
  tcptrail leaks --limit CLOSE_WAIT=10s  sooner; critical after five times that
  tcptrail leaks --limit ZOMBIE=1m:1h,FIN_WAIT2=off
  tcptrail leaks -o json not comm sshd   a line for each change`

// leaksFlags are the flags of leaks as given.
type leaksFlags struct {
	selectFlags
	outputFlags
	sinkFlags
	limits   leak.Limits
	once     bool
	mutes    []string
	stacks   bool
	repeat   time.Duration
	duration time.Duration
}

// leaksPlan is what leaks is asked to do, checked.
type leaksPlan struct {
	selection *selection
	looks     looks
	limits    leak.Limits
	mutes     []mute
	stacks    bool
	sinks     []alert.Sink
	once      bool
	lines     bool          // print a line for each change, on a terminal, too
	repeat    time.Duration // 0: a finding that goes on is not told again
	duration  time.Duration // 0: no end
}

// leaksName is how the command is called.
const leaksName = "leaks"

func newLeaks(env *Env) *cobra.Command {
	flags := leaksFlags{limits: leak.DefaultLimits()}
	cmd := &cobra.Command{
		Use:                   leaksName + " [flags] [FILTER]",
		Short:                 "Find stuck sockets: who, how many, since when, why",
		Long:                  leaksHelp,
		Example:               leaksExamples,
		ValidArgsFunction:     completeFilter,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := flags.plan(env, args)
			if err != nil {
				return explainFilter(cmd, err)
			}
			if env.recording != nil {
				return untilInterrupted(env, func() error { return playLeaks(env, plan) })
			}
			if plan.once {
				return untilInterrupted(env, func() error { return runLeaksOnce(env, plan) })
			}
			return runLeaks(env, plan)
		},
	}
	flags.define(cmd)
	return cmd
}

func (f *leaksFlags) define(cmd *cobra.Command) {
	s := cmd.Flags()
	s.SortFlags = false
	f.defineConnection(s)
	f.definePlace(s)
	f.defineWatched(s)
	s.BoolVar(&f.stacks, "stacks", false, "tell which code opened them: costs microseconds a\nconnection, and knows of those that come from now on")
	s.BoolVar(&f.once, "once", false, "look once, print, and end: with exit code 4 if\nanything is stuck")
	f.defineRepeat(s)
	s.Var(period{&f.duration}, "duration", "end after this long, as 30s")
	f.sinkFlags.define(s)
	f.outputFlags.define(s)
	f.defineLooks(s)
	s.Lookup("output").Usage = "table, wide or json"
	complete(cmd, s)
}

// defineWatched declares what counts as stuck.
func (f *leaksFlags) defineWatched(s *pflag.FlagSet) {
	s.Var(&f.limits, "limit", "how long is too long, as STATE=60s:5m (the second\nis critical) or STATE=off; a minute for CLOSE_WAIT,\nFIN_WAIT2 and ZOMBIE unless given")
	s.Lookup("limit").DefValue = "" // said in words
	s.Var(each{&f.mutes, "rule"}, "mute", "keep what a filter selects out, for a time if one is\ngiven, as '2h: comm rsync'; may be given again")
}

func (f *leaksFlags) defineRepeat(s *pflag.FlagSet) {
	s.Var(period{&f.repeat}, "repeat", "tell of a finding that goes on again after so long")
}

func (f *leaksFlags) plan(env *Env, args []string) (*leaksPlan, error) {
	looks, err := f.check(env)
	if err != nil {
		return nil, err
	}
	switch {
	case looks.format == output.CSV:
		return nil, errors.New("--output csv: a finding has lists, which do not fit into a table: use json")
	case f.once && (f.duration > 0 || f.repeat > 0):
		return nil, errors.New("--once ends at once: leave --duration and --repeat out")
	case f.once && f.stacks:
		return nil, errors.New("--stacks sees sockets being opened, and --once only looks: leave one of them out")
	}
	p, err := f.watchPlan(env, args)
	if err != nil {
		return nil, err
	}
	p.looks, p.once, p.stacks = looks, f.once, f.stacks
	return p, nil
}

// watchPlan checks what counts as stuck, and who is told.
func (f *leaksFlags) watchPlan(env *Env, args []string) (*leaksPlan, error) {
	p := &leaksPlan{limits: f.limits, repeat: f.repeat, duration: f.duration}
	switch {
	case len(f.webhooks) == 0 && f.secretFile != "":
		return nil, errors.New("--webhook-key: there is no --webhook to sign for")
	case f.limits.Events() == 0:
		return nil, errors.New("--limit: every limit is off: leave one on")
	}
	var err error
	if p.mutes, err = parseMutes(env, f.mutes); err != nil {
		return nil, err
	}
	if p.selection, err = f.resolve(env, args); err != nil {
		return nil, err
	}
	p.sinks, err = f.sinkFlags.open(env)
	return p, err
}
