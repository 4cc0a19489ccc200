package cli

import (
	"github.com/spf13/cobra"
)

const legend = `Columns of the table:
  VIA     what proves the owner: it ran connect, listen (on this socket or the
          listener it came from), accept or close, or was seen holding a
          descriptor (fd). The task that happened to run is never the owner.
  IN-OLD  time spent in the old state; "-" when unknown, as for a newborn or a
          socket older than the tracer
  REASON  why it closed; "next TIME_WAIT" when a minisock, which ss still shows,
          carries the connection on

SIGUSR1 prints a summary to stderr and goes on, SIGINT and SIGTERM print it and
end:
  seen = delivered + lost + filtered, and what is named behind them
  missed are transitions that the kernel hid, found by the next one of a socket

Exit codes: 0 done, 1 failed, 2 wrong use, 3 kernel feature or privilege is
missing.`

const traceFilterHelp = `FILTER is ss's language, and more of it, as tcptrail list --help has it; but no
transition says dev, fwmark, autobound, recvq, sendq or zombie. State and pid
are those of the flags, age is the time in the old state.`

const traceExamples = `  tcptrail trace                              every transition on the host
  tcptrail trace -p 4242 --state CLOSE_WAIT   process 4242 and CLOSE_WAIT
  tcptrail trace -L 443,8000-8100             connections of these local ports
  tcptrail trace --remote 10.0.0.0/8 -o json  as JSON, one object a line
  tcptrail trace dport = :443 and age gt 30s  and a filter in ss's language
  tcptrail trace --new CLOSE -o csv -n 1000   how the next thousand end`

func newTrace(env *Env) *cobra.Command {
	var flags traceFlags
	cmd := &cobra.Command{
		Use:                   "trace [flags] [FILTER]",
		Short:                 "Print every TCP transition as it happens",
		Long:                  "Print every TCP transition as it happens.\n\n" + traceFilterHelp + "\n\n" + legend,
		Example:               traceExamples,
		ValidArgsFunction:     completeFilter,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := flags.plan(env, args)
			if err != nil {
				return explainFilter(cmd, err)
			}
			return runTrace(env, plan)
		},
	}
	flags.define(cmd)
	return cmd
}
