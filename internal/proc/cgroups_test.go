package proc

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// handClock is a clock that a test sets.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

func newHandClock() *handClock { return &handClock{at: time.Unix(1_700_000_000, 0)} }

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newCgroups(tb testing.TB, root string) (c *Cgroups, clock *handClock, unified string) {
	tb.Helper()
	proc, dir := fakeCgroups(tb, root, root)
	clock = newHandClock()
	c, err := proc.NewCgroups(clock.now)
	if err != nil {
		tb.Fatal(err)
	}
	return c, clock, dir + "/unified"
}

func checkPath(tb testing.TB, c *Cgroups, id uint64, want string) {
	tb.Helper()
	if got := c.Path(id); got != want {
		tb.Errorf("Path(%d) = %q, want %q", id, got, want)
	}
}

func TestCgroupsPath(t *testing.T) {
	tests := []struct{ root, top, service string }{
		{"/", "/", "/system.slice/ssh.service"},
		{"/docker/abc", "/docker/abc", "/docker/abc/system.slice/ssh.service"},
		{"/..", "/", "/system.slice/ssh.service"},
		{"/../..", "/", "/system.slice/ssh.service"},
		{"/..x", "/..x", "/..x/system.slice/ssh.service"},
	}
	for _, test := range tests {
		c, _, unified := newCgroups(t, test.root)
		checkPath(t, c, mustMkdir(t, unified), test.top)
		checkPath(t, c, mustMkdir(t, unified+"/system.slice/ssh.service"), test.service)
		checkPath(t, c, mustMkdir(t, unified+"/../memory"), "")
		checkPath(t, c, 0, "")
	}
}

func TestCgroupsUnder(t *testing.T) {
	c, _, unified := newCgroups(t, "/docker/abc")
	top, slice := mustMkdir(t, unified), mustMkdir(t, unified+"/system.slice")
	service, sibling := mustMkdir(t, unified+"/system.slice/ssh.service"), mustMkdir(t, unified+"/system.slice2")
	const unknown, other = 1, 2
	tests := []struct {
		name     string
		id, root uint64
		want     bool
	}{
		{"itself", slice, slice, true},
		{"child", service, slice, true},
		{"grandchild", service, top, true},
		{"parent", slice, service, false},
		{"longer name", sibling, slice, false},
		{"unknown", unknown, top, false},
		{"below an unknown one", service, unknown, false},
		{"unknown below itself", unknown, unknown, true},
		{"unknown ones", unknown, other, false},
		{"none", 0, top, false},
		{"below none", top, 0, false},
		{"none below none", 0, 0, false},
	}
	for _, test := range tests {
		if got := c.Under(test.id, test.root); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}

// A cgroup made anew has its predecessor's path, and another id: here open files keep the old numbers in use.
func TestCgroupsMadeAnew(t *testing.T) {
	c, clock, unified := newCgroups(t, "/")
	dir := unified + "/web"
	old := mustMkdir(t, dir)
	oldChild := mustMkdir(t, dir+"/child")
	checkPath(t, c, oldChild, "/web/child")
	held := mustHold(t, dir, dir+"/child")
	defer held()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	anew := mustMkdir(t, dir)
	child := mustMkdir(t, dir+"/child")
	clock.pass(minWalkPause)
	for id, path := range map[uint64]string{old: "/web", oldChild: "/web/child", anew: "/web", child: "/web/child"} {
		checkPath(t, c, id, path)
	}
	if !c.Under(child, anew) || !c.Under(oldChild, old) {
		t.Error("a child is not below its parent")
	}
	if c.Under(child, old) || c.Under(oldChild, anew) || c.Under(anew, old) {
		t.Error("the new and the old one are confused")
	}
}

// mustHold keeps directories' inode numbers from being given again.
func mustHold(tb testing.TB, paths ...string) (release func()) {
	tb.Helper()
	var held []*os.File
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			tb.Fatal(err)
		}
		held = append(held, file)
	}
	return func() {
		for _, file := range held {
			file.Close()
		}
	}
}

func TestCgroupsPausesBetweenWalks(t *testing.T) {
	c, clock, unified := newCgroups(t, "/")
	checkPath(t, c, mustMkdir(t, unified), "/")
	late := mustMkdir(t, unified+"/late")
	checkPath(t, c, late, "")
	clock.pass(minWalkPause - 1)
	checkPath(t, c, late, "")
	clock.pass(1)
	checkPath(t, c, late, "/late")
}

// A walk that takes long makes the next one wait longer.
func TestCgroupsBoundsTheShareOfWalks(t *testing.T) {
	proc, dir := fakeCgroups(t, "/", "/")
	clock := newHandClock()
	c, err := proc.NewCgroups(func() time.Time {
		clock.pass(time.Second) // each look at the clock, of which one is before and one after a walk
		return clock.now()
	})
	if err != nil {
		t.Fatal(err)
	}
	top := mustMkdir(t, dir+"/unified")
	checkPath(t, c, top, "/")
	late := mustMkdir(t, dir+"/unified/late")
	for range walkShare - 1 {
		checkPath(t, c, late, "")
	}
	checkPath(t, c, late, "/late")
}

