package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/privilege"
)

const logHelp = `Keep every transition as a line of JSON, in a file for each process: the fields
of trace -o json, and three more. Beside them it keeps what tcptrail leaks would
look at, so that tcptrail replay can find later, and elsewhere, what was stuck.

A line is in the kernel's hands a few milliseconds after the transition, so it
survives the death of tcptrail; for a loss of power see --fsync. Files end when
they are large or old, are compressed then (zstdcat reads them), and the oldest
are removed when there are too many. What is lost is counted: on stderr, and in
the recording itself.

With --to journal or --to syslog transitions go there instead, with fields, and
nothing else does: there are no files to replay. They wait for a log that is
away or slow, up to 16384 of them; those beyond are lost, which is counted, and
said in that log. What is over its RateLimitBurst= journald drops.

FILTER is that of trace: what it refuses is not kept.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 kernel feature or privilege is
missing.`

const logExamples = `  tcptrail log                                 into /var/log/tcptrail
  tcptrail log --dir /data/tcp --max-bytes 10G --rotate-age 24h
  tcptrail log --layout host -L 443            one file for all, of one port
  tcptrail replay leaks /var/log/tcptrail      what was stuck
  zstdcat -f /var/log/tcptrail/nginx-*.jsonl* | jq .new
  tcptrail log --to journal --state CLOSE_WAIT
  journalctl TCPTRAIL_PID=42                   what went there of a process`

// logFlags are the flags of log as given.
type logFlags struct {
	selectFlags
	storeFlags
	to       string
	limits   leak.Limits
	duration time.Duration
	buffer   int
	ready    string
	set      *pflag.FlagSet // which has those of a directory
}

// logPlan is what log is asked to do, checked.
type logPlan struct {
	selection *selection
	to        logTarget
	directory directoryOptions
	duration  time.Duration
	ringBytes int
	ready     string
}

// privileges returns what log needs until its keeper watches.
func (p *logPlan) privileges() privilege.Set {
	if p.to.kind == toDirectory {
		return listPrivileges
	}
	return privilege.Trace | privilege.TraceOptional
}

func (p *logPlan) open(env *Env) (keeper, error) {
	if p.to.kind == toDirectory {
		return openDirectoryKeeper(env, p)
	}
	return openForwardKeeper(env, p)
}

func newLog(env *Env) *cobra.Command {
	flags := logFlags{limits: leak.DefaultLimits()}
	cmd := &cobra.Command{
		Use:                   "log [flags] [FILTER]",
		Short:                 "Keep every transition, in a file for each process",
		Long:                  logHelp,
		Example:               logExamples,
		ValidArgsFunction:     completeFilter,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := flags.plan(env, args)
			if err != nil {
				return explainFilter(cmd, err)
			}
			return runLog(env, plan)
		},
	}
	flags.define(cmd)
	return cmd
}

func (f *logFlags) define(cmd *cobra.Command) {
	f.to, f.buffer = "dir", defaultBuffer
	s := cmd.Flags()
	s.SortFlags, f.set = false, s
	f.defineConnection(s)
	f.defineState(s, "into or out of these, as CLOSE_WAIT or ss's groups")
	f.definePlace(s)
	s.Var(word{&f.to, "log"}, "to", "dir (the default), journal, or syslog; another\nhost's is syslog:udp://HOST or syslog:tcp://HOST")
	f.storeFlags.define(s)
	s.Var(&f.limits, "limit", "what leaks would look at: see tcptrail leaks")
	for _, name := range []string{"to", "limit"} {
		s.Lookup(name).DefValue = "" // said in words
	}
	s.Var(period{&f.duration}, "duration", "end after this long, as 24h")
	s.Var(size{&f.buffer}, "buffer", "memory between kernel and recorder")
	s.StringVar(&f.ready, "ready-file", "", "write our pid to this file when recording has begun")
	_ = s.MarkHidden("ready-file")
	complete(cmd, s)
	_ = cmd.MarkFlagDirname("dir")
}

func (f *logFlags) plan(env *Env, args []string) (p *logPlan, err error) {
	p = &logPlan{duration: f.duration, ringBytes: f.buffer, ready: f.ready}
	if p.to, err = parseLogTarget(f.to); err != nil {
		return nil, err
	}
	if p.to.kind == toDirectory {
		p.directory, err = f.directory(strings.Join(args, " "))
	} else {
		err = f.withoutDirectory()
	}
	if err != nil {
		return nil, err
	}
	if p.selection, err = f.resolve(env, args); err != nil {
		return nil, err
	}
	p.directory.netns = p.selection.filter.NetNS
	return p, nil
}

// withoutDirectory refuses what would have no effect.
func (f *logFlags) withoutDirectory() error {
	for _, name := range append(storeFlagNames[:], "limit") {
		if f.set.Changed(name) {
			return fmt.Errorf("--%s is for files, and --to %s writes none: leave one of them out", name, f.to)
		}
	}
	return nil
}

func (f *logFlags) directory(filter string) (directoryOptions, error) {
	o, err := f.options()
	o.limits, o.filter = f.limits, filter
	return o, err
}
