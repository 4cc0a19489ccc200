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
	own     uint32 // our own network namespace; 0: unknown
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
	return &labels{netns: netns, own: ownNetNS(fs), cgroups: cgroups}, nil
}

// ownNetNS returns our own network namespace, or 0 where /proc does not tell.
func ownNetNS(fs proc.FS) uint32 {
	inode, err := fs.NetNS("self")
	if err != nil {
		return 0
	}
	return inode
}

func (l *labels) ofNetNS(inode uint32) string { return l.netns[inode] }

func (l *labels) ofList() output.HostNames {
	return output.HostNames{NetNS: l.ofNetNS, Cgroup: l.cgroups.Path, Container: l.cgroups.Container}
}

func (l *labels) ofGroups() census.Names {
	return census.Names{NetNS: l.ofNetNS, Cgroup: l.cgroups.Path}
}
