package proc

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// leaderlessEnv makes a copy of the test end its first thread, and live on until its input ends.
const leaderlessEnv = "TCPTRAIL_TEST_LEADERLESS"

// endLeader ends the first thread alone. It returns only if it is not on that.
func endLeader() int {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		return 1
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		unix.Exit(0)
	}()
	_, _, _ = unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	return 1
}

func TestFDLimitWithoutFirstThread(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), leaderlessEnv+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stdin.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	pid := uint32(cmd.Process.Pid)
	for deadline := time.Now().Add(10 * time.Second); !(FS{}).hasEnded(decimal(pid)); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("its first thread does not end")
		}
	}
	const standard = 3
	if _, used, err := (FS{}).FDLimit(pid); err != nil || used < standard {
		t.Errorf("%d descriptors, %v, want at least %d", used, err, standard)
	}
}

func TestCountFDs(t *testing.T) {
	const zombie, alive = " (a) S) Z 1 10", " (a) Z) S 1 10"
	proc := tree(t, map[string]string{
		"10/stat": "10" + alive, "10/fd/x": "",
		"11/stat": "11" + zombie, "11/fd/x": "", "11/task/11/fd/x": "", "11/task/12/stat": "12" + alive,
		"11/task/12/fd/0": "->/dev/null", "11/task/12/fd/5": "->/dev/null",
		"20/stat": "20" + zombie, "20/fd/x": "", "20/task/20/fd/x": "", "20/task/20/stat": "20" + zombie,
		"30/stat": "30" + zombie, "30/fd/x": "", "30/task/30/fd/x": "", "30/task/31/fd/x": "", "30/task/31/stat": "31" + alive,
		"40/stat": "40" + zombie, "40/fd/x": "", "40/task/41/fd/x": "", "40/task/41/stat": "41" + zombie,
	})
	for _, test := range []struct {
		pid  uint32
		want int
		ok   bool
	}{
		{10, 0, true}, // it lives, and has none
		{11, 2, true},
		{20, 0, false}, // a zombie without another thread
		{30, 0, true},
		{40, 0, false},
	} {
		if got, err := proc.countFDs(test.pid); got != test.want || err == nil != test.ok {
			t.Errorf("%d: %d, %v, want %d", test.pid, got, err, test.want)
		}
	}
}
