package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/output"
)

// traceFlags are the flags of trace as given.
type traceFlags struct {
	filter   filter.Filter
	ipv4     bool
	ipv6     bool
	pids     []string
	netns    []string
	cgroups  []string
	output   string
	time     string
	color    string
	noHeader bool
	limit    uint64
	duration time.Duration
	buffer   int
	ready    string
}

// tracePlan is what trace is asked to do, checked.
type tracePlan struct {
	filter    filter.Filter
	output    output.Options
	limit     uint64        // 0: none
	duration  time.Duration // 0: no end
	ringBytes int
	ready     string
}

// define declares the flags in the order in which help shows them. Lines of help fit into 80 columns.
func (f *traceFlags) define(cmd *cobra.Command) {
	f.output, f.time, f.color, f.buffer = "table", "auto", "auto", defaultBuffer
	s := cmd.Flags()
	s.SortFlags = false
	s.VarP(words{&f.pids, "pid"}, "pid", "p", "owner's process id; more by commas, as everywhere")
	s.VarP(filter.CommsFlag{To: &f.filter.Comms}, "comm", "c", "owner's name, or a pattern such as 'php*'")
	s.VarP(filter.PortsFlag{To: &f.filter.LocalPorts}, "local-port", "L", "local ports, as 80,443,8000-8100")
	s.VarP(filter.PortsFlag{To: &f.filter.RemotePorts}, "remote-port", "D", "remote ports, likewise")
	s.Var(filter.PrefixesFlag{To: &f.filter.Local}, "local", "local address or network, as 10.0.0.0/8")
	s.Var(filter.PrefixesFlag{To: &f.filter.Remote}, "remote", "remote address or network")
	s.BoolVarP(&f.ipv4, "ipv4", "4", false, "IPv4 on the wire only, v4-mapped included")
	s.BoolVarP(&f.ipv6, "ipv6", "6", false, "IPv6 on the wire only")
	s.Var(filter.StatesFlag{To: &f.filter.States}, "state", "into or out of these, as CLOSE_WAIT or ss's groups")
	s.Var(filter.StatesFlag{To: &f.filter.Old}, "old", "out of these states")
	s.Var(filter.StatesFlag{To: &f.filter.New}, "new", "into these states")
	s.Var(words{&f.netns, "netns"}, "netns", "network namespace: self, pid, name, path or inode")
	s.Var(words{&f.cgroups, "cgroup"}, "cgroup", "cgroup v2 and all below: self, a path or an id")
	s.VarP(word{&f.output, "format"}, "output", "o", "table, wide, json or csv")
	s.VarP(word{&f.time, "style"}, "time", "T", "clock, full, unix, relative or none, in tables")
	s.Var(word{&f.color, "when"}, "color", "auto, always or never; auto heeds NO_COLOR")
	s.BoolVar(&f.noHeader, "no-header", false, "no header line")
	s.VarP(count{&f.limit}, "limit", "n", "end after this many transitions; 0 is never")
	s.Var(period{&f.duration}, "duration", "end after this long, as 30s")
	s.Var(size{&f.buffer}, "buffer", "memory between kernel and tracer")
	s.StringVar(&f.ready, "ready-file", "", "write our pid to this file when tracing has begun")
	_ = s.MarkHidden("ready-file")
	s.Lookup("time").NoOptDefVal = output.Full.String()
	s.Lookup("time").DefValue, s.Lookup("color").DefValue = "", "" // goes without saying
	complete(cmd, s)
}

// complete offers the values of the flags that have few, and files only for those that take paths.
func complete(cmd *cobra.Command, flags *pflag.FlagSet) {
	states := fixed(
		"ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN",
		"CLOSING", "connected", "synchronized",
	)
	values := map[string]cobra.CompletionFunc{
		"state": states, "old": states, "new": states,
		"output": fixed("table", "wide", "json", "csv"),
		"time":   fixed("clock", "full", "unix", "relative", "none"),
		"color":  fixed("auto", "always", "never"),
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

func fixed(values ...cobra.Completion) cobra.CompletionFunc {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}

// plan checks the flags and turns them into what to do. Every error names what would be right.
func (f *traceFlags) plan(env *Env) (*tracePlan, error) {
	p := &tracePlan{filter: f.filter, limit: f.limit, duration: f.duration, ringBytes: f.buffer, ready: f.ready}
	if f.ipv4 && f.ipv6 {
		return nil, errors.New("-4 and -6 together leave nothing: give one of them, or neither for both")
	}
	if f.ipv4 {
		p.filter.Version = filter.V4
	}
	if f.ipv6 {
		p.filter.Version = filter.V6
	}
	var err error
	if p.output, err = f.outputOptions(env); err != nil {
		return nil, err
	}
	return p, resolve(env.Proc, f, &p.filter)
}

func (f *traceFlags) outputOptions(env *Env) (output.Options, error) {
	format, err := output.ParseFormat(f.output)
	if err != nil {
		return output.Options{}, fmt.Errorf("--output: %w", err)
	}
	o := output.Options{Format: format, Header: !f.noHeader, Width: env.TerminalWidth(), Location: time.Local}
	if o.Time, err = output.ParseTimeStyle(f.time); err != nil {
		return output.Options{}, fmt.Errorf("--time: %w", err)
	}
	if (format == output.JSON || format == output.CSV) && o.Time != output.Auto {
		return output.Options{}, fmt.Errorf(
			"--time %v: %v always has RFC 3339 in UTC: leave --time out, or use -o table or -o wide", o.Time, format)
	}
	o.Color, err = wantsColor(f.color, env, o.Width > 0)
	return o, err
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
