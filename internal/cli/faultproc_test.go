package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/privilege"
)

// coverByOther mounts the /proc of another PID namespace, in which the binary runs for a moment and none of our processes
// is.
func coverByOther(binary string) error {
	if err := leaveMounts(); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", binary, "--version")
	cmd.Env = append(os.Environ(), confineEnv+"=mount proc")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mount /proc in a PID namespace: %w: %s", err, out)
	}
	return nil
}

// mustRecording returns a directory of log with a few connections.
func mustRecording(t *testing.T) string {
	t.Helper()
	s := newStage(t)
	dir := filepath.Join(t.TempDir(), "log")
	l := startLog(t, dir, s.netns()...)
	s.talk()
	l.stop()
	return dir
}

// ofTheKernel are command lines of every command that asks the kernel, which all end soon.
var ofTheKernel = []string{
	"trace --duration 10ms", "--duration 10ms", "list", "count", "count LISTEN", "count --by process",
	"count -i 1s --duration 10ms", "leaks --once", "leaks --duration 10ms", "leaks --stacks --duration 10ms", "run -- true",
	"log --dir DIR --duration 10ms", "serve --listen 127.0.0.1:0 --duration 10ms",
}

// fault launches a command line, in which DIR stands for a directory that is not there yet, and checks that it ends with
// the code and, unless that is ExitDone, with nothing on stdout and one line on stderr that has all the words.
func fault(t *testing.T, cmd *exec.Cmd, prefix []string, line string, want int, words ...string) {
	t.Helper()
	mustBinary(t) // makes the directory
	dir, err := publicDir(builtIn.dir)
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := launch(t, cmd, append(prefix, strings.Fields(strings.ReplaceAll(line, "DIR", dir+"/log"))...)...)
	code, got := r.wait(), r.stderr.String()
	if code != want {
		t.Errorf("%s: exit %d, want %d: %s", line, code, want, got)
	}
	if want != ExitDone && (strings.Count(got, "\n") != 1 || r.stdout.String() != "") {
		t.Errorf("%s: stdout %q; stderr, want one line: %s", line, r.stdout, got)
	}
	for _, word := range words {
		if !strings.Contains(got, word) {
			t.Errorf("%s: no %q: %s", line, word, got)
		}
	}
	checkPrintable(t, line, got)
}

// Without a /proc of one's own, nothing is guessed: that is said, with the remedy. What needs none works.
func TestPrivilegedWithoutProc(t *testing.T) {
	recording := mustRecording(t)
	for _, how := range []string{"empty /proc", "foreign /proc"} {
		t.Run(how, func(t *testing.T) {
			asking := []string{"list -p 1", "trace --netns self", "trace --netns 1", "trace --cgroup self"}
			for _, line := range append(asking, ofTheKernel...) {
				cmd, prefix := confined(t, how)
				fault(t, cmd, prefix, line, ExitUnsupported, "/proc is not mounted", "mount -t proc")
			}
			for _, line := range []string{"replay " + recording, "history " + recording, "help", "--version", "list --help", "completion bash"} {
				cmd, prefix := confined(t, how)
				fault(t, cmd, prefix, line, ExitDone)
			}
		})
	}
}

// hidingCaps is all but what sees through hidepid.
const hidingCaps = privilege.Trace | privilege.Namespaces&^(1<<privilege.SysPtrace)

// hidden returns a command as a user to whom /proc shows its own processes alone.
func hidden(t *testing.T) (*exec.Cmd, []string) {
	t.Helper()
	cmd, prefix := confined(t, "proc hidepid=2")
	cmd.SysProcAttr = asNobody(t, hidingCaps).SysProcAttr
	return cmd, prefix
}

