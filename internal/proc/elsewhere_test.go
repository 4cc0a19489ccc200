package proc

import (
	"errors"
	"testing"
	"time"
)

// About another host numbers are believed, and no name is made up of what this one has.
func TestElsewhere(t *testing.T) {
	fs := FS{Elsewhere: true}
	if pid, err := fs.PID("4194000"); pid != 4194000 || err != nil {
		t.Errorf("pid %d, %v", pid, err)
	}
	for _, arg := range []string{"4026531999", "net:[4026531999]"} {
		if inode, err := fs.NetNS(arg); inode != 4026531999 || err != nil {
			t.Errorf("netns %s: %d, %v", arg, inode, err)
		}
	}
	if id, err := fs.Cgroup("77"); id != 77 || err != nil {
		t.Errorf("cgroup %d, %v", id, err)
	}
	for _, arg := range []string{"self", "blue", "/proc/1/ns/net"} {
		if _, err := fs.NetNS(arg); !errors.Is(err, errElsewhere) {
			t.Errorf("netns %s: %v", arg, err)
		}
	}
	if _, err := fs.Cgroup("/system.slice"); !errors.Is(err, errElsewhere) {
		t.Errorf("cgroup: %v", err)
	}
	if names, err := fs.NetNSNames(); len(names) != 0 || err != nil {
		t.Errorf("names %v, %v", names, err)
	}
	cgroups, err := fs.NewCgroups(time.Now)
	if err != nil || cgroups.Path(1) != "" {
		t.Errorf("cgroup 1 is %q, %v", cgroups.Path(1), err)
	}
	if _, ok := fs.NewExes(time.Now).Exe(1); ok || fs.Exists(1) || !fs.IsHostPIDNS() {
		t.Error("knows of processes")
	}
}
