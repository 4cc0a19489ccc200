package proc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mustCgroup makes a cgroup below the mount of cgroup2, removed when the test ends.
func mustCgroup(tb testing.TB, path string) (id uint64) {
	tb.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			tb.Error(err)
		}
	})
	return mustInode(tb, path)
}

func TestPrivilegedCgroups(t *testing.T) {
	tree, err := FS{}.cgroup2()
	if err != nil {
		t.Fatal(err)
	}
	clock := newHandClock()
	c, err := FS{}.NewCgroups(clock.now)
	if err != nil {
		t.Fatal(err)
	}
	container := strings.Repeat("0123456789abcdef", 4)
	name := "/tcptrail-names-" + strconv.Itoa(os.Getpid())
	top := handleID(t, tree.point)
	parent := mustCgroup(t, tree.point+name)
	scope := mustCgroup(t, tree.point+name+"/docker-"+container+".scope")
	if scope != handleID(t, tree.point+name+"/docker-"+container+".scope") {
		t.Error("the inode number is not the id")
	}
	checkPath(t, c, top, joinCgroup(tree.root, ""))
	checkPath(t, c, scope, joinCgroup(tree.root, name+"/docker-"+container+".scope"))
	if got := c.Container(scope); got != container {
		t.Errorf("container %q", got)
	}
	if !c.Under(scope, parent) || !c.Under(scope, top) || c.Under(parent, scope) {
		t.Error("the tree is not as it was made")
	}
	late := mustCgroup(t, tree.point+name+"/late")
	checkPath(t, c, late, "")
	clock.pass(time.Hour)
	checkPath(t, c, late, joinCgroup(tree.root, name+"/late"))

	dead := mustCgroup(t, tree.point+name+"/dead")
	for _, name := range []string{name + "/dead", name + "/late"} {
		if err := os.Remove(tree.point + name); err != nil {
			t.Fatal(err)
		}
	}
	clock.pass(time.Hour)
	checkPath(t, c, dead, "")
	checkPath(t, c, late, joinCgroup(tree.root, name+"/late"))
	if c.Under(dead, parent) || !c.Under(late, parent) {
		t.Error("removed cgroups are not where they were")
	}
	if again := mustCgroup(t, tree.point+name+"/late"); again == late {
		t.Errorf("id %d was given twice", late)
	}
}

// BenchmarkPrivilegedCgroupsWalk walks what this machine has, and a thousand cgroups more.
func BenchmarkPrivilegedCgroupsWalk(b *testing.B) {
	c, err := FS{}.NewCgroups(time.Now)
	if err != nil {
		b.Fatal(err)
	}
	top := filepath.Join(c.tree.point, "tcptrail-walk-"+strconv.Itoa(os.Getpid()))
	mustCgroup(b, top)
	for i := range 30 {
		dir := filepath.Join(top, strconv.Itoa(i))
		mustCgroup(b, dir)
		for j := range 33 {
			mustCgroup(b, filepath.Join(dir, strconv.Itoa(j)))
		}
	}
	cgroups := 0
	for b.Loop() {
		found, complete := c.readAll(maxCgroups)
		if cgroups = len(found); !complete || cgroups < 1000 {
			b.Fatalf("found %d, complete %v", cgroups, complete)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*cgroups), "ns/cgroup")
}