// Walks are counted by looks at the clock: two for each, and one for each question that has to wait.
func TestCgroupsLooksOnceForTheDead(t *testing.T) {
	proc, dir := fakeCgroups(t, "/", "/")
	clock := newHandClock()
	looks := 0
	c, err := proc.NewCgroups(func() time.Time { looks++; return clock.now() })
	if err != nil {
		t.Fatal(err)
	}
	ask := func(wantLooks int) {
		t.Helper()
		looks = 0
		for id := range uint64(3) {
			checkPath(t, c, id+1, "")
		}
		if looks != wantLooks {
			t.Errorf("looked at the clock %d times, want %d", looks, wantLooks)
		}
	}
	ask(2 + 1 + 1) // the first is not there; the others have to wait
	clock.pass(minWalkPause)
	ask(2) // the first is known to be dead, the second walks and settles the third, too
	clock.pass(time.Hour)
	ask(0)
	checkPath(t, c, mustMkdir(t, dir+"/unified/123"), "/123")
}

func TestCgroupsIsBounded(t *testing.T) {
	c, clock, unified := newCgroups(t, "/")
	if found, complete := c.readAll(3); len(found) != 3 || complete {
		t.Errorf("read %d cgroups, complete %v, want 3 of 4", len(found), complete)
	}
	for id := range uint64(maxCgroups + 10) {
		c.missing[1<<40+id] = struct{}{}
	}
	checkPath(t, c, 1<<41, "")
	if len(c.missing) != 0 || len(c.known) > maxCgroups {
		t.Errorf("remembers %d and %d", len(c.missing), len(c.known))
	}
	clock.pass(minWalkPause)
	checkPath(t, c, mustMkdir(t, unified+"/late"), "/late")
	if len(c.known) > 10 {
		t.Errorf("remembers %d", len(c.known))
	}
	for id := range uint64(maxCgroups + 10) {
		c.Path(1<<42 + id)
	}
	if len(c.missing) > maxCgroups {
		t.Errorf("wants to know %d", len(c.missing))
	}
}

func TestCgroupsNotMounted(t *testing.T) {
	c, err := tree(t, map[string]string{"self/mountinfo": ""}).NewCgroups(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if c.Path(1) != "" || c.Container(1) != "" || c.Under(1, 2) {
		t.Error("knows a cgroup")
	}
	_, err = tree(t, nil).NewCgroups(time.Now)
	checkRefusal(t, err, "read mounts")
}

func TestCgroupsGone(t *testing.T) {
	c, clock, unified := newCgroups(t, "/")
	service := mustMkdir(t, unified+"/system.slice/ssh.service")
	checkPath(t, c, service, "/system.slice/ssh.service")
	if err := os.RemoveAll(unified); err != nil {
		t.Fatal(err)
	}
	clock.pass(time.Hour)
	checkPath(t, c, 1, "")
	checkPath(t, c, service, "/system.slice/ssh.service") // its sockets may be there yet
}

func TestCgroupsClosedDirectory(t *testing.T) {
	c, _, unified := newCgroups(t, "/")
	mustChmod(t, filepath.Dir(filepath.Dir(unified)), 0o755) // temporary directories are closed to others
	service := mustMkdir(t, unified+"/system.slice/ssh.service")
	digits := mustMkdir(t, unified+"/123")
	mustChmod(t, unified+"/system.slice", 0)
	got, _ := asNobody(t, func() ([2]string, error) { return [2]string{c.Path(digits), c.Path(service)}, nil })
	if got != [2]string{"/123", ""} {
		t.Errorf("got %q", got)
	}
}

func TestCgroupsContainer(t *testing.T) {
	c, _, unified := newCgroups(t, "/")
	id := strings.Repeat("0123456789abcdef", 4)
	inside := mustMkdir(t, unified+"/docker/"+id+"/init.scope")
	if got := c.Container(inside); got != id {
		t.Errorf("got %q", got)
	}
	if got := c.Container(mustMkdir(t, unified)); got != "" {
		t.Errorf("got %q for the root", got)
	}
}

// Cgroups come and go while several goroutines ask.
func TestCgroupsConcurrently(t *testing.T) {
	proc, dir := fakeCgroups(t, "/", "/")
	clock := newHandClock()
	c, err := proc.NewCgroups(clock.now)
	if err != nil {
		t.Fatal(err)
	}
	service := mustMkdir(t, dir+"/unified/system.slice/ssh.service")
	slice := mustMkdir(t, dir+"/unified/system.slice")
	var all sync.WaitGroup
	for worker := range uint64(3) {
		all.Go(func() {
			for i := range uint64(100) {
				clock.pass(minWalkPause)
				c.Path(1<<40 + 1000*worker + i)
				if !c.Under(service, slice) {
					t.Error("lost a cgroup that is there")
				}
			}
		})
	}
	for range 100 {
		path := dir + "/unified/passing/by"
		mustMkdir(t, path)
		if err := os.RemoveAll(filepath.Dir(path)); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
}

func TestCgroupsAllocatesNothing(t *testing.T) {
	c, _, unified := newCgroups(t, "/")
	service, slice := mustMkdir(t, unified+"/system.slice/ssh.service"), mustMkdir(t, unified+"/system.slice")
	if n := testing.AllocsPerRun(100, func() {
		c.Path(service)
		c.Under(service, slice)
		c.Container(service)
		c.Path(1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
