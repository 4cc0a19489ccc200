package proc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const fakeMounts = "22 27 0:21 / /proc rw - proc none rw\n" +
	"50 27 0:4 net:[4026532005] /run/docker/netns/x rw shared:1 - nsfs none rw\n" +
	"51 27 0:4 mnt:[4026532006] /run/snapd/ns/y.mnt rw - nsfs none rw\n"

func fakeNamespaces(tb testing.TB) FS {
	proc := tree(tb, map[string]string{
		"self/mountinfo":       fakeMounts,
		"thread-self/ns/net":   "->net:[4026532001]",
		"10/ns/net":            "->net:[4026532002]",
		"10/task/10/ns/net":    "->net:[4026532002]",
		"10/task/11/ns/net":    "->net:[4026532003]",
		"10/status":            "Tgid:\t10\n",
		"20/status":            "Tgid:\t20\n", // a zombie: no namespace
		"20/task/20/status":    "Tgid:\t20\n",
		"30/ns/net":            "->gibberish",
		"sys/task/9/ns/net":    "->net:[4026532099]", // not a process
		"10/task/x/ns/net":     "->net:[4026532098]", // not a thread
		"10/task/11/ns/mnt":    "->mnt:[4026532097]",
		"meminfo":              "MemTotal: 1 kB\n",
		"irq/10/task/1/ns/net": "->net:[4026532096]",
	})
	proc.netnsDirs = []string{filepath.Join(proc.Root, "no such directory"), tb.TempDir()}
	if err := os.WriteFile(filepath.Join(proc.netnsDirs[1], "leftover"), nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	return proc
}

func TestNetNS(t *testing.T) {
	proc := fakeNamespaces(t)
	tests := []struct {
		name, arg string
		want      uint32
		refusal   string
	}{
		{"self", "self", 4026532001, ""},
		{"pid", "10", 4026532002, ""},
		{"inode of a process", "4026532002", 4026532002, ""},
		{"inode of a thread", "net:[4026532003]", 4026532003, ""},
		{"inode of a mount", "4026532005", 4026532005, ""},
		{"no such pid", "99", 0, `network namespace "99"|no such process`},
		{"highest pid", "4194303", 0, "no such process"},
		{"lowest inode", "4194304", 0, "no process is in a namespace of this inode number|lsns -t net"},
		{"zombie", "20", 0, "is ending"},
		{"unknown link", "30", 0, "unknown format"},
		{"no such inode", "4026532004", 0, "no process is in a namespace of this inode number|lsns -t net"},
		{"no such inode in brackets", "net:[4026532004]", 0, "lsns -t net"},
		{"inode of another type of namespace", "4026532006", 0, "lsns -t net"},
		{"what is no process", "4026532096", 0, "lsns -t net"},
		{"what is no thread", "4026532098", 0, "lsns -t net"},
		{"zero", "0", 0, "neither a pid (up to 4194303) nor an inode number (up to 4294967295)"},
		{"too great", "4294967296", 0, "neither a pid"},
		{"far too great", "99999999999999999999", 0, "neither a pid"},
		{"negative", "-1", 0, "no such name|give self, a pid"},
		{"another type in brackets", "mnt:[4026532006]", 0, "no such name|give self, a pid"},
		{"open bracket", "net:[4026532003", 0, "no such name"},
		{"empty", "", 0, "give self, a pid"},
		{"dots", "..", 0, "give self, a pid"},
		{"no such name", "blue\x1b[31m\n", 0, `"blue\x1b[31m\n"|no such name in|"ip netns"`},
		{"leftover of a name", "leftover", 0, "not a namespace file|give self, a pid"},
		{"no such path", "/run/netns/no/such", 0, "no such file|give self, a pid"},
		{"path through a file", "/etc/passwd/x", 0, "no such file|give self, a pid"},
		{"path of a file", "/etc/passwd", 0, "not a namespace file|/proc/PID/ns/net"},
		{"path of a directory", "/proc/self/ns", 0, "not a namespace file"},
		{"path of another type", "/proc/self/ns/mnt", 0, "a namespace of type mnt: give one of type net"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := proc.NetNS(test.arg)
			if test.refusal != "" {
				checkRefusal(t, err, test.refusal)
				if got != 0 {
					t.Errorf("refused, yet returned %d", got)
				}
			} else if err != nil || got != test.want {
				t.Errorf("got %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

func TestNetNSWithoutMounts(t *testing.T) {
	_, err := tree(t, map[string]string{"10/ns/net": "->net:[4026532001]"}).NetNS("4026532001")
	checkRefusal(t, err, "read mounts")
}

func TestNetNSOfClosedProcess(t *testing.T) {
	const mayTrace, mayNot = "CapEff:\t0000000000080000\n", "CapEff:\t000000c000000000\n"
	tests := []struct{ name, status, arg, refusal string }{
		{"pid", mayNot, "40", "not allowed to look at this process|CAP_SYS_PTRACE"},
		{"inode that nobody is seen in", mayNot, "4026532004", ""},
		{"the same, with the capability", mayTrace, "4026532004", "lsns -t net"},
		{"the same, with capabilities unknown", "CapEff:\tx\n", "4026532004", ""},
		{"the same, without status", "", "4026532004", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{
				"self/mountinfo": fakeMounts, "40/ns/net": "->net:[4026532001]", "40/task/40/ns/net": "->net:[4026532001]",
			}
			if test.status != "" {
				files["thread-self/status"] = test.status
			}
			proc := tree(t, files)
			mustChmod(t, filepath.Dir(proc.Root), 0o755) // temporary directories are closed to others
			for _, dir := range []string{"40/ns", "40/task/40/ns"} {
				mustChmod(t, proc.path(dir), 0)
			}
			_, err := asNobody(t, func() (uint32, error) { return proc.NetNS(test.arg) })
			if test.refusal != "" {
				checkRefusal(t, err, test.refusal)
			} else if err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

func TestNetNSOfThisProcess(t *testing.T) {
	want, err := inode("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(os.Getpid())
	number := strconv.FormatUint(want, 10)
	for _, arg := range []string{
		"self", pid, "/proc/self/ns/net", "/proc/" + pid + "/ns/net", number, "net:[" + number + "]",
	} {
		if got, err := (FS{}).NetNS(arg); err != nil || uint64(got) != want {
			t.Errorf("NetNS(%q) = %d, %v, want %d", arg, got, err, want)
		}
	}
}

func FuzzNetNS(f *testing.F) {
	proc := fakeNamespaces(f)
	for _, arg := range []string{
		"self", "10", "4026532002", "net:[4026532003]", "leftover", "a/b", "", "net:[", "mnt:[1]", "٣",
	} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		if strings.Contains(arg, "/") {
			return // not into the real file system
		}
		inode, err := proc.NetNS(arg)
		if (inode == 0) != (err != nil) {
			t.Errorf("NetNS(%q) = %d, %v", arg, inode, err)
		}
	})
}
