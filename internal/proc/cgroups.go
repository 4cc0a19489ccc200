package proc

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxCgroups bounds what Cgroups remembers, living and dead: the kernel has no more cgroups with memory control at a
	// time (MEM_CGROUP_ID_MAX in mm/memcontrol.c). Full, it is some 20 MB.
	maxCgroups = 1 << 16
	// walkShare bounds the time spent on walks, however fast cgroups come and go, to one part in so many. A walk takes
	// some 6 ms for a thousand cgroups (BenchmarkPrivilegedCgroupsWalk), so that one made anew is known in 0.1 s.
	walkShare = 20
	// minWalkPause is the shortest time between two walks, where there are few cgroups.
	minWalkPause = 10 * time.Millisecond
)

// Cgroups gives the ids of cgroups v2 their paths. It may be used by several goroutines; one that walks makes the
// others wait.
//
// It walks the mount of cgroup2 when it is first asked, and again, after a pause, when it is asked for an id that it
// does not know. An id is never given twice and a cgroup v2 never moves, so what was found once stays right; a path that
// a cgroup had before it was removed is remembered for some time. An id that a walk did not find belongs to a removed
// cgroup, or to one outside of the mount, and is not looked for again.
type Cgroups struct {
	tree   mount  // zero when cgroup2 is not mounted
	device uint64 // of tree: other file systems below, or in its place, have ids of their own
	now    func() time.Time

	mu      sync.Mutex
	known   map[uint64]cgroup
	missing map[uint64]struct{} // asked for since the last walk
	next    time.Time           // when another walk may begin
}

type cgroup struct {
	path   string // "": no walk will find it
	parent uint64 // 0: none
}

// NewCgroups returns the names of the cgroups below the mount of cgroup2 that shows most; of none, without an error,
// when there is no such mount. now is the clock, time.Now but in tests.
func (f FS) NewCgroups(now func() time.Time) (*Cgroups, error) {
	c := &Cgroups{now: now, known: make(map[uint64]cgroup), missing: make(map[uint64]struct{})}
	tree, err := f.cgroup2()
	if errors.Is(err, errNoCgroup2) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(tree.point, &st); err != nil {
		return nil, fmt.Errorf("look up %q: %w", tree.point, err)
	}
	c.tree, c.device = tree, st.Dev
	return c, nil
}

// Path returns the path of a cgroup as /proc/PID/cgroup has it, from the root of this process's cgroup namespace; ""
// when it is unknown, as of an id that is new during the pause between two walks. The root is "/". Where the mount shows
// more than the namespace, it is the path from the mount. Paths are raw bytes, chosen by whoever made the cgroup.
func (c *Cgroups) Path(id uint64) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(id).path
}

// find returns what is known of a cgroup, after a walk if need be and time be. c.mu is held.
func (c *Cgroups) find(id uint64) cgroup {
	entry, known := c.known[id]
	if known || id == 0 || c.tree.point == "" {
		return entry
	}
	if len(c.missing) < maxCgroups {
		c.missing[id] = struct{}{}
	}
	begin := c.now()
	if begin.Before(c.next) {
		return cgroup{}
	}
	c.walk()
	end := c.now()
	c.next = end.Add(max(minWalkPause, walkShare*end.Sub(begin)))
	return c.known[id]
}

// Under says whether id is root, or below it. A removed cgroup is where it was; of one that was removed before it was
// seen nothing is known: it is below none.
func (c *Cgroups) Under(id, root uint64) bool {
	if id == root {
		return id != 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// By ids, as a cgroup made anew has the path of its predecessor.
	for at := c.find(id).parent; at != 0; at = c.known[at].parent {
		if at == root {
			return true
		}
	}
	return false
}

// Container returns the container that the cgroup's path names, "" if none: the full id of docker, podman and
// Kubernetes, the name of LXC, systemd-nspawn and ctr. It is what whoever made the cgroup says, and proves nothing: who
// may make cgroups may name them like another's container.
func (c *Cgroups) Container(id uint64) string { return containerOf(c.Path(id)) }

// walk reads the tree and learns from it. c.mu is held.
func (c *Cgroups) walk() {
	found, complete := c.readAll(maxCgroups)
	maps.Copy(c.known, found)
	if len(c.known) > maxCgroups {
		c.known = found // forgets the dead
	}
	for id := range c.missing {
		if _, known := c.known[id]; complete && !known && len(c.known) < maxCgroups {
			c.known[id] = cgroup{}
		}
	}
	clear(c.missing)
}

// readAll returns the cgroups in the tree by id, up to limit, none without its parent. It is not complete if there
// are more, or if some could not be read for reasons that may pass.
func (c *Cgroups) readAll(limit int) (found map[uint64]cgroup, complete bool) {
	type dir struct {
		path   string // below the mount, with a slash in front
		parent uint64
	}
	top := c.tree.root
	if top != filepath.Clean(top) || top == "/.." || strings.HasPrefix(top, "/../") {
		top = "/" // the mount begins above the namespace
	}
	found, complete = make(map[uint64]cgroup), true
	for dirs := []dir{{}}; len(dirs) > 0; {
		if len(found) == limit {
			return found, false
		}
		at := dirs[len(dirs)-1]
		dirs = dirs[:len(dirs)-1]
		children, st, err := readCgroup(c.tree.point + at.path)
		if err != nil {
			complete = complete && staysUnseen(err)
			continue
		}
		if st.Dev != c.device {
			continue
		}
		found[st.Ino] = cgroup{path: joinCgroup(top, at.path), parent: at.parent}
		for _, child := range children {
			dirs = append(dirs, dir{at.path + "/" + child, st.Ino})
		}
	}
	return found, complete
}

// joinCgroup returns the path of dir below top; either may be the root.
func joinCgroup(top, dir string) string {
	if dir == "" {
		return top
	}
	return strings.TrimSuffix(top, "/") + dir
}
