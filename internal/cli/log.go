package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tcptrail/tcptrail/internal/archive"
	"github.com/tcptrail/tcptrail/internal/leak"
)

const logHelp = `Keep every transition as a line of JSON, in a file for each process: the fields
of trace -o json, and three more. Beside them it keeps what tcptrail leaks would
look at, so that tcptrail replay can find later, and elsewhere, what was stuck.

A line is in the kernel's hands a few milliseconds after the transition, so it
survives the death of tcptrail; for a loss of power see --fsync. Files end when
they are large or old, are compressed then (zstdcat reads them), and the oldest
are removed when there are too many. What is lost is counted: on stderr, and in
the recording itself.

FILTER is that of trace: what it refuses is not kept.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 kernel feature or privilege is
missing.`

const logExamples = `  tcptrail log                                 into /var/log/tcptrail
  tcptrail log --dir /data/tcp --max-bytes 10G --max-age 168h
  tcptrail log --layout host -L 443            one file for all, of one port
  tcptrail replay leaks /var/log/tcptrail      what was stuck
  zstdcat -f /var/log/tcptrail/nginx-*.jsonl* | jq .new`

// What log keeps unless it is told otherwise: a week of a quiet host, some hours of a busy one.
const (
	defaultLogDir       = "/var/log/tcptrail"
	defaultLogBytes     = 1 << 30
	defaultLogFiles     = 20_000
	defaultSegmentBytes = 16 << 20
	defaultSegmentAge   = time.Hour
)

// logFlags are the flags of log as given.
type logFlags struct {
	selectFlags
	dir          string
	layout       string
	maxBytes     int
	maxFiles     uint64
	segmentBytes int
	segmentAge   time.Duration
	fsync        string
	limits       leak.Limits
	duration     time.Duration
	buffer       int
	ready        string
}

// logPlan is what log is asked to do, checked.
type logPlan struct {
	selection *selection
	filter    string // as it was given
	store     archive.Options
	whole     bool
	limits    leak.Limits
	duration  time.Duration
	ringBytes int
	ready     string
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
	f.dir, f.layout, f.fsync, f.buffer = defaultLogDir, "process", "never", defaultBuffer
	f.maxBytes, f.maxFiles, f.segmentBytes, f.segmentAge = defaultLogBytes, defaultLogFiles, defaultSegmentBytes, defaultSegmentAge
	s := cmd.Flags()
	s.SortFlags = false
	f.defineConnection(s)
	f.defineState(s, "into or out of these, as CLOSE_WAIT or ss's groups")
	f.definePlace(s)
	s.Var(word{&f.dir, "directory"}, "dir", "where to keep files, if not in\n"+defaultLogDir)
	s.Var(word{&f.layout, "layout"}, "layout", "process, a file for each; host, one for all")
	s.Var(size{&f.maxBytes}, "max-bytes", "of all files; the oldest go first")
	s.Var(count{&f.maxFiles}, "max-files", "likewise")
	s.Var(size{&f.segmentBytes}, "rotate-size", "end a file when it is so large")
	s.Var(period{&f.segmentAge}, "rotate-age", "or so old")
	s.Var(word{&f.fsync, "when"}, "fsync", "let lines survive a loss of power: never (the\ndefault), close (of a file), or each 1s, say")
	s.Var(&f.limits, "limit", "what leaks would look at: see tcptrail leaks")
	for _, name := range []string{"dir", "limit", "layout", "fsync"} {
		s.Lookup(name).DefValue = "" // said in words
	}
	s.Var(period{&f.duration}, "duration", "end after this long, as 24h")
	s.Var(size{&f.buffer}, "buffer", "memory between kernel and recorder")
	s.StringVar(&f.ready, "ready-file", "", "write our pid to this file when recording has begun")
	_ = s.MarkHidden("ready-file")
	complete(cmd, s)
	_ = cmd.MarkFlagDirname("dir")
}

func (f *logFlags) plan(env *Env, args []string) (*logPlan, error) {
	p := &logPlan{
		filter: strings.Join(args, " "), limits: f.limits, duration: f.duration, ringBytes: f.buffer, ready: f.ready,
		store: archive.Options{
			Dir: f.dir, SegmentBytes: int64(f.segmentBytes), SegmentAge: f.segmentAge, MaxBytes: int64(f.maxBytes),
			MaxFiles: int(min(f.maxFiles, maxTop)),
		},
	}
	switch f.layout {
	case "process":
	case "host":
		p.whole = true
	default:
		return nil, fmt.Errorf("--layout %q: use process or host", f.layout)
	}
	var err error
	if p.store.Sync, err = parseSync(f.fsync); err != nil {
		return nil, err
	}
	if f.maxBytes < 2*f.segmentBytes {
		return nil, errors.New("--max-bytes is less than two files of --rotate-size: raise the one or lower the other")
	}
	p.selection, err = f.resolve(env, args)
	return p, err
}
