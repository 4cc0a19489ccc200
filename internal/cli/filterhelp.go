package cli

import (
	"slices"

	"github.com/spf13/cobra"
)

// filterHelp is what every command says of FILTER.
const filterHelp = `FILTER is ss's language, and more of it:
  state close-wait, exclude listening     states and groups, as in ss; zombie
  src 10/8, dst [::1]:443, dst web:https  addresses, networks, hosts, ports
  sport = :http, dport gt 1024            = != lt gt le ge; quote < and >
  dev eth0, fwmark 1/0xff, autobound      and what else ss has
  pid 42, comm 'php*', exe nginx          owner or any holder
  uid www, netns blue, cgroup /web.slice  of the socket; cgroup and all below it
  age gt 5m, recvq gt 0, sendq gt 64K     how long in its state, how much
  and or not ( )                          next to each other means and`

// predicates are what a filter may begin with, for completion.
func predicates() []cobra.Completion {
	return []cobra.Completion{
		"state", "exclude", "src", "dst", "sport", "dport", "dev", "fwmark", "cgroup", "autobound", "pid", "comm", "exe",
		"uid", "netns", "age", "recvq", "sendq", "not",
	}
}

// completeFilter offers states where a state is asked for, nothing where another value is, and predicates else.
func completeFilter(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	last := ""
	if len(args) > 0 {
		last = args[len(args)-1]
	}
	switch {
	case last == "state" || last == "exclude":
		return fixed(append(stateNames(), "ZOMBIE")...)(cmd, args, toComplete)
	case slices.Contains(predicates(), last) && last != "autobound" && last != "not":
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return fixed(predicates()...)(cmd, args, toComplete)
}

// completeCount offers states in the first place, too.
func completeCount(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return completeFilter(cmd, args, toComplete)
	}
	return fixed(slices.Concat(stateNames(), []cobra.Completion{"ZOMBIE"}, predicates())...)(cmd, args, toComplete)
}
