package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/history"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/replay"
)

const historyHelp = `Say what a process, a connection or a peer did: of each connection all its
states, when it came into them and for how long it stayed, who owned it, and how
it ended; then the sums. PATH is a directory of tcptrail log, or files of it; it
is /var/log/tcptrail unless given. Files that can have none of it are not read.

A connection is shown whole if one line about it answers all that is asked: its
owner, its addresses, and that it was not before --since. Nothing after --until
counts. Without a condition all connections are shown.

  >=  it was in the state at least for so long, <= at the most; "-": unknown
  so far    it was in it when the recording ended
  ?   what happened then is not known: events were lost, a transition was not
      seen, or nobody recorded

Exit codes: 0 done, 1 failed, 2 wrong use.`

const historyExamples = `  tcptrail history -p 4242                        what did this process do?
  tcptrail history --cookie 1f3a                  as ss -e prints it after sk:
  tcptrail history --remote 10.0.0.7:443 --since 2h
  tcptrail history --remote 10/8 --until 10:00 -n 20 /data/tcp
  tcptrail history -p 4242 -o json | jq .reason   one object a connection`

// historyFlags are the flags of history as given.
type historyFlags struct {
	outputFlags
	pids    []string
	cookies []string
	local   []history.Endpoint
	remote  []history.Endpoint
	period  replayFlags
	limit   uint64
}

// historyPlan is what history is asked to do, checked.
type historyPlan struct {
	query      history.Query
	recordings [][]string // the paths of each
	output     output.HistoryOptions
	limit      int // 0: none
}

func newHistory(env *Env) *cobra.Command {
	var flags historyFlags
	cmd := &cobra.Command{
		Use:                   "history [flags] [PATH...]",
		Short:                 "Say what a process or a connection did, from a recording",
		Long:                  historyHelp,
		Example:               historyExamples,
		DisableFlagsInUseLine: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return untilInterrupted(env, func() error {
				plan, err := flags.plan(env, args)
				if err != nil {
					return usageError{err}
				}
				return runHistory(env, plan)
			})
		},
	}
	flags.define(cmd)
	return cmd
}

func (f *historyFlags) define(cmd *cobra.Command) {
	f.output, f.color = "table", "auto"
	s := cmd.Flags()
	s.SortFlags = false
	s.VarP(words{&f.pids, "pid"}, "pid", "p", "owner's process id; more by commas, as everywhere")
	s.Var(words{&f.cookies, "cookie"}, "cookie", "the socket, in hexadecimal")
	s.Var(endpoints{&f.local}, "local", "local address, network, or address:port")
	s.Var(endpoints{&f.remote}, "remote", "remote one, as 10.0.0.7:443, 10/8 or [::1]:80")
	s.Var(word{&f.period.since, "time"}, "since", "what did something then or later, as\n'2026-11-21 10:00', 10:00 (of today), or 2h (ago)")
	s.Var(word{&f.period.until, "time"}, "until", "end there, likewise")
	s.VarP(count{&f.limit}, "limit", "n", "show the last so many alone; 0 is all")
	s.VarP(word{&f.output, "format"}, "output", "o", "table, wide or json")
	s.Var(word{&f.color, "when"}, "color", "auto, always or never; auto heeds NO_COLOR")
	s.Lookup("color").DefValue = "" // goes without saying
	values := map[string]cobra.CompletionFunc{"output": fixed("table", "wide", "json"), "color": fixed("auto", "always", "never")}
	s.VisitAll(func(flag *pflag.Flag) {
		function := values[flag.Name]
		if function == nil {
			function = cobra.NoFileCompletions
		}
		_ = cmd.RegisterFlagCompletionFunc(flag.Name, function)
	})
}

