package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tcptrail/tcptrail/internal/census"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

const listHelp = `List every TCP socket of the host, in all network namespaces: its state and for
how long, its queues, who owns it and by what evidence.

` + filterHelp + `

Columns of the table:
  STATE   the kernel's; ZOMBIE for a socket in CLOSE whose connection is over
          and whose descriptor is still open
  AGE     time in the state; with >= or <= what the kernel's notes prove of a
          socket that no tracer has watched; "-" when they prove nothing
  RECV-Q  bytes that the process has not read; of a listener, connections that
          wait for accept()
  SEND-Q  bytes that the peer has not acknowledged; of a listener, how many
          connections may wait
  VIA     what proves the owner: connect, listen, accept, close, or fd, a
          descriptor on the socket

Exit codes: 0 done, 1 failed, 2 wrong use, 3 kernel feature or privilege is
missing.`

const listExamples = `  tcptrail list                                     everything, oldest first
  tcptrail list state close-wait age gt 5m          stuck for minutes
  tcptrail list sport = :443 --top 10 --sort recvq  who is behind with reading
  tcptrail list -p 4242 --holders                   and who else holds them
  tcptrail list dst 10/8 -o json | jq .pid          one object a line`

// listFlags are the flags of list as given.
type listFlags struct {
	selectFlags
	outputFlags
	sort    string
	top     uint64
	holders bool
}

// listPlan is what list is asked to do, checked.
type listPlan struct {
	selection *selection
	looks     looks
	order     census.Order
	top       int
	holders   bool
}

func newList(env *Env) *cobra.Command {
	var flags listFlags
	cmd := &cobra.Command{
		Use:                   "list [flags] [FILTER]",
		Short:                 "List sockets: state, age, queues, owner",
		Long:                  listHelp,
		Example:               listExamples,
		ValidArgsFunction:     completeFilter,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return untilInterrupted(env, func() error {
				plan, err := flags.plan(env, args)
				if err != nil {
					return explainFilter(cmd, err)
				}
				return runList(env, plan)
			})
		},
	}
	flags.define(cmd)
	return cmd
}

func (f *listFlags) define(cmd *cobra.Command) {
	f.sort = "age"
	s := cmd.Flags()
	s.SortFlags = false
	f.defineConnection(s)
	f.defineState(s, "states, as CLOSE_WAIT or ss's groups")
	f.definePlace(s)
	s.Var(word{&f.sort, "order"}, "sort", "age, recvq, sendq, rtt, retrans, state, local,\nremote, pid or comm; -age is reversed")
	s.VarP(count{&f.top}, "top", "n", "the first so many alone; 0 is all")
	s.BoolVar(&f.holders, "holders", false, "a line for each descriptor on a socket")
	f.outputFlags.define(s)
	f.defineLooks(s)
	complete(cmd, s)
}

func (f *listFlags) plan(env *Env, args []string) (*listPlan, error) {
	p := &listPlan{top: int(min(f.top, maxTop)), holders: f.holders}
	var err error
	if p.looks, err = f.check(env); err != nil {
		return nil, err
	}
	if p.order, err = census.ParseOrder(f.sort); err != nil {
		return nil, fmt.Errorf("--sort: %w", err)
	}
	p.selection, err = f.resolve(env, args)
	return p, err
}

// maxTop is more sockets than a host can have.
const maxTop = 1 << 31

func runList(env *Env, p *listPlan) error {
	defer collectLater()()
	snapshot, labels, err := p.selection.look(env)
	if err != nil {
		return err
	}
	out := output.NewList(env.Stdout, output.ListOptions{
		Format: p.looks.format, Header: p.looks.header, Color: p.looks.color, Width: p.looks.width,
		Holders: p.holders, Names: labels.ofList(), Time: snapshot.Time,
	})
	sockets := p.order.Top(snapshot.Sockets, p.top)
	out.Measure(sockets)
	for _, socket := range sockets {
		if err := out.Socket(socket); err != nil {
			return wrote(err)
		}
	}
	return wrote(out.Flush())
}

// wrote says what became of the output. A reader that went away is no error.
func wrote(err error) error {
	if err := ignoreClosed(err); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// look returns the sockets of now that are selected, and the names of what they have numbers of.
func (s *selection) look(env *Env) (*tcp.Snapshot, *labels, error) {
	snapshot, err := s.take(env)
	if err != nil {
		return nil, nil, err
	}
	s.note(env)
	labels, err := newLabels(env.Proc)
	return snapshot, labels, err
}

// take returns the sockets of now that are selected.
func (s *selection) take(env *Env) (*tcp.Snapshot, error) {
	if err := keep(env, listPrivileges); err != nil {
		return nil, err
	}
	o := s.snapshotOptions()
	o.Pin = env.PinDir
	source, err := env.OpenSnapshots(o)
	if err != nil {
		return nil, err
	}
	snapshot, err := source.Take()
	if err = errors.Join(err, source.Close()); err != nil {
		return nil, err
	}
	snapshot.Sockets = s.choose(snapshot.Sockets)
	return snapshot, nil
}

// choose moves those that are selected to the front, and returns them. It works in place, as a function of each would have
// to be given a copy, which is more than all else that is done to a socket here.
func (s *selection) choose(sockets []tcp.Socket) []tcp.Socket {
	n := 0
	for i := range sockets {
		if !s.selects(&sockets[i]) {
			continue
		}
		if n < i {
			sockets[n] = sockets[i]
		}
		n++
	}
	return sockets[:n]
}
