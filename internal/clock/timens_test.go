package clock

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childEnv tells a test binary that runs itself to print At(0) instead of running tests.
const childEnv = "TCPTRAIL_CLOCK_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	w, err := New()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(w.At(0), w.ahead)
}

func TestParseOffsets(t *testing.T) {
	tests := []struct {
		name, text string
		want       int64
		bad        bool
	}{
		{"first namespace", "boottime           0         0\nmonotonic            0         0\n", 0, false},
		{"ahead", "boottime  -5 0\nmonotonic         1000 500000000\n", 1000*second + second/2, false},
		{"behind by 1.5 s", "boottime 0 0\nmonotonic -2 500000000\n", -3 * second / 2, false},
		{"no monotonic", "boottime 7 0\n", 0, false},
		{"empty", "", 0, false},
		{"no number", "monotonic x 0\n", 0, true},
		{"no nanoseconds", "monotonic 1 x\n", 0, true},
		{"short", "monotonic 1\n", 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseOffsets(test.text)
			if got != test.want || (err != nil) != test.bad {
				t.Errorf("got %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

func FuzzParseOffsets(f *testing.F) {
	f.Add("boottime 0 0\nmonotonic 1000 5\n")
	f.Add("monotonic -1 999999999")
	f.Fuzz(func(t *testing.T, text string) {
		if offset, err := parseOffsets(text); err != nil && offset != 0 {
			t.Errorf("an error and %d", offset)
		}
	})
}

func TestTimeNamespaceOffset(t *testing.T) {
	const offsets = "boottime 0 0\nmonotonic 1000 0\n"
	tests := []struct {
		name, own, children, offsets string
		want                         int64
	}{
		{"own is what children get", "time:[7]", "time:[7]", offsets, 1000 * second},
		{"unshared and not forked since", "time:[7]", "time:[8]", offsets, 0},
		{"no time namespaces", "", "", offsets, 0},
		{"no offsets", "time:[7]", "time:[7]", "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			process := t.TempDir()
			links := map[string]string{"ns/time": test.own, "ns/time_for_children": test.children}
			if err := os.Mkdir(filepath.Join(process, "ns"), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, target := range links {
				if target == "" {
					continue
				}
				if err := os.Symlink(target, filepath.Join(process, name)); err != nil {
					t.Fatal(err)
				}
			}
			if test.offsets != "" {
				if err := os.WriteFile(filepath.Join(process, "timens_offsets"), []byte(test.offsets), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := timeNamespaceOffset(process); got != test.want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, test.want)
			}
		})
	}
}

func TestTimeNamespaceOffsetUnreadable(t *testing.T) {
	process := t.TempDir()
	if err := errors.Join(os.Mkdir(process+"/ns", 0o755), os.Symlink("time:[7]", process+"/ns/time"),
		os.Symlink("time:[7]", process+"/ns/time_for_children"), os.Mkdir(process+"/timens_offsets", 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := timeNamespaceOffset(process); !errors.Is(err, unix.EISDIR) {
		t.Errorf("got %v, want %v", err, unix.EISDIR)
	}
}

func TestPrivilegedTimeNamespace(t *testing.T) {
	if _, err := os.Stat("/proc/self/timens_offsets"); err != nil {
		t.Skip("this kernel has no time namespaces") // CONFIG_TIME_NS: nothing to do with BPF
	}
	outside, err := New()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--time", "--monotonic", "100000", "--fork", binary)
	cmd.Env, cmd.Stderr = append(os.Environ(), childEnv+"=1"), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var inside, ahead int64
	if _, err := fmt.Fscan(strings.NewReader(string(out)), &inside, &ahead); err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	if ahead != 100000*second {
		t.Errorf("the child found itself %d ns ahead", ahead)
	}
	if apart := time.Duration(inside - outside.At(0)).Abs(); apart > 10*time.Millisecond {
		t.Errorf("boot is %s apart inside and outside the namespace", apart)
	}
}
