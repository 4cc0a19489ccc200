package cli

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/privilege"
)

// everywhere is what it takes to look at all network namespaces of the host.
const everywhere = privilege.Trace | privilege.Namespaces

// needs is what each command line takes, no more and no less: with it another user than root gets what root gets, and
// without any one of it, a refusal that names it. In PATH of log is a directory of that user, in DIR a recording.
var needs = []struct {
	line string
	set  privilege.Set
}{
	{"trace --duration 10ms", privilege.Trace},
	{"list", everywhere},
	{"list --netns self", privilege.Trace},
	{"count", everywhere},
	{"count --netns self", privilege.Trace},
	{"count LISTEN --netns self", 0},
	{"count -i 1s --duration 10ms", everywhere},
	{"leaks --once --limit CLOSE_WAIT=10h", everywhere},
	{"leaks --duration 10ms", everywhere},
	{"leaks --stacks --duration 10ms", everywhere},
	{"leaks --duration 10ms --netns self", privilege.Trace},
	{"serve --listen 127.0.0.1:0 --duration 10ms", everywhere},
	{"log --dir PATH --duration 10ms", everywhere},
	{"replay DIR", 0},
	{"history DIR", 0},
	{"help", 0},
	{"serve --check --listen 127.0.0.1:0", 0},
}

// forNobody returns a directory that another user may write to.
func forNobody(t *testing.T) string {
	t.Helper()
	mustBinary(t) // makes the directory
	dir, err := publicDir(builtIn.dir)
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPrivilegedNeeds(t *testing.T) {
	// There is another namespace, or that of this test would be all there are.
	nettest.StartActor(t, nettest.NewNS(t), "other").Listen(nettest.Loopback4(0), 1)
	recording := filepath.Join(forNobody(t), "log")
	l := startLog(t, recording, "--duration", "10ms")
	l.wait()
	for _, path := range append(mustGlob(t, filepath.Join(recording, "*")), recording) {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	run := func(line string, set privilege.Set) (code int, stderr string) {
		words := strings.NewReplacer("DIR", recording, "PATH", filepath.Join(forNobody(t), "log")).Replace(line)
		r := launch(t, asNobody(t, set), strings.Fields(words)...)
		return r.wait(), r.stderr.String()
	}
	for _, need := range needs {
		if code, got := run(need.line, need.set); code != ExitDone || strings.Contains(got, "missing") || strings.Contains(got, "want of CAP") {
			t.Errorf("%s with %v: exit %d: %s", need.line, need.set, code, got)
		}
		for _, c := range need.set.Caps() {
			code, got := run(need.line, need.set&^(1<<c))
			if c == privilege.NetAdmin && code == ExitDone {
				continue // takes a namespace to which nothing but a socket leads
			}
			lines := strings.Split(strings.TrimSpace(got), "\n") // the last of them: others are of what goes without
			if code != ExitUnsupported || !strings.Contains(lines[len(lines)-1], "missing "+c.String()) {
				t.Errorf("%s without %v: exit %d, want %d: %s", need.line, c, code, ExitUnsupported, got)
			}
		}
	}
}

func mustGlob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// While they run, commands that root started hold what they need, and nothing that they start may have more.
func TestPrivilegedHolds(t *testing.T) {
	dir := forNobody(t)
	for line, want := range map[string]privilege.Set{
		"trace":                             privilege.Trace,
		"count -i 1s":                       everywhere,
		"leaks":                             everywhere,
		"leaks --stacks":                    everywhere,
		"log --dir " + dir + "/log":         everywhere,
		"log --to syslog:udp://127.0.0.1:9": privilege.Trace,
		"serve --listen unix:" + dir + "/s": everywhere,
		"serve --stacks --listen unix:" + dir + "/t": everywhere,
		"run -- cat": everywhere | privilege.SetOf(privilege.Kill),
	} {
		input, cat, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(mustBinary(t))
		cmd.Stdin = input
		r := launch(t, cmd, strings.Fields(line)...)
		input.Close()
		eventually(t, line+" holds "+want.String(), func() bool { return isHeld(t, r.cmd.Process.Pid, want) })
		cat.Close()
		if !strings.HasPrefix(line, "run") {
			r.signal(syscall.SIGTERM)
		}
		if code := r.wait(); code != ExitDone {
			t.Errorf("%s: exit %d: %s", line, code, r.stderr)
		}
	}
}

// isHeld says whether all threads of a process have the set, and nothing but it.
func isHeld(t *testing.T, pid int, set privilege.Set) bool {
	t.Helper()
	both, none := fmt.Sprintf("%016x\n", uint64(set)), fmt.Sprintf("%016x\n", 0)
	paths := mustGlob(t, filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "status"))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for field, want := range map[string]string{
			"CapEff": both, "CapPrm": both, "CapInh": none, "CapAmb": none, "NoNewPrivs": "1\n",
		} {
			if !strings.Contains(string(text), "\n"+field+":\t"+want) {
				return false
			}
		}
	}
	return len(paths) > 0
}

// setFileCaps gives a file capabilities as setcap SET+ep does: struct vfs_cap_data of include/uapi/linux/capability.h, of
// VFS_CAP_REVISION_2 with VFS_CAP_FLAGS_EFFECTIVE.
func setFileCaps(t *testing.T, path string, set privilege.Set) {
	t.Helper()
	const revision2, effective = 0x02000000, 1
	var attribute []byte
	for _, word := range []uint32{revision2 | effective, uint32(set), 0, uint32(set >> 32), 0} {
		attribute = binary.LittleEndian.AppendUint32(attribute, word)
	}
	if err := syscall.Setxattr(path, "security.capability", attribute, 0); err != nil {
		t.Fatalf("setcap %s: %v", path, err)
	}
}

// With file capabilities nobody needs to be root.
func TestPrivilegedFileCapabilities(t *testing.T) {
	s := newStage(t)
	for set, lines := range map[privilege.Set][]string{
		privilege.Trace: {"trace --duration 10ms", "list --netns self", "leaks --once --netns self --limit CLOSE_WAIT=10h"},
		everywhere:      {"list", "count", "leaks --once --limit CLOSE_WAIT=10h", "log --duration 10ms --dir " + forNobody(t) + "/log"},
	} {
		path := filepath.Join(forNobody(t), "tcptrail")
		if err := copyFile(path, mustBinary(t)); err != nil {
			t.Fatal(err)
		}
		setFileCaps(t, path, set)
		for _, line := range lines {
			cmd := exec.Command(path)
			cmd.SysProcAttr = asNobody(t, 0).SysProcAttr
			r := launch(t, cmd, strings.Fields(line)...)
			if code := r.wait(); code != ExitDone {
				t.Errorf("%s: exit %d: %s", line, code, r.stderr)
			}
			if strings.HasPrefix(line, "list") && set == everywhere && !strings.Contains(r.stdout.String(), fmt.Sprint(s.server.PID(), " server")) {
				t.Errorf("%s: no %d: %s", line, s.server.PID(), r.stdout)
			}
		}
		if err := os.Remove(path); err != nil { // in memory, as may be
			t.Error(err)
		}
	}
}
