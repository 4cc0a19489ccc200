package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// selectFlags are the flags that say which sockets a command is about, as given.
type selectFlags struct {
	filter  filter.Filter
	ipv4    bool
	ipv6    bool
	pids    []string
	netns   []string
	cgroups []string
}

// selection is which sockets a command is about: the flags' filter and the expression, joined by "and".
type selection struct {
	filter filter.Filter
	expr   *filter.Expr
	host   filter.Host
	only   tcp.StateSet // and these; 0: any
}

// defineProcess, defineConnection and definePlace declare the flags in the order in which help shows them; flags of one
// command alone stand between. Lines of help fit into 80 columns.
func (f *selectFlags) defineConnection(s *pflag.FlagSet) {
	s.VarP(words{&f.pids, "pid"}, "pid", "p", "owner's process id; more by commas, as everywhere")
	s.VarP(filter.CommsFlag{To: &f.filter.Comms}, "comm", "c", "owner's name, or a pattern such as 'php*'")
	s.VarP(filter.PortsFlag{To: &f.filter.LocalPorts}, "local-port", "L", "local ports, as 80,443,8000-8100")
	s.VarP(filter.PortsFlag{To: &f.filter.RemotePorts}, "remote-port", "D", "remote ports, likewise")
	s.Var(filter.PrefixesFlag{To: &f.filter.Local}, "local", "local address or network, as 10.0.0.0/8")
	s.Var(filter.PrefixesFlag{To: &f.filter.Remote}, "remote", "remote address or network")
	s.BoolVarP(&f.ipv4, "ipv4", "4", false, "IPv4 on the wire only, v4-mapped included")
	s.BoolVarP(&f.ipv6, "ipv6", "6", false, "IPv6 on the wire only")
}

func (f *selectFlags) defineState(s *pflag.FlagSet, usage string) {
	s.Var(filter.StatesFlag{To: &f.filter.States}, "state", usage)
}

func (f *selectFlags) definePlace(s *pflag.FlagSet) {
	s.Var(words{&f.netns, "netns"}, "netns", "network namespace: self, pid, name, path or inode")
	s.Var(words{&f.cgroups, "cgroup"}, "cgroup", "cgroup v2 and all below: self, a path or an id")
}

// resolve turns what flags and arguments name on this host into what programs and matching understand, and refuses what
// is not there.
func (f *selectFlags) resolve(env *Env, args []string) (*selection, error) {
	if f.ipv4 && f.ipv6 {
		return nil, errors.New("-4 and -6 together leave nothing: give one of them, or neither for both")
	}
	s := &selection{filter: f.filter}
	if f.ipv4 {
		s.filter.Version = filter.V4
	}
	if f.ipv6 {
		s.filter.Version = filter.V6
	}
	if err := resolve(env.Proc, f, &s.filter); err != nil {
		return nil, err
	}
	var err error
	if s.expr, err = filter.Parse(strings.Join(args, " "), resolver{env.Proc}); err != nil {
		return nil, fmt.Errorf("filter, %w", err)
	}
	s.host, err = newHost(env.Proc)
	return s, err
}

// note says on stderr what may be missing of processes.
func (s *selection) note(env *Env) {
	if !env.Proc.IsHostPIDNS() {
		fmt.Fprintln(env.Stderr, "tcptrail: in a PID namespace: pids shown are the host's, and sockets of processes outside have no owner")
		s.noteNetNS(env)
	}
}

// noteNetNS says what may be missing of network namespaces: which there are, processes tell, and those outside are not
// seen. Those that were asked for are found, or refused.
func (s *selection) noteNetNS(env *Env) {
	if !env.Proc.IsHostPIDNS() && s.snapshotOptions().NetNS == nil {
		fmt.Fprintln(env.Stderr, "tcptrail: in a PID namespace: network namespaces without a process in it are left out: run on the host, or give --netns self")
	}
}

// selects says whether a socket is one of those.
func (s *selection) selects(socket *tcp.Socket) bool {
	return (s.only == 0 || s.only&socket.States() != 0) &&
		s.filter.MatchSocket(socket, s.host) && s.expr.MatchSocket(socket, s.host)
}

