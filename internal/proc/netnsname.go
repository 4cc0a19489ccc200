package proc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// NetNSNames returns what network namespaces are called, by inode number: the name that "ip netns" lists; for one
// without, where it is mounted, as lsns shows it: /run/docker/netns/1ab2c3d4e5f6. NetNS takes either, unless somebody
// chose a name for it that looks like a number. Of several the mount that is listed first counts.
//
// The host's own namespace has no name unless somebody mounted it: lsns and "ip netns identify" have none for it either,
// and "host" may be the name of another. Docker's are not shortened to their last part, which is the id of a sandbox
// and would be taken for a container's. Names are raw bytes: a mount point may hold any.
//
// Only the mounts are read that this process sees: a daemon with mounts of its own keeps its names to itself. A
// namespace that something else is mounted over has no name.
func (f FS) NetNSNames() (map[uint32]string, error) {
	mounts, err := f.netnsMounts()
	if err != nil {
		return nil, err
	}
	names := make(map[uint32]string, len(mounts))
	for _, m := range mounts {
		if _, named := names[m.inode]; !named {
			names[m.inode] = m.point
		}
	}
	ours := make(map[uint32]bool)
	for _, m := range mounts {
		if name, ok := f.ipName(m.point); ok && !ours[m.inode] {
			names[m.inode], ours[m.inode] = name, true
		}
	}
	return names, nil
}

// ipName returns the name that "ip netns" has for a mount point.
func (f FS) ipName(point string) (name string, ok bool) {
	dir, name := filepath.Split(point)
	for _, known := range f.ipDirs() {
		if filepath.Clean(dir) == known {
			return name, true
		}
	}
	return "", false
}

// ipDirs returns where ip netns keeps names.
func (f FS) ipDirs() []string {
	if f.netnsDirs != nil {
		return f.netnsDirs
	}
	return defaultNetNSDirs
}

// netnsMount is a network namespace that is mounted.
type netnsMount struct {
	inode uint32
	point string
}

// netnsMounts returns the network namespaces that are mounted, but those that their path does not lead to: because
// something is mounted over them, or they are outside of our root directory, or unmounted just now. Those where this
// process may not look are believed.
func (f FS) netnsMounts() ([]netnsMount, error) {
	mounts, err := f.mounts()
	if err != nil {
		return nil, err
	}
	var found []netnsMount
	for _, m := range mounts {
		number, ok := parseNSLink(m.root)
		if m.fsType != "nsfs" || !ok || !strings.HasPrefix(m.point, "/") {
			continue
		}
		there, err := inode(m.point)
		if errors.Is(err, os.ErrPermission) || err == nil && there == uint64(number) {
			found = append(found, netnsMount{number, m.point})
		}
	}
	return found, nil
}
