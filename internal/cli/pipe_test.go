package cli

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hurry is how soon a tracer has to end when it has nothing to wait for, on a machine that has other things to do and
// may be emulated.
const hurry = 15 * time.Second

// memoryLimit is how much a tracer may have in memory, in KiB; the project promises it for an ordinary one.
const memoryLimit = 40 << 10

// mustPipe returns a pipe and a command that writes to it. The command's end is closed here when it has started: see
// started.
func mustPipe(t *testing.T) (reader *os.File, cmd *exec.Cmd) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		reader.Close()
		writer.Close()
	})
	cmd = exec.Command(mustBinary(t))
	cmd.Stdout = writer
	return reader, cmd
}

// closeOurs closes our copy of the end that the command writes to.
func closeOurs(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Stdout.(*os.File).Close(); err != nil {
		t.Fatal(err)
	}
}

// A pipe whose reader goes away, as head does, ends the tracer even when it has nothing to write.
func TestPrivilegedClosedPipe(t *testing.T) {
	s := newStage(t)
	for name, lines := range map[string]int{"idle": 0, "after a line": 1} {
		reader, cmd := mustPipe(t)
		r := trace(t, cmd, append(s.netns(), "-o", "csv", "--no-header")...)
		closeOurs(t, cmd)
		if lines > 0 {
			s.talk()
			if line, err := bufio.NewReader(reader).ReadString('\n'); err != nil || !strings.Contains(line, "SYN_SENT") {
				t.Fatalf("%q, %v", line, err)
			}
		}
		start := time.Now()
		reader.Close()
		code, took := r.wait(), time.Since(start)
		if code != ExitDone || took > hurry {
			t.Errorf("%s: exit %d after %v: %s", name, code, took, r.stderr)
		}
		t.Logf("%s: ended after %v", name, took)
		r.summary()
	}
}

// A reader that never reads costs losses, which are counted; neither memory without bound nor an end without end.
func TestPrivilegedReaderThatNeverReads(t *testing.T) {
	const workers, each = 2, 5000
	s := newStage(t)
	_, cmd := mustPipe(t)
	r := trace(t, cmd, append(s.netns(), "-o", "json", "--buffer", "1M")...)
	s.burst(workers, each/4) // fills all buffers
	before := residentKiB(t, r)
	s.burst(workers, each)
	after := residentKiB(t, r)
	if after > memoryLimit || after-before > 1<<10 {
		t.Errorf("%d KiB resident, %d before the last %d connections", after, before, workers*each)
	}
	start := time.Now()
	r.signal(syscall.SIGINT)
	code, took := r.wait(), time.Since(start)
	if code != ExitDone || took > drainLimit+hurry {
		t.Errorf("exit %d after %v: %s", code, took, r.stderr)
	}
	b := r.summary()
	t.Logf("%d KiB, %d more at the end; ended after %v: %+v", after, after-before, took, b)
	if want := 10 * workers * each; b.seen < want || b.lost < want/2 || b.left == 0 {
		t.Errorf("%+v, want %d seen, most of them lost, and what was written not delivered", b, want)
	}
	if !strings.Contains(r.stderr.String(), "what was left is not delivered") {
		t.Errorf("what is left is not said: %s", r.stderr)
	}
}

func residentKiB(t *testing.T, r *tracer) int {
	t.Helper()
	text := status(t, "/proc/"+strconv.Itoa(r.cmd.Process.Pid)+"/status")["VmRSS"]
	n, err := strconv.Atoi(strings.TrimSuffix(text, " kB"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A second signal ends it at once; so does, in the end, the first, when stderr is the same full pipe.
func TestPrivilegedStuckPipe(t *testing.T) {
	s := newStage(t)
	_, cmd := mustPipe(t)
	hasty := trace(t, cmd, append(s.netns(), "-o", "json")...)
	_, cmd = mustPipe(t)
	cmd.Stderr = cmd.Stdout
	both := trace(t, cmd, append(s.netns(), "-o", "json")...)
	s.burst(1, 200) // 2,000 lines for a pipe that holds some 200
	attached := len(programsOf(t, hasty.cmd.Process.Pid))
	both.signal(syscall.SIGINT)
	hasty.signal(syscall.SIGINT)
	eventually(t, "the first signal is heard", func() bool { return len(programsOf(t, hasty.cmd.Process.Pid)) < attached })
	start := time.Now()
	hasty.signal(syscall.SIGINT)
	if code, took := hasty.wait(), time.Since(start); code != ExitDone || took > drainLimit {
		t.Errorf("second signal: exit %d after %v", code, took)
	}
	if got := hasty.stderr.String(); !strings.Contains(got, "interrupted again") {
		t.Errorf("second signal: %s", got)
	}
	if code, took := both.wait(), time.Since(start); code != ExitDone || took > 2*drainLimit+hurry {
		t.Errorf("stderr stuck, too: exit %d after %v", code, took)
	}
}