// Owners come from the kernel, whatever /proc hides; and a process that it hides is not taken for none.
func TestPrivilegedHidePID(t *testing.T) {
	s := newStage(t)
	owner := fmt.Sprintf(`"pid":%d,"comm":"server"`, s.server.PID())
	cmd, prefix := hidden(t)
	var r *tracer
	err := s.ns.Do(func() error {
		r = launch(t, cmd, append(prefix, "list", "-o", "json", "--netns", "self")...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if code := r.wait(); code != ExitDone || strings.Count(r.stdout.String(), owner) < 2 || r.stderr.String() != "" {
		t.Errorf("list: exit %d: %s%s", code, r.stderr, r.stdout)
	}
	cmd, prefix = hidden(t)
	path, ready := mustFIFO(t)
	live := launch(t, cmd, append(append(prefix, "trace", "-o", "json", "--ready-file", path), s.netns()...)...)
	live.awaitReady(ready)
	s.talk()
	live.stop()
	rows := parseRows(t, live.stdout.String())
	for _, row := range rows {
		if row.PID == nil || *row.PID != s.server.PID() && *row.PID != s.client.PID() {
			t.Errorf("owner of %+v unknown", row)
		}
	}
	if len(rows) != 10*connections {
		t.Errorf("%d transitions, want %d", len(rows), 10*connections)
	}
	for _, line := range []string{"list", "count", "count LISTEN"} { // what is hidden is not left out in silence
		cmd, prefix = hidden(t)
		fault(t, cmd, prefix, line, ExitUnsupported, "missing CAP_SYS_PTRACE", "--netns self")
	}
	for _, flag := range []string{"--pid", "--netns"} {
		cmd, prefix = hidden(t)
		fault(t, cmd, prefix, fmt.Sprintf("list %s %d", flag, s.server.PID()), ExitUsage, "hidepid", "run as root")
		cmd, prefix = hidden(t)
		fault(t, cmd, prefix, "list "+flag+" 4194303", ExitUsage, "no such process")
	}
}

// contained returns a command in namespaces of its own, as in a container; in a user namespace, too, it is root there alone.
func contained(t *testing.T, privileged bool) (*exec.Cmd, []string) {
	t.Helper()
	cmd, prefix := confined(t, "proc ")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if !privileged {
		root := []syscall.SysProcIDMap{{HostID: nobody, Size: 1}}
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = root, root
		cmd.SysProcAttr.Credential = &syscall.Credential{}
	}
	return cmd, prefix
}

// In a container without privileges the refusal is clear. What asks for no privilege says what it leaves out.
func TestPrivilegedUnprivilegedContainer(t *testing.T) {
	recording := mustRecording(t)
	for _, line := range ofTheKernel {
		cmd, prefix := contained(t, false)
		if line == "count LISTEN" {
			fault(t, cmd, prefix, line, ExitDone, "in a PID namespace", "left out")
			continue
		}
		fault(t, cmd, prefix, line, ExitUnsupported, "missing CAP_BPF, CAP_PERFMON in the initial user namespace", "run as root of the host")
	}
	for _, line := range []string{"replay " + recording, "history " + recording} {
		cmd, prefix := contained(t, false)
		cmd.SysProcAttr.GidMappings, cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{Size: 1}}, []syscall.SysProcIDMap{{Size: 1}}
		fault(t, cmd, prefix, line, ExitDone) // as the user whose recording it is
	}
}

// In one with privileges it works, and says what it cannot see.
func TestPrivilegedPrivilegedContainer(t *testing.T) {
	s := newStage(t)
	port := s.v4.Local().Port()
	for _, line := range ofTheKernel {
		cmd, prefix := contained(t, true)
		var words []string
		switch verb := strings.Fields(line)[0]; verb {
		case "trace", "--duration":
			words = []string{"in a PID namespace", "older sockets of processes outside have no owner"}
		case "list", "leaks", "log":
			words = []string{"sockets of processes outside have no owner", "network namespaces without a process in it are left out"}
		case "count":
			words = []string{"network namespaces without a process in it are left out"}
		}
		fault(t, cmd, prefix, line, ExitDone, words...)
	}
	cmd, prefix := contained(t, true)
	path, ready := mustFIFO(t)
	r := launch(t, cmd, append(prefix, "trace", "-o", "json", "--ready-file", path, "-L", fmt.Sprint(port))...)
	if line, ok := receive(ready); !ok || line != "1\n" {
		t.Fatalf("ready: %q: %s", line, r.stderr)
	}
	s.talk()
	r.stop()
	pids := map[int]int{}
	for _, row := range parseRows(t, r.stdout.String()) {
		if row.PID != nil {
			pids[*row.PID]++
		}
	}
	if pids[s.server.PID()] == 0 {
		t.Errorf("no transition of the host's process %d: %v: %s", s.server.PID(), pids, r.stdout)
	}
	cmd, prefix = contained(t, true)
	fault(t, cmd, prefix, "list -p 1", ExitUsage, "in a PID namespace")
}
