package cli

import (
	"fmt"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/proc"
)

// resolve turns what the flags name on this host into numbers, and refuses what is not there.
func resolve(fs proc.FS, f *traceFlags, to *filter.Filter) error {
	for _, text := range f.pids {
		pid, err := fs.PID(text)
		if err != nil {
			return fmt.Errorf("--pid: %w", err)
		}
		to.PIDs = append(to.PIDs, pid)
	}
	for _, arg := range f.netns {
		inode, err := fs.NetNS(arg)
		if err != nil {
			return fmt.Errorf("--netns: %w", err)
		}
		to.NetNS = append(to.NetNS, inode)
	}
	for _, arg := range f.cgroups {
		id, err := fs.Cgroup(arg)
		if err != nil {
			return fmt.Errorf("--cgroup: %w", err)
		}
		to.Cgroups = append(to.Cgroups, id)
	}
	return nil
}
