package cli

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/privilege"
)

// nobody is a user without any privilege but those that a test gives.
const nobody = 65534

// asNobody returns a command that runs the binary as nobody, with the capabilities as ambient ones, as from a unit with
// AmbientCapabilities=.
func asNobody(t *testing.T, set privilege.Set) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(mustBinary(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	for _, c := range set.Caps() {
		cmd.SysProcAttr.AmbientCaps = append(cmd.SysProcAttr.AmbientCaps, uintptr(c))
	}
	return cmd
}

// Two capabilities are enough for another user, and more than them is not kept by root.
func TestPrivilegedCapabilities(t *testing.T) {
	s := newStage(t)
	for name, cmd := range map[string]*exec.Cmd{"nobody": asNobody(t, privilege.Trace), "root": nil} {
		r := trace(t, cmd, append(s.netns(), "-o", "json")...)
		checkThreads(t, name, r.cmd.Process.Pid)
		s.talk()
		r.stop()
		rows := parseRows(t, r.stdout.String())
		if len(rows) != 10*connections {
			t.Errorf("%s: %d transitions, want %d", name, len(rows), 10*connections)
		}
		for _, row := range rows { // the listeners are older than the tracer, so their owners come from the walk
			if row.PID == nil || *row.PID != s.server.PID() && *row.PID != s.client.PID() {
				t.Errorf("%s: owner of %+v unknown", name, row)
			}
		}
		if b := r.summary(); b.delivered != len(rows) {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

// checkThreads checks what every thread of a process may do.
func checkThreads(t *testing.T, name string, pid int) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "status"))
	if err != nil || len(paths) < 2 {
		t.Fatalf("%s: threads %v, %v", name, paths, err)
	}
	both := fmt.Sprintf("%016x", uint64(privilege.Trace))
	none := fmt.Sprintf("%016x", 0)
	for _, path := range paths {
		fields := status(t, path)
		for field, want := range map[string]string{
			"CapEff": both, "CapPrm": both, "CapInh": none, "CapAmb": none, "NoNewPrivs": "1",
		} {
			if fields[field] != want {
				t.Errorf("%s: %s: %s %s, want %s", name, path, field, fields[field], want)
			}
		}
	}
}

// What stands in the way is named on one line, with what to do about it, and the exit code says so, too.
func TestPrivilegedUnsupported(t *testing.T) {
	lacking := func(set privilege.Set) func() (*exec.Cmd, []string) {
		return func() (*exec.Cmd, []string) { return asNobody(t, set), nil }
	}
	under := func(how string) func() (*exec.Cmd, []string) {
		return func() (*exec.Cmd, []string) { return confined(t, how) }
	}
	capability := func(c privilege.Cap) string { return fmt.Sprintf("drop %d", c) }
	for name, test := range map[string]struct {
		command func() (*exec.Cmd, []string)
		want    []string
	}{
		"not root":        {lacking(0), []string{"missing CAP_BPF, CAP_PERFMON: run as root, or: setcap cap_bpf,cap_perfmon+ep /"}},
		"no CAP_BPF":      {lacking(1 << privilege.Perfmon), []string{"missing CAP_BPF: ", "setcap cap_bpf,cap_perfmon+ep /"}},
		"no CAP_PERFMON":  {lacking(1 << privilege.BPF), []string{"missing CAP_PERFMON: ", "setcap cap_bpf,cap_perfmon+ep /"}},
		"root, no BPF":    {under(capability(privilege.BPF)), []string{"missing CAP_BPF although root: ", "--cap-add BPF"}},
		"seccomp, EPERM":  {under(fmt.Sprintf("errno %d", syscall.EPERM)), []string{"refuses bpf()", "seccomp", "allow the bpf system call"}},
		"seccomp, EACCES": {under(fmt.Sprintf("errno %d", syscall.EACCES)), []string{"refuses bpf()", "seccomp", "allow the bpf system call"}},
		"seccomp, ENOSYS": {under(fmt.Sprintf("errno %d", syscall.ENOSYS)), []string{"no bpf()", "seccomp", "allow the bpf system call"}},
		"no BTF":          {under("empty /sys/kernel/btf"), []string{"no BTF at /sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF=y"}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, args := test.command()
			r := launch(t, cmd, append(args, "--netns", "self", "--duration", "10ms")...)
			code, got := r.wait(), r.stderr.String()
			if code != ExitUnsupported || strings.Count(got, "\n") != 1 || r.stdout.String() != "" {
				t.Errorf("exit %d, want %d; stdout %q; stderr, want one line: %s", code, ExitUnsupported, r.stdout, got)
			}
			for _, words := range test.want {
				if !strings.Contains(got, words) {
					t.Errorf("no %q: %s", words, got)
				}
			}
			t.Log(got)
		})
	}
}
