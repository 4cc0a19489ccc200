package cli

import (
	"time"

	"github.com/tcptrail/tcptrail/internal/census"
	"github.com/tcptrail/tcptrail/internal/output"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/proc"
)

// listPrivileges are what list and count need, the last three only where there are other network namespaces.
const listPrivileges = privilege.Trace | privilege.Namespaces

// labels are the names of what a socket has numbers of.
type labels struct {
	netns   map[uint32]string
	cgroups *proc.Cgroups
}

func newLabels(fs proc.FS) (*labels, error) {
	netns, err := fs.NetNSNames()
	if err != nil {
		return nil, err
	}
	cgroups, err := fs.NewCgroups(time.Now)
	if err != nil {
		return nil, err
	}
	return &labels{netns: netns, cgroups: cgroups}, nil
}

func (l *labels) ofNetNS(inode uint32) string { return l.netns[inode] }

func (l *labels) ofList() output.HostNames {
	return output.HostNames{NetNS: l.ofNetNS, Cgroup: l.cgroups.Path, Container: l.cgroups.Container}
}

func (l *labels) ofGroups() census.Names {
	return census.Names{NetNS: l.ofNetNS, Cgroup: l.cgroups.Path}
}
