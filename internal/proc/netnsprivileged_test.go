package proc

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// A process of its own in a namespace, until it ends.
func TestPrivilegedOpenNetNSOfProcess(t *testing.T) {
	ns := nettest.NewNS(t)
	actor := nettest.StartActor(t, ns, "in there")
	pid := uint32(actor.PID())
	file, number, err := FS{}.OpenNetNS(pid)
	checkOpened(t, file, number, err, uint64(ns.Inode()))
	file, number, err = FS{}.OpenNetNSPath(ns.Path()) // held by a descriptor
	checkOpened(t, file, number, err, uint64(ns.Inode()))
	actor.Kill()
	checkGone(t, func() (*os.File, uint32, error) { return FS{}.OpenNetNS(pid) })
}

// A thread in another namespace than its process, as a container runtime written in Go has them.
func TestPrivilegedOpenNetNSOfThread(t *testing.T) {
	inNewNetNS(t, func() error {
		want, err := inode("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		file, number, err := FS{}.OpenNetNS(uint32(unix.Gettid()))
		checkOpened(t, file, number, err, want)
		return nil
	})
}

// A process that has ended and that nobody has waited for has no namespace, and no executable.
func TestPrivilegedOpenNetNSOfZombie(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	attributes := &os.ProcAttr{Files: []*os.File{null, null, null}}
	child, err := os.StartProcess("/proc/self/exe", []string{"proc.test", "-test.run=^$"}, attributes)
	if err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, child.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	checkGone(t, func() (*os.File, uint32, error) { return FS{}.OpenNetNS(uint32(child.Pid)) })
	checkExe(t, FS{}.NewExes(time.Now), uint32(child.Pid), "")
}

// Mounts are made where no one else sees them, on a thread that ends with them. Its mounts are those of "thread-self",
// which the fake root leads to.
func TestPrivilegedNetNSNamesOfMounts(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"netns/blue", "docker/1ab2c3d4e5f6", "netns/covered", "netns/uts"} {
		mustMkdir(t, filepath.Dir(filepath.Join(dir, path)))
		if err := os.WriteFile(filepath.Join(dir, path), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	inNewNetNS(t, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		mount := func(path, kind string) uint64 {
			source := "/proc/thread-self/ns/" + kind
			if err := unix.Mount(source, filepath.Join(dir, path), "", unix.MS_BIND, ""); err != nil {
				t.Error(err)
			}
			return mustInode(t, source)
		}
		renew := func() {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				t.Error(err)
			}
		}
		docker := mount("docker/1ab2c3d4e5f6", "net")
		renew()
		blue := mount("netns/blue", "net")
		mount("docker/1ab2c3d4e5f6", "net") // covers the first
		mount("netns/uts", "uts")
		renew()
		covered := mount("netns/covered", "net")
		if err := unix.Mount("/dev/null", filepath.Join(dir, "netns/covered"), "", unix.MS_BIND, ""); err != nil {
			return err
		}
		renew()

		proc := FS{Root: t.TempDir(), netnsDirs: []string{filepath.Join(dir, "netns")}}
		if err := os.Symlink("/proc/thread-self", proc.path("self")); err != nil {
			return err
		}
		names, err := proc.NetNSNames()
		if err != nil {
			return err
		}
		for number, want := range map[uint64]string{blue: "blue", docker: "", covered: ""} {
			if got := names[uint32(number)]; got != want {
				t.Errorf("namespace %d is called %q, want %q", number, got, want)
			}
		}
		if number := mustInode(t, "/proc/thread-self/ns/uts"); names[uint32(number)] != "" {
			t.Errorf("a namespace of another type is called %q", names[uint32(number)])
		}
		list, err := proc.NetNSMounts()
		list = slices.DeleteFunc(list, func(ns NetNS) bool { return !strings.HasPrefix(ns.Path, dir) }) // the host's own
		path := filepath.Join(dir, "docker/1ab2c3d4e5f6")
		if err != nil || len(list) != 1 || uint64(list[0].Inode) != blue {
			t.Errorf("got %+v, %v, want %d", list, err, blue)
		}
		for _, path := range []string{path, filepath.Join(dir, "netns/blue")} {
			file, number, err := proc.OpenNetNSPath(path)
			checkOpened(t, file, number, err, blue)
		}
		checkGone(t, func() (*os.File, uint32, error) { return proc.OpenNetNSPath(filepath.Join(dir, "netns/uts")) })
		return nil
	})
}
