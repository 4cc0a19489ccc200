package nettest

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// threadNS returns the inode number of the namespace that the calling thread is in.
func threadNS() (uint32, error) {
	var st unix.Stat_t
	err := unix.Stat("/proc/thread-self/ns/net", &st)
	return uint32(st.Ino), err
}

func mustThreadNS(t *testing.T) uint32 {
	t.Helper()
	inode, err := threadNS()
	if err != nil {
		t.Fatal(err)
	}
	return inode
}

func TestPrivilegedNSIsolation(t *testing.T) {
	one, two := NewNS(t), NewNS(t)
	home := mustThreadNS(t)
	if one.Inode() == two.Inode() || one.Inode() == home || two.Inode() == home {
		t.Errorf("inodes %d, %d, home %d: want three", one.Inode(), two.Inode(), home)
	}
	listener := InProcess(t, one).Listen(Loopback4(0), 1)
	InProcess(t, two).Listen(listener.Local(), 1) // the same port is free in there
	InProcess(t, one).Dial(listener.Local())
	for _, ns := range []*NS{one, two} {
		var st unix.Stat_t
		if err := unix.Stat(ns.Path(), &st); err != nil || uint32(st.Ino) != ns.Inode() {
			t.Errorf("%s: inode %d (%v), want %d", ns.Path(), st.Ino, err, ns.Inode())
		}
	}
}

func TestPrivilegedNSActorIsInside(t *testing.T) {
	ns := NewNS(t)
	actor := StartActor(t, ns, "inside")
	link, err := os.Stat("/proc/" + strconv.Itoa(actor.PID()) + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(ns.Path())
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(link, want) {
		t.Error("actor is in another namespace than its own")
	}
}

func TestPrivilegedNSDo(t *testing.T) {
	outer, inner := NewNS(t), NewNS(t)
	home := mustThreadNS(t)
	failure := errors.New("failure of f")
	err := outer.Do(func() error {
		if got := mustThreadNS(t); got != outer.Inode() {
			t.Errorf("in namespace %d, want %d", got, outer.Inode())
		}
		err := inner.Do(func() error {
			if got := mustThreadNS(t); got != inner.Inode() {
				t.Errorf("nested: in namespace %d, want %d", got, inner.Inode())
			}
			return failure
		})
		if got := mustThreadNS(t); got != outer.Inode() {
			t.Errorf("after nesting: in namespace %d, want %d", got, outer.Inode())
		}
		return err
	})
	if !errors.Is(err, failure) || err.Error() != failure.Error() {
		t.Errorf("error %v, want it as it is", err)
	}
	if got := mustThreadNS(t); got != home {
		t.Errorf("left in namespace %d, want %d", got, home)
	}
}

// Panics, and the Goexit behind tb.Fatal, leave Do with the thread back home.
func TestPrivilegedNSDoLeftEarly(t *testing.T) {
	ns := NewNS(t)
	home := mustThreadNS(t)
	for name, leave := range map[string]func(){
		"panic":  func() { panic("left early") },
		"goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() {
					_ = recover()
					if got, err := threadNS(); got != home {
						t.Errorf("left in namespace %d, want %d (%v)", got, home, err)
					}
				}()
				err := ns.Do(func() error { leave(); return nil })
				t.Errorf("Do returned %v", err)
			})
			wg.Wait()
		})
	}
}

func TestPrivilegedNSSysctl(t *testing.T) {
	const name, path = "net.ipv4.tcp_fin_timeout", "/proc/sys/net/ipv4/tcp_fin_timeout"
	ns := NewNS(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mustSysctl(t, ns, name, "17")
	err = ns.Do(func() error {
		got, err := os.ReadFile(path)
		if strings.TrimSpace(string(got)) != "17" {
			t.Errorf("inside: %q, want 17", got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Errorf("outside: %q, was %q", after, before)
	}
	if err := ns.Sysctl("net.ipv4.no_such_thing", "1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unknown name: %v, want %v", err, fs.ErrNotExist)
	}
	if err := ns.Sysctl(name, "soon"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("bad value: %v, want %v", err, unix.EINVAL)
	}
}

// Namespaces, actors and all they held are gone when their tests are, and whatever ran inside is back outside.
func TestPrivilegedNothingLeaks(t *testing.T) {
	const rounds = 8
	world := func(t *testing.T) {
		ns := NewNS(t)
		actor := StartActor(t, ns, "actor")
		_, client, _ := connect(actor)
		client.Send(InProcess(t, ns))
		OpenTUN(t, ns)
		if _, err := ns.Sockets(); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("warm up", world)
	fds, threads := entries(t, "/proc/self/fd"), entries(t, "/proc/self/task")
	for range rounds {
		t.Run("", world)
	}
	if got := entries(t, "/proc/self/fd"); got != fds {
		t.Errorf("%d descriptors, were %d", got, fds)
	}
	// The runtime keeps a few threads more or fewer as it sees fit.
	if got := entries(t, "/proc/self/task"); got > threads+rounds/2 {
		t.Errorf("%d threads, were %d", got, threads)
	}
	everyThreadIsHome(t)
}

func everyThreadIsHome(t *testing.T) {
	t.Helper()
	home := mustThreadNS(t)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		var st unix.Stat_t
		err := unix.Stat("/proc/self/task/"+task.Name()+"/ns/net", &st)
		if err == nil && uint32(st.Ino) != home {
			t.Errorf("thread %s is in namespace %d, want %d", task.Name(), st.Ino, home)
		}
	}
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestPrivilegedNSConcurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		ns := NewNS(t)
		for range 4 {
			wg.Go(func() {
				for range 50 {
					err := ns.Do(func() error {
						got, err := threadNS()
						if got != ns.Inode() {
							t.Errorf("in namespace %d, want %d", got, ns.Inode())
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	everyThreadIsHome(t)
}
