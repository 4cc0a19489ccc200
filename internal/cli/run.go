package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/family"
	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const runHelp = `Run a program or a test suite, follow every process that descends from it, and
say at the end which sockets it leaked: those that were in CLOSE_WAIT or
FIN_WAIT2, or dead and still held (ZOMBIE), when the last process that held
them ended, or that are so now; and which line of code opened them. So are those
that were there for over --max-age, even if somebody closed them in the end:
Python closes at its own end what the program never did.

The report goes to stderr, or to --report. The exit code is the command's own,
or 4 where it leaked. A connection whose peer closed it less than --min-age
before the end is no leak: nobody could have closed it yet.

The command has the same rights as tcptrail: use --user where it needs none.`

const runExamples = `  tcptrail run -- go test ./...
  tcptrail run --user "$SUDO_USER" -- pytest -x
  tcptrail run --fail-on CLOSE_WAIT --report leaks.json -o json -- ./server-test`

// defaultMinAge is how long before the end of its holder a socket must have got where it is. A peer that closes at the
// end of a test races with it; a loop that looks at all of its connections comes by more often than this.
const defaultMinAge = 100 * time.Millisecond

// defaultMaxAge is after how long a socket that was closed is a leak all the same: one that an interpreter closes at its very
// end, as Python does, or a finalizer some time. Whoever still reads what a peer has sent takes less, mostly.
const defaultMaxAge = 10 * time.Second

// runFlags are the flags of run as given.
type runFlags struct {
	failOn string
	minAge time.Duration
	maxAge time.Duration
	user   string
	report string
	output string
}

// runPlan is what run is asked to do, checked.
type runPlan struct {
	command family.Command
	limits  leak.Limits
	anyAge  bool // no age is too young
	maxAge  time.Duration
	format  output.Format
	report  string // file; "" is stderr
}

func newRun(env *Env) *cobra.Command {
	flags := runFlags{}
	cmd := &cobra.Command{
		Use:                   "run [flags] [--] COMMAND [ARGUMENT...]",
		Short:                 "Run a command and find the sockets that it leaks",
		Long:                  runHelp,
		Example:               runExamples,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := flags.plan(args)
			if err != nil {
				return usageError{fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())}
			}
			return runCommand(env, plan)
		},
	}
	flags.define(cmd)
	return cmd
}

func (f *runFlags) define(cmd *cobra.Command) {
	f.failOn, f.minAge, f.maxAge, f.output = "CLOSE_WAIT,FIN_WAIT2,ZOMBIE", defaultMinAge, defaultMaxAge, "table"
	s := cmd.Flags()
	s.SortFlags = false
	s.SetInterspersed(false) // what follows the command is the command's
	s.Var(word{&f.failOn, "states"}, "fail-on", "what no process may leave: of CLOSE_WAIT, FIN_WAIT2\nand ZOMBIE")
	s.Var(age{&f.minAge}, "min-age", "how long it must have been there; 0 is enough")
	s.Var(age{&f.maxAge}, "max-age", "how long it may have been there although it was closed\nin the end; 0 is for ever")
	s.Var(word{&f.user, "name"}, "user", "run the command as this user")
	s.Var(word{&f.report, "file"}, "report", "write the report there, not to stderr")
	s.VarP(word{&f.output, "format"}, "output", "o", "table, wide or json")
	completeRun(cmd)
}

func completeRun(cmd *cobra.Command) {
	for name, complete := range map[string]cobra.CompletionFunc{
		"fail-on": fixed("CLOSE_WAIT", "FIN_WAIT2", "ZOMBIE"),
		"output":  fixed("table", "wide", "json"),
		"user":    cobra.NoFileCompletions,
		"min-age": cobra.NoFileCompletions,
		"max-age": cobra.NoFileCompletions,
	} {
		if err := cmd.RegisterFlagCompletionFunc(name, complete); err != nil {
			panic(err) // there is no such flag
		}
	}
}

// age is a duration that may be 0.
type age struct{ to *time.Duration }

func (a age) Set(text string) error {
	if text == "0" {
		*a.to = 0
		return nil
	}
	return period(a).Set(text)
}

func (a age) String() string { return a.to.String() }
func (a age) Type() string   { return "duration" }

var _ pflag.Value = age{}

func (f *runFlags) plan(args []string) (*runPlan, error) {
	p := &runPlan{report: f.report, maxAge: f.maxAge, anyAge: f.minAge == 0}
	if len(args) == 0 {
		return nil, errors.New("run needs a command, as tcptrail run -- make test")
	}
	p.command.Args, p.command.Env = args, os.Environ()
	var err error
	if p.format, err = output.ParseFormat(f.output); err != nil {
		return nil, fmt.Errorf("--output: %w", err)
	}
	if p.format == output.CSV {
		return nil, errors.New("--output csv: a finding has lists, which do not fit into a table: use json")
	}
	if p.limits, err = leftLimits(f.failOn, f.minAge); err != nil {
		return nil, fmt.Errorf("--fail-on: %w", err)
	}
	if f.user != "" {
		if p.command.User, err = family.LookupUser(f.user); err != nil {
			return nil, fmt.Errorf("--user: %w", err)
		}
	}
	return p, nil
}

// leftConditions are what a process should not leave behind. Other states it may leave to the kernel.
var leftConditions = [...]leak.Condition{leak.Condition(tcp.CloseWait), leak.Condition(tcp.FinWait2), leak.Zombie}

// leftLimits makes a limit of each condition that may not be left.
func leftLimits(failOn string, minAge time.Duration) (limits leak.Limits, err error) {
	for name := range strings.SplitSeq(failOn, ",") {
		c, err := leak.ParseCondition(name)
		if err != nil {
			return limits, err
		}
		if !slices.Contains(leftConditions[:], c) {
			return limits, fmt.Errorf("%v is no leak of a process that ends: use CLOSE_WAIT, FIN_WAIT2 and ZOMBIE", c)
		}
		limits.Warn(c, max(minAge, 1))
	}
	return limits, nil
}

// exitError ends the process with the exit code of a command that was run. It is no error of ours.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// openReport returns where the report goes, and how to end it.
func (p *runPlan) openReport(env *Env) (io.Writer, func() error, error) {
	if p.report == "" {
		return env.Stderr, func() error { return nil }, nil
	}
	file, err := os.Create(p.report)
	if err != nil {
		return nil, nil, fmt.Errorf("--report: %w", err)
	}
	return file, file.Close, nil
}
