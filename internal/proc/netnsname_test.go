package proc

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mountedNS is an entry of a fake mountinfo: a file that stands for a namespace which is mounted there.
type mountedNS struct {
	path   string // below the directory that fakeMountedNS returns
	number uint32 // 0: the inode number of the file at path, as if it was a namespace file
	fsType string // nsfs when empty
}

// fakeMountedNS makes the files and a proc file system that says that namespaces are mounted on them, with dir/netns for
// ip netns.
func fakeMountedNS(tb testing.TB, files map[string]string, mounts []mountedNS) (proc FS, dir string) {
	tb.Helper()
	dir = tb.TempDir()
	escape := strings.NewReplacer(" ", `\040`, "\n", `\012`)
	var lines strings.Builder
	for _, m := range mounts {
		path := filepath.Join(dir, m.path)
		mustMkdir(tb, filepath.Dir(path))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			tb.Fatal(err)
		}
		number := uint64(m.number)
		if number == 0 {
			number = mustInode(tb, path)
		}
		fsType := m.fsType
		if fsType == "" {
			fsType = "nsfs"
		}
		fmt.Fprintf(&lines, "50 27 0:4 net:[%d] %s rw - %s none rw\n", number, escape.Replace(path), fsType)
	}
	all := maps.Clone(files)
	if all == nil {
		all = make(map[string]string)
	}
	all["self/mountinfo"] = lines.String() +
		"51 27 0:4 mnt:[4026532006] /run/snapd/ns/y.mnt rw - nsfs none rw\n" +
		"51 27 0:4 net:[] / rw - nsfs none rw\n" +
		"52 27 0:4 net:[4026532007] /no/such/path rw - nsfs none rw\n"
	proc = tree(tb, all)
	proc.netnsDirs = []string{filepath.Join(dir, "netns"), filepath.Join(dir, "old")}
	return proc, dir
}

func mustInode(tb testing.TB, path string) uint64 {
	tb.Helper()
	number, err := inode(path)
	if err != nil {
		tb.Fatal(err)
	}
	return number
}

func TestNetNSNames(t *testing.T) {
	proc, dir := fakeMountedNS(t, nil, []mountedNS{
		{path: "docker/1ab2c3d4e5f6"},
		{path: "netns/blue"},
		{path: "netns/evil\x1b[31m\n name"},
		{path: "netns/a/deep"},
		{path: "old/fashioned"},
		{path: "netns/covered", number: 4026532001},
		{path: "netns/other", fsType: "tmpfs"},
	})
	number := func(path string) uint32 { return uint32(mustInode(t, filepath.Join(dir, path))) }
	want := map[uint32]string{
		number("docker/1ab2c3d4e5f6"):       dir + "/docker/1ab2c3d4e5f6",
		number("netns/blue"):                "blue",
		number("netns/evil\x1b[31m\n name"): "evil\x1b[31m\n name",
		number("netns/a/deep"):              dir + "/netns/a/deep",
		number("old/fashioned"):             "fashioned",
	}
	if got, err := proc.NetNSNames(); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestNetNSNamesPrefersIPNetNS(t *testing.T) {
	proc, dir := fakeMountedNS(t, nil, nil)
	first := filepath.Join(dir, "first")
	if err := os.WriteFile(first, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	number := mustInode(t, first)
	mustMkdir(t, dir+"/netns")
	lines := ""
	for _, path := range []string{"first", "second", "netns/blue", "netns/green", "third"} {
		path = filepath.Join(dir, path)
		if path != first {
			if err := os.Link(first, path); err != nil { // one inode with several names, as namespaces have
				t.Fatal(err)
			}
		}
		lines += fmt.Sprintf("50 27 0:4 net:[%d] %s rw - nsfs none rw\n", number, path)
	}
	check := func(lines, want string) {
		t.Helper()
		if err := os.WriteFile(proc.path("self", "mountinfo"), []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := proc.NetNSNames(); err != nil || len(got) != 1 || got[uint32(number)] != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	check(lines, "blue")
	check(strings.ReplaceAll(lines, dir+"/netns", dir+"/elsewhere"), first)
}

func TestNetNSNamesWithoutMounts(t *testing.T) {
	_, err := tree(t, nil).NetNSNames()
	checkRefusal(t, err, "read mounts")
	_, err = tree(t, nil).NetNSMounts()
	checkRefusal(t, err, "read mounts")
}

// A name in a directory that is closed to us is still a name; whether it can be opened is another question.
func TestNetNSNamesOfClosedMounts(t *testing.T) {
	proc, dir := fakeMountedNS(t, nil, []mountedNS{{path: "docker/a"}})
	number := uint32(mustInode(t, dir+"/docker/a"))
	mustChmod(t, filepath.Dir(proc.Root), 0o755) // temporary directories are closed to others
	mustChmod(t, dir+"/docker", 0)
	names, err := asNobody(t, proc.NetNSNames)
	if err != nil || names[number] != dir+"/docker/a" {
		t.Errorf("got %v, %v", names, err)
	}
	list, err := asNobody(t, proc.NetNSMounts)
	if want := []NetNS{{number, dir + "/docker/a"}}; err != nil || !slices.Equal(list, want) {
		t.Errorf("got %+v, %v, want %+v", list, err, want)
	}
}
