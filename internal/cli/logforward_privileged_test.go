package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// journald is a systemd-journald of a test: it has a mount namespace with a /run of its own, where a directory of the test
// has its sockets, and another its journal. It starts again when it ends, unless the file hold is there.
type journald struct {
	*testing.T
	dir string
	pid int // of the shell that starts it
}

const journaldScript = `set -e
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
mount --bind "$2/sockets" /run/systemd/journal
mount --bind "$2/journal" /run/log/journal
printf '[Journal]\nStorage=volatile\nRateLimitBurst=0\nReadKMsg=no\nAudit=no\n' >/run/systemd/journald.conf.d/test.conf
while sleep 0.02; do
	[ -e "$2/hold" ] || "$1" || :
done`

func startJournald(t *testing.T) *journald {
	t.Helper()
	unshare := mustTool(t, "unshare", "util-linux")
	mustTool(t, "journalctl", "systemd")
	program := ""
	for _, dir := range []string{"/usr/lib/systemd", "/lib/systemd"} {
		if path := filepath.Join(dir, "systemd-journald"); program == "" && isThere(path) {
			program = path
		}
	}
	if program == "" || !isThere("/etc/machine-id") {
		t.Fatal("this test needs systemd-journald and /etc/machine-id: apt-get install systemd")
	}
	j := &journald{T: t, dir: t.TempDir()}
	for _, name := range []string{"sockets", "journal"} {
		if err := os.Mkdir(filepath.Join(j.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(unshare, "-m", "sh", "-c", journaldScript, "sh", program, j.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	errs := newScreen()
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if text := errs.String(); t.Failed() && text != "" {
			t.Logf("journald: %s", text)
		}
	})
	j.pid = cmd.Process.Pid
	eventually(t, "journald listens", func() bool { return isThere(j.socket()) })
	return j
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (j *journald) socket() string { return filepath.Join(j.dir, "sockets", "socket") }

// entries asks journalctl for what matches.
func (j *journald) entries(match ...string) (all []map[string]any) {
	j.Helper()
	args := append([]string{"--directory=" + filepath.Join(j.dir, "journal"), "--all", "-o", "json"}, match...)
	out, err := exec.Command("journalctl", args...).Output()
	if err != nil {
		return nil // there is no file yet
	}
	for line := range strings.Lines(string(out)) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			j.Fatalf("%v: %s", err, line)
		}
		all = append(all, fields)
	}
	return all
}

// kill kills the journald, which stays away until release.
func (j *journald) kill() {
	j.Helper()
	if err := os.WriteFile(filepath.Join(j.dir, "hold"), nil, 0o644); err != nil {
		j.Fatal(err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", j.pid, j.pid))
	if err != nil {
		j.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		j.Fatalf("its children: %q", children)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		j.Fatal(err)
	}
}

func (j *journald) release() {
	j.Helper()
	if err := os.Remove(filepath.Join(j.dir, "hold")); err != nil {
		j.Fatal(err)
	}
}

// journalctl finds transitions by their fields, and what came while journald was away.
func TestPrivilegedLogToJournald(t *testing.T) {
	j, s := startJournald(t), newStage(t)
	ready := filepath.Join(t.TempDir(), "ready")
	l := launch(t, nil, append([]string{"log", "--to", "journal:" + j.socket(), "--ready-file", ready}, s.netns()...)...)
	eventually(t, "log is ready", func() bool { return isThere(ready) })
	s.talk()
	const transitions = 10 * connections
	eventually(t, "all are in the journal", func() bool { return len(j.entries("TCPTRAIL_EVENT=transition")) == transitions })
	server := j.entries("TCPTRAIL_PID=" + strconv.Itoa(s.server.PID()))
	if len(server) == 0 || len(server) >= transitions {
		t.Errorf("%d of %d entries are of the server", len(server), transitions)
	}
	for _, entry := range server {
		var line map[string]any
		if err := json.Unmarshal([]byte(fmt.Sprint(entry["TCPTRAIL_JSON"])), &line); err != nil {
			t.Fatalf("%v: %v", err, entry)
		}
		for field, name := range map[string]string{
			"TCPTRAIL_COOKIE": "cookie", "TCPTRAIL_OLD": "old", "TCPTRAIL_NEW": "new", "TCPTRAIL_LADDR": "laddr", "TCPTRAIL_COMM": "comm",
			"TCPTRAIL_TIME": "time", "TCPTRAIL_EVIDENCE": "evidence",
		} {
			if line[name] == nil || entry[field] != line[name] {
				t.Errorf("%s=%v, %s: %v", field, entry[field], name, line[name])
			}
		}
		if want := fmt.Sprintf("%v -> %v", line["old"], line["new"]); entry["SYSLOG_IDENTIFIER"] != "tcptrail" ||
			!strings.Contains(strings.Join(strings.Fields(fmt.Sprint(entry["MESSAGE"])), " "), want) {
			t.Errorf("%v, want %s", entry, want)
		}
		if (entry["TCPTRAIL_TIME_IN_STATE_NS"] == nil) != (line["ms"] == nil) {
			t.Errorf("time: %v, ms: %v", entry["TCPTRAIL_TIME_IN_STATE_NS"], line["ms"])
		}
	}
	j.kill()
	s.talk()
	l.stderr.await(t, "transitions wait", 1)
	j.release()
	eventually(t, "what waited is there", func() bool { return len(j.entries("TCPTRAIL_EVENT=transition")) == 2*transitions })
	l.stop()
	// The rest of the host may have made any number of them.
	if want := fmt.Sprintf(", sent %d, ", 2*transitions); !strings.Contains(l.stderr.String(), want) || strings.Contains(l.stderr.String(), "not sent") {
		t.Errorf("%s, want %s", l.stderr, want)
	}
}
