package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
	buffer   string
	ready    string
}

// tracePlan is what trace is asked to do, checked.
type tracePlan struct {
	filter    filter.Filter
	output    output.Options
	limit     uint64 // 0: none
	duration  time.Duration
	ringBytes int
	ready     string
}

func (f *traceFlags) define(cmd *cobra.Command) {
	s := cmd.Flags()
	s.SortFlags = false
	s.StringSliceVarP(&f.pids, "pid", "p", nil, "owner's process id")
	s.VarP(filter.CommsFlag{To: &f.filter.Comms}, "comm", "c", "owner's name, or a pattern such as 'php*'")
	s.VarP(filter.PortsFlag{To: &f.filter.LocalPorts}, "local-port", "L", "local ports, as 80,443,8000-8100")
	s.VarP(filter.PortsFlag{To: &f.filter.RemotePorts}, "remote-port", "D", "remote ports, likewise")
	s.Var(filter.PrefixesFlag{To: &f.filter.Local}, "local", "local address or network, as 10.0.0.0/8")
	s.Var(filter.PrefixesFlag{To: &f.filter.Remote}, "remote", "remote address or network")
	s.BoolVarP(&f.ipv4, "ipv4", "4", false, "IPv4 on the wire only, v4-mapped sockets included")
	s.BoolVarP(&f.ipv6, "ipv6", "6", false, "IPv6 on the wire only")
	s.Var(filter.StatesFlag{To: &f.filter.States}, "state", "into or out of these states, or of a group of ss's")
	s.Var(filter.StatesFlag{To: &f.filter.Old}, "old", "out of these states")
	s.Var(filter.StatesFlag{To: &f.filter.New}, "new", "into these states")
	s.StringSliceVar(&f.netns, "netns", nil, "network namespace: self, a pid, a name, a path or an inode number")
	s.StringSliceVar(&f.cgroups, "cgroup", nil, "cgroup v2 and all below it: self, a path or an id")
	s.StringVarP(&f.output, "output", "o", "table", "table, wide, json or csv")
	s.StringVarP(&f.time, "time", "T", "auto", "time as clock, full, unix, relative or none; in tables only")
	s.StringVar(&f.color, "color", "auto", "auto, always or never; NO_COLOR is honoured")
	s.BoolVar(&f.noHeader, "no-header", false, "no header line")
	s.Uint64VarP(&f.limit, "limit", "n", 0, "end after this many transitions; 0 is never")
	s.DurationVar(&f.duration, "duration", 0, "end after this long, as 30s")
	s.StringVar(&f.buffer, "buffer", "16M", "memory for records between kernel and tracer, over all CPUs")
	s.StringVar(&f.ready, "ready-file", "", "write our pid to this file when tracing has begun")
	_ = s.MarkHidden("ready-file")
	s.Lookup("time").NoOptDefVal = "full"
	for _, name := range []string{"ipv4", "ipv6", "no-header"} {
		s.Lookup(name).NoOptDefVal = "true"
	}
	complete(cmd)
}

// complete offers the values of the flags that have few.
func complete(cmd *cobra.Command) {
	states := cobra.FixedCompletions([]cobra.Completion{
		"ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN",
		"CLOSING", "connected", "synchronized",
	}, cobra.ShellCompDirectiveNoFileComp)
	values := map[string]cobra.CompletionFunc{
		"state": states, "old": states, "new": states,
		"output": fixed("table", "wide", "json", "csv"),
		"time":   fixed("clock", "full", "unix", "relative", "none"),
		"color":  fixed("auto", "always", "never"),
	}
	for flag, f := range values {
		_ = cmd.RegisterFlagCompletionFunc(flag, f)
	}
}

func fixed(values ...cobra.Completion) cobra.CompletionFunc {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}

// plan checks the flags and turns them into what to do. Every error names what would be right.
func (f *traceFlags) plan(env *Env) (*tracePlan, error) {
	p := &tracePlan{filter: f.filter, limit: f.limit, duration: f.duration, ready: f.ready}
	if f.ipv4 && f.ipv6 {
		return nil, errors.New("-4 and -6 together leave nothing: give one of them, or neither for both")
	}
	if f.ipv4 {
		p.filter.Version = filter.V4
	}
	if f.ipv6 {
		p.filter.Version = filter.V6
	}
	if f.duration < 0 {
		return nil, fmt.Errorf("--duration %v: must be positive, as 30s", f.duration)
	}
	var err error
	if p.ringBytes, err = parseBuffer(f.buffer); err != nil {
		return nil, err
	}
	if err := resolve(env.Proc, f, &p.filter); err != nil {
		return nil, err
	}
	p.output, err = f.outputOptions(env)
	return p, err
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

const (
	// minBuffer holds a few hundred records.
	minBuffer = 64 << 10
	// maxBuffer is what a tracer may take of a host's memory without being asked twice.
	maxBuffer = 1 << 30
)

// parseBuffer reads a size with an optional K, M or G (powers of 1024) and refuses what makes no sense.
func parseBuffer(text string) (int, error) {
	wrong := fmt.Errorf("--buffer %q: use a size from 64K to 1G, as 512K or 16M", text)
	digits := strings.TrimRight(strings.ToUpper(text), "KMGIB")
	units := map[string]uint64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
	unit := strings.ToUpper(text)[len(digits):]
	factor, ok := units[strings.TrimSuffix(strings.TrimSuffix(unit, "B"), "I")]
	var n uint64
	if _, err := fmt.Sscanf(digits, "%d", &n); err != nil || !ok || fmt.Sprint(n) != digits || n > maxBuffer {
		return 0, wrong
	}
	if n *= factor; n < minBuffer || n > maxBuffer {
		return 0, wrong
	}
	return int(n), nil
}
