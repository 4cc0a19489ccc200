package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/api"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/metrics"
)

const serveHelp = `Keep watching, and answer over HTTP: metrics for Prometheus, counts, lists, what
is stuck, and transitions as they happen. Alerts go where those of leaks go.

  /metrics            for Prometheus, in whichever format it asks for
  /healthz /readyz    whether it lives, and whether its numbers are right
  /api/v1/count       sockets by state, or by=process, netns ...; filter=...
  /api/v1/list        the sockets of now
  /api/v1/findings    what is stuck
  /api/v1/events      transitions, as server-sent events
  /api/v1/openapi.json what all of them take and give

It listens on this host alone unless told otherwise. --web-config is a file as
Prometheus' exporters have it, for TLS and passwords. While nobody reads events,
no transition costs anything outside of the kernel, but for those of the states
that --limit watches.

--config is YAML with flags by their names, as "listen: :9797"; the command line
goes before it. SIGHUP reads it again, for limits, mutes and whom to tell. Under
systemd it is a service of Type=notify, with a watchdog if asked for.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 kernel feature or privilege is
missing.`

const serveExamples = `  tcptrail serve
  tcptrail serve --listen :9797 --web-config web.yml
  tcptrail serve --config /etc/tcptrail.yml --check    is it right?
  tcptrail serve --listen unix:/run/tcptrail.sock --alertmanager http://am:9093
  curl -s 'localhost:9797/api/v1/count?by=process&filter=state+close-wait'
  curl -sN 'localhost:9797/api/v1/events?filter=dport+=+:443'`

// defaultListen is where it listens unless told otherwise.
const defaultListen = "127.0.0.1:9797"

// serveFlags are the flags of serve as given.
type serveFlags struct {
	leaksFlags
	listen    []string
	hosts     []string
	webConfig string
	top       uint64
	config    string
	check     bool
	pin       bool
	measure   bool
	logFormat string
	logLevel  string
	store     storeFlags
}

// servePlan is what serve is asked to do, checked.
type servePlan struct {
	*leaksPlan
	flags   *pflag.FlagSet // as they were given
	server  api.ServerOptions
	top     int
	check   bool
	pin     bool
	measure bool
	log     *slog.Logger

	directory *directoryOptions // nil: nothing is recorded
}

func newServe(env *Env) *cobra.Command {
	var flags serveFlags
	return flags.command(env)
}

// command returns the command that these are the flags of.
func (f *serveFlags) command(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:                   serveName + " [flags]",
		Short:                 "Answer over HTTP: metrics, sockets, findings, events",
		Long:                  serveHelp,
		Example:               serveExamples,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := noArgs(cmd, args); err != nil {
				return err
			}
			plan, err := f.read(env, cmd)
			if err != nil {
				return err
			}
			if plan.check {
				return checkServe(env, plan)
			}
			return runServe(env, plan)
		},
	}
	f.define(cmd)
	return cmd
}

// serveName is how the command is called.
const serveName = "serve"

func (f *serveFlags) define(cmd *cobra.Command) {
	f.limits, f.logFormat, f.logLevel = leak.DefaultLimits(), "text", "info"
	s := cmd.Flags()
	s.SortFlags = false
	s.Var(words{&f.listen, "address"}, "listen", "address and port, or unix:/path; more by commas; if\nnot "+defaultListen)
	s.Var(words{&f.hosts, "name"}, "host-name", "names of this host that requests to addresses of\nits own alone may ask for")
	s.Var(word{&f.webConfig, "file"}, "web-config", "TLS and passwords, as Prometheus' exporters take it")
	s.VarP(count{&f.top}, "top", "n", "processes and cgroups with series of their own; 20\nunless given, at most 200")
	f.definePlace(s)
	f.defineWatched(s)
	s.BoolVar(&f.stacks, "stacks", false, "tell which code opened them: costs microseconds a\nconnection, and knows of those that come from now on")
	f.defineRepeat(s)
	f.sinkFlags.define(s)
	f.store.defineBeside(s)
	s.BoolVar(&f.pin, "pin", false, "keep ages and owners in bpffs: a restart loses none")
	s.BoolVar(&f.measure, "program-time", false, "let the kernel measure what programs of BPF cost,\nours and others: some 40 ns a run")
	s.Var(word{&f.config, "file"}, "config", "flags from a file of YAML")
	s.BoolVar(&f.check, "check", false, "only say whether flags and files are right")
	s.Var(word{&f.logFormat, "format"}, "log-format", "of messages on stderr: text or json")
	s.Var(word{&f.logLevel, "level"}, "log-level", "debug, info, warn or error")
	s.Var(period{&f.duration}, "duration", "end after this long, as 24h")
	for _, name := range []string{"top", "log-format", "log-level"} {
		s.Lookup(name).DefValue = "" // said in words, or goes without saying
	}
	complete(cmd, s)
	_ = cmd.MarkFlagFilename("config", "yml", "yaml")
	_ = cmd.MarkFlagFilename("web-config", "yml", "yaml")
}

// read makes a plan of the flags and the configuration file. Errors are of wrong use.
func (f *serveFlags) read(env *Env, cmd *cobra.Command) (*servePlan, error) {
	if f.config != "" {
		if err := configure(cmd, f.config); err != nil {
			return nil, usageError{err}
		}
	}
	plan, err := f.plan(env)
	if err != nil {
		return nil, usageError{fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())}
	}
	plan.flags = cmd.Flags()
	for _, name := range besideNames {
		if plan.directory == nil && plan.flags.Changed(name) {
			return nil, usageError{errors.Join(fmt.Errorf("--%s: there is no --log-dir that it is about", name), closeSinks(plan))}
		}
	}
	return plan, nil
}

func (f *serveFlags) plan(env *Env) (*servePlan, error) {
	if f.top > metrics.MaxTop {
		return nil, fmt.Errorf("--top %d: give up to %d", f.top, metrics.MaxTop)
	}
	p := &servePlan{top: int(f.top), check: f.check, pin: f.pin, measure: f.measure}
	p.server = api.ServerOptions{Addresses: f.listen, Hosts: f.hosts, WebConfig: f.webConfig}
	if len(f.listen) == 0 {
		p.server.Addresses = []string{defaultListen}
	}
	var err error
	if p.log, err = newServeLog(env.Stderr, f.logFormat, f.logLevel); err != nil {
		return nil, err
	}
	if p.log.Enabled(context.Background(), slog.LevelDebug) { // what clients do wrong is not our news
		p.server.Log = p.log
	}
	if err = f.planStore(p); err != nil {
		return nil, err
	}
	if p.leaksPlan, err = f.watchPlan(env, nil); err != nil { // last, for it opens what alerts go to
		return nil, err
	}
	p.stacks = f.stacks
	if p.directory != nil {
		p.directory.netns = p.selection.filter.NetNS
	}
	return p, nil
}

// planStore says what is recorded.
func (f *serveFlags) planStore(p *servePlan) error {
	o, err := f.store.options()
	if f.store.dir != "" {
		o.limits = f.limits
		p.directory = &o
	}
	return err
}

// checkServe says that a plan is right, as far as can be told without carrying it out.
func checkServe(env *Env, p *servePlan) error {
	if err := errors.Join(closeSinks(p), api.Check(p.server)); err != nil {
		return usageError{err}
	}
	_, err := fmt.Fprintln(env.Stdout, "flags and files are right")
	return wrote(err)
}
