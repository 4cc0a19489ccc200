package proc

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// nastyComm is what a process may call itself to be taken for another.
const nastyComm = "a) S 1 (b\n1 (x)"

func fakeProcesses(tb testing.TB) FS {
	return tree(tb, map[string]string{
		"10/status": "Name:\tsshd\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t10\nNgid:\t0\nPid:\t10\n",
		"10/stat":   "10 (sshd) S 1 10 10 0 -1\n",
		"11/status": "Name:\tsshd\nTgid:\t10\nPid:\t11\n",
		"11/stat":   "11 (worker) S 1 10 10 0 -1\n",
		"12/status": "Name:\ta) S 1 (b\\n1 (x)\nTgid:\t12\n",
		"12/stat":   "12 (" + nastyComm + ") R 1 12 12 0 -1\n",
		"13/status": "Name:\tTgid:\\t1\n",
		"13/stat":   "13 sshd S 1\n",
		"14/status": "Tgid:\tx\n",
	})
}

func TestPID(t *testing.T) {
	proc := fakeProcesses(t)
	tests := []struct {
		arg     string
		want    uint32
		refusal string
	}{
		{"10", 10, ""},
		{"12", 12, ""},
		{"11", 0, "pid 11: this is a thread of process 10: give 10"},
		{"99", 0, "pid 99: no such process|ps -e"},
		{"13", 0, "unknown format"},
		{"14", 0, "unknown format"},
		{"0", 0, "from 1 to 4194303"},
		{"4194304", 0, "from 1 to 4194303"},
		{"99999999999999999999", 0, "from 1 to 4194303"},
		{"-1", 0, "from 1 to 4194303"},
		{"+10", 0, "from 1 to 4194303"},
		{"", 0, "from 1 to 4194303"},
		{"sshd\x1b[31m\n", 0, `"sshd\x1b[31m\n"|from 1 to 4194303`},
	}
	for _, test := range tests {
		got, err := proc.PID(test.arg)
		if test.refusal != "" {
			checkRefusal(t, err, test.refusal)
		} else if err != nil || got != test.want {
			t.Errorf("PID(%q) = %d, %v, want %d", test.arg, got, err, test.want)
		}
	}
	if _, err := proc.PID("99"); !errors.Is(err, ErrNoProcess) {
		t.Errorf("PID(99): %v is not ErrNoProcess", err)
	}
}

func TestExists(t *testing.T) {
	proc := fakeProcesses(t)
	for pid, want := range map[uint32]bool{0: false, 10: true, 11: false, 12: true, 14: false, 99: false} {
		if got := proc.Exists(pid); got != want {
			t.Errorf("Exists(%d) = %v", pid, got)
		}
	}
}

func TestComm(t *testing.T) {
	proc := fakeProcesses(t)
	for pid, want := range map[uint32]string{10: "sshd", 11: "worker", 12: nastyComm} {
		if got, err := proc.Comm(pid); err != nil || got != want {
			t.Errorf("Comm(%d) = %q, %v, want %q", pid, got, err, want)
		}
	}
	_, err := proc.Comm(13)
	checkRefusal(t, err, "unknown format")
	if _, err := proc.Comm(99); !errors.Is(err, ErrNoProcess) {
		t.Errorf("Comm(99): got %v", err)
	}
}

func TestThisProcess(t *testing.T) {
	runtime.LockOSThread() // the thread is thrown away with its name
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(cString(t, nastyComm[:15])), 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	var proc FS
	if got, err := proc.Comm(uint32(unix.Gettid())); err != nil || got != nastyComm[:15] {
		t.Errorf("Comm = %q, %v, want %q", got, err, nastyComm[:15])
	}
	if pid := uint32(os.Getpid()); !proc.Exists(pid) {
		t.Errorf("process %d does not exist", pid)
	}
	if unix.Gettid() != os.Getpid() {
		_, err := proc.PID(decimal(uint32(unix.Gettid())))
		checkRefusal(t, err, "a thread of process "+decimal(uint32(os.Getpid())))
	}
}

func FuzzParseComm(f *testing.F) {
	f.Add("sshd", " S 1 10 10 0 -1\n")
	f.Add(nastyComm, " R 0\n")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, comm, rest string) {
		parseComm([]byte(comm)) // whatever it is
		if strings.ContainsAny(rest, ")") {
			return // the kernel writes none behind the name
		}
		got, ok := parseComm([]byte("1 (" + comm + ")" + rest))
		if !ok || string(got) != comm {
			t.Errorf("got %q, %v, want %q", got, ok, comm)
		}
	})
}

func FuzzParseThreadGroup(f *testing.F) {
	f.Add("Name:\tx\nTgid:\t10\n")
	f.Add("Tgid:")
	f.Fuzz(func(t *testing.T, text string) {
		if pid, ok := parseThreadGroup([]byte(text)); ok && !strings.Contains(text, "Tgid:") {
			t.Errorf("found %d in %q", pid, text)
		}
	})
}
