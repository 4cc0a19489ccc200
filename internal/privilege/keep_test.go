package privilege

import (
	"os"
	"syscall"
	"testing"
)

// nobody is a user without rights who is given the capabilities of Trace, as a systemd unit with
// AmbientCapabilities=CAP_BPF CAP_PERFMON would.
func nobody() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: []uintptr{uintptr(BPF), uintptr(Perfmon)},
	}
}

func mustRoot(t *testing.T) {
	t.Helper()
	if missing := Missing(Trace | 1<<SetPCap); missing != 0 || os.Geteuid() != 0 {
		t.Fatalf("needs root: %s", Describe(Trace, missing))
	}
}

// checkKept says what is wrong with a child that called Keep(Trace), and whether that did anything.
func checkKept(t *testing.T, r report) (kept bool) {
	t.Helper()
	if r.ErrCgo != !r.AllThreads {
		t.Fatalf("ErrCgo is %v, AllThreadsSyscall works: %v", r.ErrCgo, r.AllThreads)
	}
	if r.ErrCgo {
		if !cgo {
			t.Error("ErrCgo in a binary without C code")
		}
		for i, s := range r.Threads {
			if s.NoNewPrivs {
				t.Errorf("thread %d: changed although ErrCgo was returned", i)
			}
		}
		return false
	}
	if len(r.Threads) < 6 {
		t.Errorf("only %d threads were looked at", len(r.Threads))
	}
	if r.Missing != 0 {
		t.Errorf("kept all but %s", r.Missing)
	}
	return true
}

func TestPrivilegedKeepOnAllThreads(t *testing.T) {
	mustRoot(t)
	r := runChild(t, "keep", nil)
	if !checkKept(t, r) {
		return
	}
	if !r.Again {
		t.Error("the second call was not made")
	}
	want := status{Effective: Trace, Permitted: Trace, Bounding: r.Threads[0].Bounding, NoNewPrivs: true}
	for i, s := range r.Threads {
		if s != want {
			t.Errorf("thread %d of %d: got %+v, want %+v", i, len(r.Threads), s, want)
		}
	}
}

func TestPrivilegedKeepOutlastsExecByRoot(t *testing.T) {
	mustRoot(t)
	r := runChild(t, "exec", nil)
	if r.ErrCgo {
		checkKept(t, r)
		return
	}
	for i, s := range r.Threads {
		if got := (s.Effective | s.Permitted) &^ Trace; got != 0 || !s.NoNewPrivs {
			t.Errorf("thread %d: root has %s after exec: %+v", i, got, s)
		}
	}
}

func TestPrivilegedKeepByOthers(t *testing.T) {
	mustRoot(t)
	before := runChild(t, "look", nobody())
	if before.Missing != 0 {
		t.Fatalf("the unprivileged child began without %s", before.Missing)
	}
	r := runChild(t, "keep", nobody())
	if !checkKept(t, r) {
		return
	}
	want := status{Effective: Trace, Permitted: Trace, Bounding: before.Threads[0].Bounding, NoNewPrivs: true}
	for i, s := range r.Threads {
		if s != want {
			t.Errorf("thread %d: got %+v, want %+v", i, s, want)
		}
	}
}

func TestPrivilegedKeepRaisesNothing(t *testing.T) {
	mustRoot(t)
	attributes := nobody()
	attributes.AmbientCaps = nil
	for _, action := range []string{"look", "keep"} {
		r := runChild(t, action, attributes)
		if r.Missing != Trace {
			t.Errorf("%s: missing %s, want %s", action, r.Missing, Trace)
		}
		for i, s := range r.Threads {
			if s.Effective|s.Permitted|s.Ambient|s.Inheritable != 0 {
				t.Errorf("%s: thread %d has %+v", action, i, s)
			}
		}
	}
}

func TestPrivilegedMissingInUserNamespace(t *testing.T) {
	mustRoot(t)
	r := runChild(t, "look", &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}},
	})
	if s := r.Threads[0]; s.Effective&Trace != Trace {
		t.Fatalf("root of a user namespace has only %s", s.Effective)
	}
	if r.Missing != Trace {
		t.Errorf("missing %s, want %s: capabilities of a user namespace do not count for bpf()", r.Missing, Trace)
	}
}
