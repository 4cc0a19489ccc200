package proc

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeCgroups has cgroup2 at unified and a v1 hierarchy at memory, both below the returned directory.
func fakeCgroups(tb testing.TB, root, self string) (proc FS, dir string) {
	tb.Helper()
	dir = tb.TempDir()
	unified, memory := filepath.Join(dir, "unified"), filepath.Join(dir, "memory")
	proc = tree(tb, map[string]string{
		"self/mountinfo": "39 31 0:36 / " + memory + " rw - cgroup none rw,memory\n" +
			"41 31 0:38 " + root + " " + unified + " rw - cgroup2 none rw\n",
		"self/cgroup": "4:memory:/user\n1:name=systemd:/x\n0::" + self + "\n",
	})
	proc.fsType = typedDirs(map[string]int64{
		unified: unix.CGROUP2_SUPER_MAGIC,
		memory:  unix.CGROUP_SUPER_MAGIC,
	})
	for _, path := range []string{"unified/system.slice/ssh.service", "unified/123", "memory/system.slice", "memory/user"} {
		mustMkdir(tb, filepath.Join(dir, path))
	}
	if err := os.WriteFile(filepath.Join(unified, "cgroup.procs"), nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	return proc, dir
}

func TestCgroup(t *testing.T) {
	proc, dir := fakeCgroups(t, "/", "/system.slice")
	unified := filepath.Join(dir, "unified")
	top, slice := mustMkdir(t, unified), mustMkdir(t, unified+"/system.slice")
	service, digits := mustMkdir(t, unified+"/system.slice/ssh.service"), mustMkdir(t, unified+"/123")
	memory := mustMkdir(t, dir+"/memory")
	tests := []struct {
		name, arg string
		want      uint64
		refusal   string
	}{
		{"self", "self", slice, ""},
		{"path of the system", unified + "/system.slice", slice, ""},
		{"unclean path", unified + "/system.slice/../system.slice/", slice, ""},
		{"path from the mount", "/system.slice/ssh.service", service, ""},
		{"without the slash", "system.slice/ssh.service", service, ""},
		{"root", "/", top, ""},
		{"name of digits", "/123", digits, ""},
		{"id", strconv.FormatUint(service, 10), service, ""},
		{"id of the root", strconv.FormatUint(top, 10), top, ""},
		{"id of a v1 directory", strconv.FormatUint(memory, 10), 0, "no cgroup has this id|" + unified},
		{"zero", "0", 0, "not an id|give self, the path"},
		{"too great", "18446744073709551616", 0, "not an id"},
		{"empty", "", 0, "give self, the path of a directory in " + unified + "|stat -c %i"},
		{"no such path", "/user.slice", 0, `cgroup "/user.slice": no such directory: give self`},
		{"no such path of the system", unified + "/user.slice", 0, "no such directory|" + unified},
		{"out of the tree", "../../memory", 0, "no such directory"},
		{"elsewhere", "/proc", 0, "no such directory|" + unified},
		{"a file", "/cgroup.procs", 0, "a file: give its directory, " + unified},
		{"through a file", "/cgroup.procs/x", 0, "no such directory"},
		{"v1 with a twin", dir + "/memory/system.slice", 0, "a cgroup v1|give " + unified + "/system.slice"},
		{"v1 without a twin", dir + "/memory/user", 0, "a cgroup v1|give self, the path of a directory in " + unified},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := proc.Cgroup(test.arg)
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

func TestCgroupOfPartialMount(t *testing.T) {
	// As in a container: of the cgroup file system only /docker/abc is mounted.
	proc, dir := fakeCgroups(t, "/docker/abc", "/docker/abc/system.slice")
	slice := mustMkdir(t, dir+"/unified/system.slice")
	for _, arg := range []string{"self", "/docker/abc/system.slice", "/system.slice"} {
		if got, err := proc.Cgroup(arg); err != nil || got != slice {
			t.Errorf("Cgroup(%q) = %d, %v, want %d", arg, got, err, slice)
		}
	}
}

func TestCgroupOfSelfRefused(t *testing.T) {
	tests := []struct{ name, root, self, want string }{
		{"outside of a partial mount", "/docker/abc", "/docker/def", "/docker/def|/docker/abc"},
		{"outside of the cgroup namespace", "/", "/../other", "/../other"},
		{"mount from outside of the cgroup namespace", "/../..", "/", "/../.."},
		{"removed", "/", "/gone (deleted)", "no such file"},
		{"no cgroup v2", "/", "", "has no cgroup v2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			proc, _ := fakeCgroups(t, test.root, test.self)
			_, err := proc.Cgroup("self")
			checkRefusal(t, err, test.want)
		})
	}
}

func TestCgroupChoosesTheMount(t *testing.T) {
	dir := t.TempDir()
	covered, partial, whole := dir+"/covered", dir+"/partial", dir+"/whole"
	want := mustMkdir(t, whole)
	mustMkdir(t, covered)
	mustMkdir(t, partial)
	lines := ""
	for _, line := range [][2]string{
		{"/", covered}, {"/x", partial}, {"/", whole}, {"/y", partial}, {"/", dir + "/gone"},
	} {
		lines += "1 2 0:38 " + line[0] + " " + line[1] + " rw - cgroup2 none rw\n"
	}
	proc := tree(t, map[string]string{"self/mountinfo": lines})
	proc.fsType = typedDirs(map[string]int64{partial: unix.CGROUP2_SUPER_MAGIC, whole: unix.CGROUP2_SUPER_MAGIC})
	if got, err := proc.Cgroup("/"); err != nil || got != want {
		t.Errorf("got %d, %v, want %d", got, err, want)
	}
}

func TestCgroupWithoutMount(t *testing.T) {
	_, err := tree(t, map[string]string{"self/mountinfo": "39 31 0:36 / /c rw - cgroup none rw,memory\n"}).Cgroup("/x")
	checkRefusal(t, err, "cgroup2 is not mounted|mount -t cgroup2")
	_, err = tree(t, nil).Cgroup("/x")
	checkRefusal(t, err, "read mounts")
}

func FuzzParseCgroup(f *testing.F) {
	f.Add("0::/\n")
	f.Add("1:name=systemd:/x\n0::/system.slice/a b\n")
	f.Fuzz(func(t *testing.T, text string) {
		if path, ok := parseCgroup(text); ok && !filepath.IsAbs(path) {
			t.Errorf("found %q in %q", path, text)
		}
	})
}
