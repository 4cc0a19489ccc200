package proc

import (
	"errors"
	"fmt"
	"os"
)

// NetNSList returns every network namespace that is mounted or that the first thread of a process is in, once, with a path
// for OpenNetNSPath. What ends meanwhile is passed over. Other users' processes show theirs to CAP_SYS_PTRACE alone: the
// error matches os.ErrPermission if one did not, but for processes that hide it from those who have that, too, for a
// security module's sake.
func (f FS) NetNSList() ([]NetNS, error) {
	list, err := f.NetNSMounts()
	if err != nil {
		return nil, err
	}
	seen := make(map[uint32]bool, len(list))
	for _, ns := range list {
		seen[ns.Inode] = true
	}
	pids, err := numbers(f.path())
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	refused := false
	for _, pid := range pids {
		path := f.path(pid, "ns", "net")
		link, err := os.Readlink(path)
		refused = refused || errors.Is(err, os.ErrPermission)
		if inode, ok := parseNSLink(link); err == nil && ok && !seen[inode] {
			seen[inode] = true
			list = append(list, NetNS{Inode: inode, Path: path})
		}
	}
	if (refused || f.hidesOthers()) && !f.mayTrace() {
		return nil, fmt.Errorf("list the network namespaces of other users' processes: %w", os.ErrPermission)
	}
	return list, nil
}
