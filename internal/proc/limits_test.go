package proc

import (
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const fakeLimits = "Limit                     Soft Limit           Hard Limit           Units     \n" +
	"Max stack size            8388608              unlimited            bytes     \n" +
	"Max open files            1024                 524288               files     \n"

func TestFDLimit(t *testing.T) {
	proc := tree(t, map[string]string{
		"10/limits": fakeLimits, "10/fd/0": "->/dev/null", "10/fd/17": "->socket:[1]",
		"11/limits": strings.Replace(fakeLimits, "1024     ", "unlimited", 1), "11/stat": "11 (idle) S 1",
		"12/limits": "Max open files\n",
		"13/limits": strings.Replace(fakeLimits, "1024", "-1", 1),
		"14/limits": fakeLimits,
	})
	mustMkdir(t, proc.path("11/fd"))
	tests := []struct {
		pid     uint32
		soft    uint64
		used    int
		refusal string
	}{
		{10, 1024, 2, ""},
		{11, math.MaxUint64, 0, ""},
		{12, 0, 0, "pid 12: unknown format"},
		{13, 0, 0, "pid 13: unknown format"},
		{14, 0, 0, "pid 14: no such process"}, // ended between the two looks
		{15, 0, 0, "pid 15: no such process"},
	}
	for _, test := range tests {
		soft, used, err := proc.FDLimit(test.pid)
		if test.refusal != "" {
			checkRefusal(t, err, test.refusal)
		} else if err != nil || soft != test.soft || used != test.used {
			t.Errorf("FDLimit(%d) = %d, %d, %v, want %d, %d", test.pid, soft, used, err, test.soft, test.used)
		}
	}
}

func TestFDLimitOfThisProcess(t *testing.T) {
	pid := uint32(os.Getpid())
	var want unix.Rlimit
	if err := unix.Prlimit(os.Getpid(), unix.RLIMIT_NOFILE, nil, &want); err != nil {
		t.Fatal(err)
	}
	soft, before, err := FS{}.FDLimit(pid)
	if err != nil || soft != want.Cur {
		t.Errorf("got %d, %v, want %d", soft, err, want.Cur)
	}
	openOf(t, os.DevNull)
	openOf(t, os.DevNull)
	if _, after, err := (FS{}).FDLimit(pid); err != nil || after != before+2 {
		t.Errorf("%d descriptors, %v, want two more than %d", after, err, before)
	}
}

func TestStartTime(t *testing.T) {
	rest := " S 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
	proc := tree(t, map[string]string{
		"10/stat": "10 (sshd)" + rest + "12345 999 0\n",
		"11/stat": "11 (" + nastyComm + ")" + rest + "7 999 0\n",
		"12/stat": "12 (sshd)" + rest + "\n",
		"13/stat": "13 (sshd)" + rest + "-1 0\n",
		"14/stat": "14 (sshd)" + rest + "18446744073709551615 0\n",
		"15/stat": "",
	})
	for pid, want := range map[uint32]time.Duration{10: 123450 * time.Millisecond, 11: 70 * time.Millisecond} {
		if got, err := proc.StartTime(pid); err != nil || got != want {
			t.Errorf("StartTime(%d) = %v, %v, want %v", pid, got, err, want)
		}
	}
	for _, pid := range []uint32{12, 13, 14, 15} {
		_, err := proc.StartTime(pid)
		checkRefusal(t, err, "unknown format")
	}
	if _, err := proc.StartTime(99); !errors.Is(err, ErrNoProcess) {
		t.Errorf("StartTime(99): %v", err)
	}
}

// This process began before now, and not long ago as tests go.
func TestStartTimeOfThisProcess(t *testing.T) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		t.Fatal(err)
	}
	got, err := FS{}.StartTime(uint32(os.Getpid()))
	if age := time.Duration(now.Nano()) - got; err != nil || age < 0 || age > time.Hour {
		t.Errorf("began %v ago, %v", age, err)
	}
}

func FuzzParseStartTime(f *testing.F) {
	f.Add("10 (sshd) S 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 999 0\n")
	f.Add(")")
	f.Fuzz(func(t *testing.T, stat string) {
		if got, ok := parseStartTime([]byte(stat)); got < 0 || !ok && got != 0 {
			t.Errorf("%q: %v, %v", stat, got, ok)
		}
	})
}

func FuzzParseFDLimit(f *testing.F) {
	f.Add(fakeLimits)
	f.Add("Max open files ")
	f.Fuzz(func(t *testing.T, text string) {
		if soft, ok := parseFDLimit([]byte(text)); ok && !strings.Contains(text, "Max open files ") {
			t.Errorf("%q: %d", text, soft)
		}
	})
}
