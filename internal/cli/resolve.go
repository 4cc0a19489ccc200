package cli

import (
	"errors"
	"fmt"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/proc"
)

var errNotHostPIDNS = errors.New("in a PID namespace the pids here are not the kernel's: use --comm or --cgroup, or run on the host")

// resolve turns what the flags name on this host into numbers, and refuses what is not there.
func resolve(fs proc.FS, f *selectFlags, to *filter.Filter) (err error) {
	if len(f.pids) > 0 && !fs.IsHostPIDNS() {
		return fmt.Errorf("--pid: %w", errNotHostPIDNS)
	}
	if to.PIDs, err = look("pid", f.pids, fs.PID); err != nil {
		return err
	}
	if to.NetNS, err = look("netns", f.netns, fs.NetNS); err != nil {
		return err
	}
	to.Cgroups, err = look("cgroup", f.cgroups, fs.Cgroup)
	return err
}

// look finds the numbers of what a flag names.
func look[N uint32 | uint64](flag string, names []string, find func(string) (N, error)) ([]N, error) {
	if len(names) > kernel.MaxTargets {
		return nil, fmt.Errorf("--%s: %d values are too many: give up to %d", flag, len(names), kernel.MaxTargets)
	}
	var numbers []N
	for _, name := range names {
		number, err := find(name)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", flag, err)
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}
