package proc

// NetNS is a network namespace and a path that leads to it, for FS.OpenNetNSPath.
type NetNS struct {
	Inode uint32
	Path  string // a mount point, raw bytes; or a file in /proc, good as long as its process lives
}

// NetNSMounts returns every network namespace that is mounted, once, among them those of "ip netns". One without a process
// is found in no other way, unless something has a descriptor on it or on a socket in it.
func (f FS) NetNSMounts() ([]NetNS, error) {
	mounts, err := f.netnsMounts()
	if err != nil {
		return nil, err
	}
	var list []NetNS
	seen := make(map[uint32]bool, len(mounts))
	for _, m := range mounts {
		if !seen[m.inode] {
			seen[m.inode] = true
			list = append(list, NetNS{Inode: m.inode, Path: m.point})
		}
	}
	return list, nil
}
