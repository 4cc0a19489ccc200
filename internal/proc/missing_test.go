package proc

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A /proc that has nothing of this process says so, whatever is asked, and not that a process or a mount is missing.
func TestNoProc(t *testing.T) {
	empty, foreign := FS{Root: t.TempDir()}, FS{Root: t.TempDir()}
	if err := os.Symlink("4242", filepath.Join(foreign.Root, "self")); err != nil { // as in the PID namespace of another
		t.Fatal(err)
	}
	for name, fs := range map[string]FS{"not mounted": empty, "another's": foreign, "no directory": {Root: "/nowhere"}} {
		for what, ask := range map[string]func() error{
			"pid":          func() error { _, err := fs.PID("1"); return err },
			"comm":         func() error { _, err := fs.Comm(1); return err },
			"limit":        func() error { _, _, err := fs.FDLimit(1); return err },
			"start":        func() error { _, err := fs.StartTime(1); return err },
			"own netns":    func() error { _, err := fs.NetNS("self"); return err },
			"netns of pid": func() error { _, err := fs.NetNS("1"); return err },
			"inode":        func() error { _, err := fs.NetNS("4026532001"); return err },
			"mounts":       func() error { _, err := fs.NetNSMounts(); return err },
			"own cgroup":   func() error { _, err := fs.Cgroup("self"); return err },
		} {
			if err := ask(); !errors.Is(err, ErrNoProc) || errors.Is(err, ErrNoProcess) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
	}
}

// A process that is there and one that is not are told apart, where /proc shows neither.
func TestHiddenProcess(t *testing.T) {
	fs := tree(t, nil)
	if fs.isHidden("1") {
		t.Error("asked of a /proc that is not the kernel's")
	}
	if own := (FS{}); own.isHidden("self") || own.isHidden(decimal(uint32(os.Getpid()))) {
		t.Error("this process is hidden from itself")
	}
	if !errors.Is(errHidden, os.ErrPermission) || errors.Is(errHidden, ErrNoProcess) {
		t.Errorf("%v is taken for something else", errHidden)
	}
}
