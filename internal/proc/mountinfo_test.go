package proc

import (
	"strings"
	"testing"
)

func TestParseMount(t *testing.T) {
	tests := []struct {
		name, line string
		want       mount
		ok         bool
	}{
		{"plain", "22 27 0:21 / /proc rw,relatime - proc none rw", mount{"/", "/proc", "proc"}, true},
		{"one optional field", "1 2 8:1 / /a rw shared:2 - ext4 /dev/sda rw", mount{"/", "/a", "ext4"}, true},
		{"two optional fields", "1 2 8:1 /x /a rw shared:2 master:1 - ext4 /dev/sda rw", mount{"/x", "/a", "ext4"}, true},
		{
			"namespace", "1 2 0:4 net:[4026532178] /run/netns/a rw shared:1 - nsfs none rw",
			mount{"net:[4026532178]", "/run/netns/a", "nsfs"},
			true,
		},
		{"escapes", `1 2 0:4 / /a\040b\011c\012d\134e\043f rw - tmpfs none rw`, mount{"/", "/a b\tc\nd\\e#f", "tmpfs"}, true},
		{"no escape", `1 2 0:4 / /a\04 rw - tmpfs none rw`, mount{"/", `/a\04`, "tmpfs"}, true},
		{"above the cgroup namespace", "1 2 0:4 /../.. /c rw - cgroup2 cgroup rw", mount{"/../..", "/c", "cgroup2"}, true},
		{"empty source", "1 2 0:4 / /c rw - tmpfs  rw", mount{"/", "/c", "tmpfs"}, true},
		{"no hyphen", "1 2 0:4 / /c rw cgroup2 cgroup rw", mount{}, false},
		{"too few fields", "1 2 0:4 / /c - cgroup2 cgroup rw", mount{}, false},
		{"nothing after the hyphen", "1 2 0:4 / /c rw - cgroup2", mount{}, false},
		{"empty", "", mount{}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := parseMount(test.line)
			if ok != test.ok || ok && got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, ok, test.want)
			}
		})
	}
}

func TestUnder(t *testing.T) {
	tests := []struct {
		dir, path, want string
		ok              bool
	}{
		{"/", "/a/b", "a/b", true},
		{"/", "/", "", true},
		{"/a", "/a", "", true},
		{"/a", "/a/b", "b", true},
		{"/a", "/ab", "", false},
		{"/a/b", "/a", "", false},
		{"/..", "/a", "", false},
		{"/", "/../a", "", false},
	}
	for _, test := range tests {
		got, ok := under(test.dir, test.path)
		if ok != test.ok || ok && got != test.want {
			t.Errorf("under(%q, %q) = %q, %v, want %q, %v", test.dir, test.path, got, ok, test.want, test.ok)
		}
	}
}

func TestMountsOfThisProcess(t *testing.T) {
	mounts, err := FS{}.mounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		if m.point == "/proc" && m.fsType == "proc" {
			return
		}
	}
	t.Errorf("no /proc in %+v", mounts)
}

// FuzzParseMount escapes two names as the kernel does and wants them back.
func FuzzParseMount(f *testing.F) {
	f.Add("/", "/sys/fs/cgroup", "rw - tmpfs none rw")
	f.Add("0", "-", "0")
	f.Add("net:[4026532178]", "/run/my netns\\040", "")
	escape := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`, "#", `\043`)
	f.Fuzz(func(t *testing.T, root, point, junk string) {
		parseMount(junk) // whatever it is
		if root == "" || point == "" {
			return
		}
		names := escape.Replace(root) + " " + escape.Replace(point)
		got, ok := parseMount("1 2 0:4 " + names + " rw shared:1 - cgroup2 none rw")
		if want := (mount{root, point, "cgroup2"}); !ok || got != want {
			t.Errorf("got %+v, %v, want %+v", got, ok, want)
		}
	})
}