// isByState says whether states and network namespaces alone narrow the selection, so that it can be counted without a
// look at each socket.
func (s *selection) isByState() bool {
	rest := s.filter
	rest.States, rest.NetNS = 0, nil
	return s.expr == nil && isZero(&rest) && !isRequests(s.filter.States) && !isRequests(s.only)
}

// isRequests says whether states take requests from SYN_RECV, where all counts have them, and leave the others.
func isRequests(states tcp.StateSet) bool {
	return states.Has(tcp.NewSynRecv) && !states.Has(tcp.SynRecv)
}

func isZero(f *filter.Filter) bool {
	return len(f.PIDs) == 0 && len(f.Comms) == 0 && f.LocalPorts == nil && f.RemotePorts == nil && len(f.Local) == 0 &&
		len(f.Remote) == 0 && f.Version == filter.Any && len(f.NetNS) == 0 && len(f.Cgroups) == 0 && f.States == 0 &&
		f.Old == 0 && f.New == 0
}

// snapshotOptions returns where to look: outside of it nothing is selected.
func (s *selection) snapshotOptions() kernel.SnapshotOptions {
	o := kernel.SnapshotOptions{States: s.expr.SocketStates(), NetNS: s.filter.NetNS}
	for _, states := range []tcp.StateSet{s.filter.States, s.only} {
		if states != 0 {
			o.States &= states
		}
	}
	if only, ok := s.expr.SocketNetNS(); ok {
		if o.NetNS == nil {
			o.NetNS = only
		} else {
			o.NetNS = slices.DeleteFunc(slices.Clone(o.NetNS), func(n uint32) bool { return !slices.Contains(only, n) })
		}
	}
	return o
}

// place returns what of the filter says where sockets are.
func (s *selection) place() filter.Filter {
	return filter.Filter{NetNS: s.filter.NetNS, Cgroups: s.filter.Cgroups}
}

// needsTransitions refuses what no transition can answer, with the remedy.
func (s *selection) needsTransitions(remedy string) error {
	if word, column, ok := s.expr.NeedsSocket(); ok {
		return fmt.Errorf("filter, column %d: no transition says %s: %s", column, word, remedy)
	}
	return nil
}

// privileges returns what matching needs as long as it goes on: to see which program another user's process runs takes
// CAP_SYS_PTRACE (fs/proc/base.c, proc_pid_readlink).
func (s *selection) privileges() privilege.Set {
	if s.expr.NeedsExe() {
		return 1 << privilege.SysPtrace
	}
	return 0
}

// unknownWord is how filter's errors begin about a word that is none of the language.
const unknownWord = "unknown word "

// explainFilter says what may have been meant by arguments that are no filter.
func explainFilter(cmd *cobra.Command, err error) error {
	var syntax *filter.SyntaxError
	if !errors.As(err, &syntax) || syntax.Column != 1 || !strings.HasPrefix(syntax.What, unknownWord) {
		return usageError{err}
	}
	word := strings.Fields(syntax.Text)[0]
	// What follows a -T that stands alone was most likely meant for it: joinTime did not know it.
	if f := cmd.Flags().Lookup("time"); f != nil && f.Changed && f.Value.String() == f.NoOptDefVal {
		if _, err := output.ParseTimeStyle(word); err != nil {
			return usageError{fmt.Errorf("%q is neither a filter nor meant for --time: %w", word, err)}
		}
	}
	if _, ok := parseLines(word); ok {
		return usageError{fmt.Errorf("%q is no filter: did you mean \"state %s\"?", word, word)}
	}
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		return usageError{fmt.Errorf("%q is neither a command nor a filter: did you mean %q?", word, near[0])}
	}
	if cmd.Name() == countName {
		_, err := tcp.ParseStates(word)
		return usageError{fmt.Errorf("%q is neither a filter nor a STATE: %w", word, err)}
	}
	return usageError{err}
}