func (f *historyFlags) plan(env *Env, args []string) (*historyPlan, error) {
	p := &historyPlan{query: history.Query{Local: f.local, Remote: f.remote}, limit: int(min(f.limit, maxTop))}
	looks, err := f.check(env)
	switch {
	case err != nil:
		return nil, err
	case looks.format == output.CSV:
		return nil, errors.New("--output csv: a history is no table of rows: use table, wide or json")
	}
	p.output = output.HistoryOptions{Format: looks.format, Color: looks.color, Width: looks.width, Location: time.Local}
	span, _, err := f.period.check(env.clock()())
	if err != nil {
		return nil, err
	}
	p.query.Since, p.query.Until = span.since, span.until
	if p.query.PIDs, err = parsePIDs(f.pids); err != nil {
		return nil, err
	}
	if p.query.Cookies, err = parseCookies(f.cookies); err != nil {
		return nil, err
	}
	if len(args) == 0 {
		args = []string{defaultLogDir}
	}
	p.recordings, err = groupPaths(args)
	return p, err
}

// parsePIDs reads process ids, which are of the recording: nobody on this host is asked.
func parsePIDs(texts []string) (pids []uint32, err error) {
	for _, text := range texts {
		pid, err := strconv.ParseUint(text, 10, 32)
		if err != nil || pid == 0 {
			return nil, fmt.Errorf("--pid %q: give the number that the process had, as 4242", text)
		}
		pids = append(pids, uint32(pid))
	}
	return pids, nil
}

// parseCookies reads cookies as they are printed here and by ss.
func parseCookies(texts []string) (cookies []uint64, err error) {
	for _, text := range texts {
		digits := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(text), "sk:"), "0x")
		cookie, err := strconv.ParseUint(digits, 16, 64)
		if err != nil || cookie == 0 {
			return nil, fmt.Errorf("--cookie %q: give it in hexadecimal, as ss -e prints it after sk:, and list and trace in JSON", text)
		}
		cookies = append(cookies, cookie)
	}
	return cookies, nil
}

// groupPaths puts the files of one directory together: they are one recording, and another directory is another.
func groupPaths(paths []string) (groups [][]string, err error) {
	var dirs []string
	whole := map[string]bool{}
	for _, path := range paths {
		if path == "-" {
			return nil, errors.New("history reads a recording twice, so stdin will not do: give a file or a directory")
		}
		dir := filepath.Clean(path)
		info, err := os.Stat(path)
		switch {
		case err != nil: // said when it is opened
		case info.IsDir():
			whole[dir] = true
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s is no file: history reads a recording twice: give a file or a directory", path)
		default:
			dir = filepath.Dir(path)
		}
		at := slices.Index(dirs, dir)
		if at < 0 {
			at = len(dirs)
			dirs, groups = append(dirs, dir), append(groups, nil)
		}
		if !slices.Contains(groups[at], path) {
			groups[at] = append(groups[at], path)
		}
	}
	for i, dir := range dirs {
		if whole[dir] { // with its files
			groups[i] = []string{dir}
		}
	}
	return groups, nil
}

func runHistory(env *Env, p *historyPlan) error {
	var all []output.Connection
	var account historyAccount
	for _, paths := range p.recordings {
		streams, err := replay.Streams(nil, paths...)
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%w: give the directory that tcptrail log writes to", err)
		}
		if err != nil {
			return err
		}
		found, err := readHistory(streams, p.query, &account)
		if err != nil {
			return err
		}
		all = append(all, found...)
	}
	if err := writeHistory(env, p, all); err != nil {
		return err
	}
	account.tell(env, len(all))
	return nil
}

func writeHistory(env *Env, p *historyPlan, all []output.Connection) error {
	out := output.NewHistory(env.Stdout, p.output)
	var totals output.HistoryTotals
	for i := range all {
		totals.Add(&all[i])
	}
	if p.limit > 0 {
		all = all[max(0, len(all)-p.limit):]
	}
	for i := range all {
		if err := out.Connection(&all[i]); err != nil {
			return wrote(err)
		}
	}
	if totals.Connections > 0 || p.output.Format == output.JSON {
		if err := out.Totals(&totals); err != nil {
			return wrote(err)
		}
	}
	return wrote(out.Flush())
}
