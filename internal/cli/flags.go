package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/output"
)

// outputFlags are the flags that say how to write, as given.
type outputFlags struct {
	output   string
	color    string
	noHeader bool
}

func (f *outputFlags) define(s *pflag.FlagSet) {
	f.output, f.color = "table", "auto"
	s.VarP(word{&f.output, "format"}, "output", "o", "table, wide, json or csv")
}

func (f *outputFlags) defineLooks(s *pflag.FlagSet) {
	s.Var(word{&f.color, "when"}, "color", "auto, always or never; auto heeds NO_COLOR")
	s.BoolVar(&f.noHeader, "no-header", false, "no header line")
	s.Lookup("color").DefValue = "" // goes without saying
}

// looks are the flags, checked.
type looks struct {
	format output.Format
	header bool
	color  bool
	width  int // of the terminal; 0 when it is none
}

func (f *outputFlags) check(env *Env) (l looks, err error) {
	if l.format, err = output.ParseFormat(f.output); err != nil {
		return l, fmt.Errorf("--output: %w", err)
	}
	l.header, l.width = !f.noHeader, env.TerminalWidth()
	l.color, err = wantsColor(f.color, env, l.width > 0)
	return l, err
}

// traceFlags are the flags of trace as given.
type traceFlags struct {
	selectFlags
	outputFlags
	time     string
	limit    uint64
	duration time.Duration
	buffer   int
	pin      bool
	ready    string
}

// tracePlan is what trace is asked to do, checked.
type tracePlan struct {
	selection *selection
	output    output.Options
	limit     uint64        // 0: none
	duration  time.Duration // 0: no end
	ringBytes int
	pin       bool
	ready     string
}

// define declares the flags in the order in which help shows them. Lines of help fit into 80 columns.
func (f *traceFlags) define(cmd *cobra.Command) {
	f.time, f.buffer = "auto", defaultBuffer
	s := cmd.Flags()
	s.SortFlags = false
	f.defineConnection(s)
	f.defineState(s, "into or out of these, as CLOSE_WAIT or ss's groups")
	s.Var(filter.StatesFlag{To: &f.filter.Old}, "old", "out of these states")
	s.Var(filter.StatesFlag{To: &f.filter.New}, "new", "into these states")
	f.definePlace(s)
	f.outputFlags.define(s)
	s.VarP(word{&f.time, "style"}, "time", "T", "clock, full, unix, relative or none, in tables")
	f.defineLooks(s)
	s.VarP(count{&f.limit}, "limit", "n", "end after this many transitions; 0 is never")
	s.Var(period{&f.duration}, "duration", "end after this long, as 30s")
	s.Var(size{&f.buffer}, "buffer", "memory between kernel and tracer")
	s.BoolVar(&f.pin, "pin", false, "keep ages and owners in bpffs, for list and trace")
	s.StringVar(&f.ready, "ready-file", "", "write our pid to this file when tracing has begun")
	_ = s.MarkHidden("ready-file")
	s.Lookup("time").NoOptDefVal = output.Full.String()
	s.Lookup("time").DefValue = "" // goes without saying
	complete(cmd, s)
}

// complete offers the values of the flags that have few, and files only for those that take paths.
func complete(cmd *cobra.Command, flags *pflag.FlagSet) {
	states := fixed(stateNames()...)
	values := map[string]cobra.CompletionFunc{
		"state": states, "old": states, "new": states,
		"output": fixed("table", "wide", "json", "csv"),
		"time":   fixed("clock", "full", "unix", "relative", "none"),
		"color":  fixed("auto", "always", "never"),
		"sort":   fixed("age", "recvq", "sendq", "rtt", "retrans", "state", "local", "remote", "pid", "comm"),
		"by": fixed("state", "remote-addr", "remote-port", "local-addr", "local-port", "process", "pid", "uid", "cgroup",
			"netns"),
		"netns":  cobra.FixedCompletions([]cobra.Completion{"self"}, cobra.ShellCompDirectiveDefault),
		"cgroup": cobra.FixedCompletions([]cobra.Completion{"self"}, cobra.ShellCompDirectiveDefault),
	}
	flags.VisitAll(func(f *pflag.Flag) {
		function := values[f.Name]
		if function == nil {
			function = cobra.NoFileCompletions
		}
		_ = cmd.RegisterFlagCompletionFunc(f.Name, function)
	})
}

// stateNames are the states and groups that people ask for.
func stateNames() []cobra.Completion {
	return []cobra.Completion{
		"ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK",
		"LISTEN", "CLOSING", "connected", "synchronized",
	}
}

func fixed(values ...cobra.Completion) cobra.CompletionFunc {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}

// plan checks the flags and the filter and turns them into what to do. Every error names what would be right.
func (f *traceFlags) plan(env *Env, args []string) (*tracePlan, error) {
	p := &tracePlan{limit: f.limit, duration: f.duration, ringBytes: f.buffer, pin: f.pin, ready: f.ready}
	var err error
	if p.output, err = f.outputOptions(env); err != nil {
		return nil, err
	}
	if p.selection, err = f.resolve(env, args); err != nil {
		return nil, err
	}
	return p, p.selection.needsTransitions("use it with list or count")
}

func (f *traceFlags) outputOptions(env *Env) (output.Options, error) {
	l, err := f.check(env)
	if err != nil {
		return output.Options{}, err
	}
	o := output.Options{Format: l.format, Header: l.header, Color: l.color, Width: l.width, Location: time.Local}
	if o.Time, err = output.ParseTimeStyle(f.time); err != nil {
		return o, fmt.Errorf("--time: %w", err)
	}
	if (o.Format == output.JSON || o.Format == output.CSV) && o.Time != output.Auto {
		return o, fmt.Errorf("--time %v: %v always has RFC 3339 in UTC: leave --time out, or use -o table or -o wide",
			o.Time, o.Format)
	}
	return o, nil
}

// wantsColor follows https://no-color.org and the habits of terminals.
func wantsColor(flag string, env *Env, terminal bool) (bool, error) {
	switch flag {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		return terminal && env.Getenv("NO_COLOR") == "" && env.Getenv("TERM") != "dumb", nil
	}
	return false, fmt.Errorf("--color %q: use auto, always or never", flag)
}
