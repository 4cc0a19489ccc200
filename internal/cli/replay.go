package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/proc"
)

const replayHelp = `Look at a recording as if it were happening: a directory of tcptrail log, one
file of it, or what tcptrail trace -o json has written; "-" is stdin. It takes
no privilege, and looks at nothing of this host.

  replay PATH         prints transitions, as trace does
  replay leaks PATH   finds what was stuck, as leaks did when it was recorded
  replay count PATH   counts the sockets at the end of it, or at --until
  replay list PATH    lists them

Their flags and filters are those of the commands themselves. Processes,
namespaces and cgroups go by their numbers in the recording.`

const replayExamples = `  tcptrail replay /var/log/tcptrail                    all transitions, in order
  tcptrail replay /var/log/tcptrail -p 4242 -o json    those of one process
  tcptrail replay leaks /var/log/tcptrail              findings as they came
  tcptrail replay leaks --once --until '2026-11-21 10:00' /var/log/tcptrail
  tcptrail replay count --by process /var/log/tcptrail who had how many
  tcptrail trace -o json | tee t.json | tcptrail replay -`

// replayFlags are the flags that all kinds of replay have.
type replayFlags struct {
	since, until string
	speed        string
}

func (f *replayFlags) define(s *pflag.FlagSet) {
	s.Var(word{&f.since, "time"}, "since", "leave out what was before, as '2026-11-21 10:00',\n10:00 (of today), or 2h (ago)")
	s.Var(word{&f.until, "time"}, "until", "end there, likewise")
	s.Var(word{&f.speed, "factor"}, "speed", "1 as it happened, 10 ten times faster; as fast as\npossible unless given")
}

// period of a recording, ns since 1970; 0: no bound.
type span struct{ since, until int64 }

func (f *replayFlags) check(now time.Time) (s span, speed float64, err error) {
	if s.since, err = parseMoment(f.since, now); err != nil {
		return s, 0, fmt.Errorf("--since %w", err)
	}
	if s.until, err = parseMoment(f.until, now); err != nil {
		return s, 0, fmt.Errorf("--until %w", err)
	}
	if s.since != 0 && s.until != 0 && s.since >= s.until {
		return s, 0, errors.New("--since is not before --until: nothing is left")
	}
	if f.speed != "" {
		if speed, err = strconv.ParseFloat(f.speed, 64); err != nil || !(speed > 0) || speed > maxSpeed {
			return s, 0, fmt.Errorf("--speed %q: give a number above 0, as 1 or 10", f.speed)
		}
	}
	return s, speed, nil
}

// maxSpeed is faster than any recording can be read.
const maxSpeed = 1e9

// momentLayouts are how people write times; those without a zone are local, those without a day are of today.
var momentLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", "15:04:05", "15:04"}

// parseMoment returns ns since 1970, 0 for "".
func parseMoment(text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago).UnixNano(), nil
	}
	for _, layout := range momentLayouts {
		t, err := time.ParseInLocation(layout, text, now.Location())
		if err != nil {
			continue
		}
		if !strings.Contains(layout, "2006") {
			t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location())
		}
		return t.UnixNano(), nil
	}
	return 0, fmt.Errorf("%q: give a time, as '2026-11-21 10:00' or 10:00, or how long ago, as 2h", text)
}

func newReplay(env *Env) *cobra.Command {
	flags := &replayFlags{}
	replay := overRecording(env, flags, newTrace)
	replay.Use = "replay [command] [flags] PATH [FILTER]"
	replay.Short = "Trace, count, list or find leaks in a recording"
	replay.Long = replayHelp
	replay.Example = replayExamples
	replay.Args = cobra.ArbitraryArgs
	for _, of := range []func(*Env) *cobra.Command{newTrace, newLeaks, newCount, newList} {
		sub := overRecording(env, flags, of)
		name := sub.Name()
		sub.Use = name + " [flags] PATH [FILTER]"
		sub.Short = replayShort[name]
		sub.Long = sub.Short + ".\n\nPATH is a directory of tcptrail log, or a file. Flags and FILTER\nare those of tcptrail " + name + "; see there."
		sub.Example = ""
		replay.AddCommand(sub)
	}
	return replay
}

var replayShort = map[string]string{
	"trace": "Print the transitions of a recording",
	"leaks": "Find what was stuck when it was recorded",
	"count": "Count the sockets at a recording's end",
	"list":  "List the sockets at a recording's end",
}

// liveFlags make no sense about what is over.
var liveFlags = []string{
	"pin", "buffer", "ready-file", "duration", "stacks", "interval", "matrix", "repeat", "alert-file", "exec", "webhook",
	"webhook-key", "alertmanager", "syslog", "journal",
}

// overRecording makes a command of one that looks at the host: it looks at the recording that its first argument names.
func overRecording(env *Env, flags *replayFlags, of func(*Env) *cobra.Command) *cobra.Command {
	played := &Env{}
	*played = *env
	played.Proc = proc.FS{Elsewhere: true}
	played.PinDir = ""
	played.Keep = func(privilege.Set) error { return nil }
	cmd := of(played)
	inner := cmd.RunE
	for _, name := range liveFlags {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.Flags().MarkHidden(name)
		}
	}
	flags.define(cmd.Flags())
	cmd.ValidArgsFunction = nil // the first argument is a file
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		span, speed, err := flags.check(env.clock()())
		switch {
		case err != nil:
		case len(args) == 0:
			err = errors.New("which recording? Give a directory of tcptrail log, or a file")
		default:
			err = refuseLive(cmd)
		}
		if err != nil {
			return usageError{fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())}
		}
		p, err := openPlayback(env, args[0], span, speed)
		if err != nil {
			return err
		}
		p.lend(played)
		if limit := cmd.Flags().Lookup("limit"); cmd.Name() == leaksName && !limit.Changed && p.session.Limits != "" {
			if err := limit.Value.Set(p.session.Limits); err != nil {
				return errors.Join(err, p.close())
			}
		}
		err = inner(cmd, args[1:])
		p.account(env)
		return errors.Join(err, p.close())
	}
	return cmd
}

func refuseLive(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(liveFlags, f.Name) {
			err = fmt.Errorf("--%s is about what happens now, and this is over: leave it out", f.Name)
		}
	})
	return err
}
