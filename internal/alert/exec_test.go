package alert

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script returns an Exec that runs lines of a shell.
func script(t *testing.T, o ExecOptions, lines string) *Exec {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run me.sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	x, err := NewExec("'"+path+"' 'one word' two", o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestExec(t *testing.T) {
	t.Setenv("INHERITED", "yes")
	out := filepath.Join(t.TempDir(), "out")
	x := script(t, ExecOptions{}, `{ echo "$TCPTRAIL_ID $TCPTRAIL_STATUS $TCPTRAIL_SEVERITY $1 $INHERITED $#"; cat; echo end; } > `+out)
	deliver(t, x, "a")
	want := "a firing warn one word yes 2\n" + string(about("a", Firing).JSON) + "\nend\n"
	if got, err := os.ReadFile(out); string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if name := x.Name(); !strings.HasPrefix(name, "command /") || strings.Contains(name, "one word") {
		t.Error(name)
	}
}

func TestExecWithItsOwnEnvironment(t *testing.T) {
	x := script(t, ExecOptions{Env: []string{"A=1"}}, `test "$A$SECRET$TCPTRAIL_ID" = 1a`)
	t.Setenv("SECRET", "s")
	deliver(t, x, "a")
}

func TestExecFails(t *testing.T) {
	tests := []struct {
		lines, want string
		final       bool
	}{
		{"echo no; printf 'mail\\033 server' >&2; exit 3", `run command: exit status 3; its output: no\u000amail\u001b server`, false},
		{"exit 3", "run command: exit status 3", false},
		{"kill -9 $$", "run command: signal: killed", false},
		{"exec /no/such/program 2>/dev/null", "run command: exit status 127", true},
		{"yes | head -c 100000; exit 1", "the end of its output: …", false},
	}
	for _, test := range tests {
		err := script(t, ExecOptions{}, test.lines).Deliver(t.Context(), delivery("a", Firing))
		var e *DeliveryError
		if err == nil || !strings.Contains(err.Error(), test.want) || (errors.As(err, &e) && e.Final) != test.final {
			t.Errorf("%s: %v", test.lines, err)
		}
		if err != nil && len(err.Error()) > execOutput+200 {
			t.Errorf("%d bytes of error", len(err.Error()))
		}
	}
	x := script(t, ExecOptions{}, "exit 0")
	if err := os.Remove(x.path); err != nil {
		t.Fatal(err)
	}
	var e *DeliveryError
	if err := x.Deliver(t.Context(), delivery("a", Firing)); !errors.As(err, &e) || !e.Final || !e.Unheard {
		t.Errorf("a program that is gone: %v", err)
	}
}

// isGone says whether a process has ended: it may be a zombie still, of whoever has adopted it.
func isGone(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z") || strings.HasPrefix(after, "X")
}

// readPIDs waits for a file of numbers.
func readPIDs(t *testing.T, path string, n int) []int {
	t.Helper()
	var pids []int
	eventually(t, "the command has started", func() bool {
		text, _ := os.ReadFile(path)
		pids = nil
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		return len(pids) == n && strings.HasSuffix(string(text), "\n")
	})
	return pids
}

// TestExecKillsTheGroup holds that the command and its children end at the limit, whatever signals they ignore, and when
// the caller breaks off.
func TestExecKillsTheGroup(t *testing.T) {
	for name, limit := range map[string]time.Duration{"time is up": 300 * time.Millisecond, "broken off": time.Hour} {
		t.Run(name, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pids")
			x := script(t, ExecOptions{Timeout: limit}, "trap '' TERM INT HUP\nsleep 1000 &\necho $$ $! > "+pids+".new\nmv "+pids+".new "+pids+"\nwait")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() { result <- x.Deliver(ctx, delivery("a", Firing)) }()
			running := readPIDs(t, pids, 2)
			group, err := syscall.Getpgid(running[0])
			if err == nil && (group != running[0] || group == syscall.Getpgrp()) {
				t.Errorf("group %d of process %d, ours is %d", group, running[0], syscall.Getpgrp())
			}
			if limit == time.Hour {
				cancel()
			}
			if err := <-result; err == nil || limit < time.Hour && !strings.Contains(err.Error(), "killed after 300ms") {
				t.Errorf("%v", err)
			}
			for _, pid := range running {
				eventually(t, "process "+strconv.Itoa(pid)+" is gone", func() bool { return isGone(pid) })
			}
		})
	}
}

// pidsEnv names a file for the process that TestExecDiesWithUs kills.
const pidsEnv = "TCPTRAIL_ALERT_PIDS"

// TestExecDiesWithUs has this test run once more, in a process that is killed while its command runs.
func TestExecDiesWithUs(t *testing.T) {
	if pids := os.Getenv(pidsEnv); pids != "" {
		x := script(t, ExecOptions{Timeout: time.Hour}, "echo $$ > "+pids+".new\nmv "+pids+".new "+pids+"\nexec sleep 1000")
		_ = x.Deliver(t.Context(), delivery("a", Firing))
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pids := filepath.Join(t.TempDir(), "pids")
	cmd := exec.Command(self, "-test.run=^TestExecDiesWithUs$")
	cmd.Env = append(os.Environ(), pidsEnv+"="+pids, "TMPDIR="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := readPIDs(t, pids, 1)[0]
	if isGone(pid) {
		t.Error("the command has ended too early")
	}
	cmd.Process.Kill()
	cmd.Wait()
	eventually(t, "the command is gone", func() bool { return isGone(pid) })
}

// TestExecWithADaemon holds that what a command leaves running is not waited for.
func TestExecWithADaemon(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	x := script(t, ExecOptions{Timeout: time.Hour}, "sleep 1000 &\necho $! > "+pids)
	deliver(t, x, "a")
	left := readPIDs(t, pids, 1)[0]
	if isGone(left) {
		t.Error("it was killed")
	}
	_ = syscall.Kill(left, syscall.SIGKILL)
}

func TestExecOfACommandThatDoesNotRead(t *testing.T) {
	x := script(t, ExecOptions{}, "exit 0")
	d := delivery("a", Firing)
	d[0].JSON = make([]byte, 1<<20)
	if err := x.Deliver(t.Context(), d); err != nil {
		t.Error(err)
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	plainFile := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plainFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"": "empty", "''": "empty", "a | b": "sh -c", "no-such-program-here x": "give the path", plainFile: "permission denied; give the path",
	} {
		if _, err := NewExec(line, ExecOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", line, err)
		}
	}
}
