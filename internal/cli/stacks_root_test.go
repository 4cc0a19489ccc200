package cli

import (
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

const leakMain = `int main(void) { int l = serve(), c = DIAL(); __asm__ volatile(""); leak(l, c); return go_on(); }`

// dialLine is the line of connect() in leakStepsC.
func dialLine() int {
	before, _, _ := strings.Cut(leakStepsC, "\tconnect(c,")
	return strings.Count(before, "\n") + 1
}

// inContainer is a shell script that makes a root of its own, with a program and what else is there, and runs the program:
// directory for the root, directory with what is there, program as seen from the root.
const inContainer = `mount -t tmpfs none "$1"; cp -a "$2/." "$1"; mkdir "$1/old"; cd "$1"; pivot_root . old; exec "$3"`

// startContained starts a program that is in a directory with the files of its root.
func startContained(t *testing.T, ns *nettest.NS, files, program string) *leaker {
	t.Helper()
	unshare := mustTool(t, "unshare", "util-linux")
	return startLeaker(t, ns, unshare, "--mount", "--propagation", "private", "sh", "-ec", inContainer, "sh", t.TempDir(), files, program)
}

// The path of a program in a container means another file outside, or none.
func TestPrivilegedCallSiteInContainer(t *testing.T) {
	dir, ns := t.TempDir(), nettest.NewNS(t)
	r := watchSites(t, ns)
	for _, name := range []string{"no such path", "another program"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")) // in both roots
			files := t.TempDir()
			mustMkdir(t, filepath.Dir(filepath.Join(files, path)))
			compileSteps(t, filepath.Join(files, path), leakMain, "-static", "-no-pie", "-DDIAL=contained_dial")
			if name != "no such path" {
				compileSteps(t, path, leakMain, "-static", "-no-pie", "-DDIAL=outside_dial")
			}
			f := r.sitesOf(startContained(t, ns, files, path).pid(), 1)[0]
			if f.Callsite != "contained_dial ("+filepath.Base(path)+")" {
				t.Errorf("call site %q, stack %+v", f.Callsite, f.Frames)
			}
		})
	}
	r.stop()
}

// debugPath returns where the debugging data of a program is looked for, in a root.
func debugPath(t *testing.T, program string) string {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	note := file.Section(".note.gnu.build-id")
	if note == nil {
		t.Fatalf("%s has no build id", program)
	}
	data, err := note.Data()
	if err != nil || len(data) < 20 {
		t.Fatalf("build id %x, %v", data, err)
	}
	id := hex.EncodeToString(data[16:]) // behind the header and "GNU"
	return filepath.Join("/usr/lib/debug/.build-id", id[:2], id[2:]+".debug")
}

// Debugging data is found by build id, in the program's root and in ours, and no other program's is believed.
func TestPrivilegedCallSiteByBuildID(t *testing.T) {
	strip, objcopy := mustTool(t, "strip", "binutils"), mustTool(t, "objcopy", "binutils")
	ns := nettest.NewNS(t)
	r := watchSites(t, ns)
	for _, tt := range []struct {
		name               string
		contained, outside bool // where the program is, and where the file
		right              bool // it is the program's
		owner              int
	}{
		{"outside", false, true, true, 0},
		{"outside, another's", false, true, false, 0},
		{"container", true, false, true, 0},
		{"container, another's", true, false, false, 0},
		{"container, another user's", true, false, true, 65534},
		{"container, file outside", true, true, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, files := t.TempDir(), t.TempDir()
			program := compileSteps(t, filepath.Join(files, "server"), leakMain, "-g", "-static", "-Wl,--build-id")
			other := compileSteps(t, filepath.Join(dir, "other"), leakMain, "-g", "-static", "-Wl,--build-id", "-DDIAL=other_dial")
			path := debugPath(t, program)
			place := filepath.Join(files, path)
			if tt.outside {
				place = path
				t.Cleanup(func() {
					os.Remove(path)
					os.Remove(filepath.Dir(path)) // unless there are others
				})
			}
			mustMkdir(t, filepath.Dir(place))
			from := other
			if tt.right {
				from = program
			}
			build(t, dir, nil, objcopy, "--only-keep-debug", from, place)
			build(t, dir, nil, strip, program)
			if err := os.Chown(place, tt.owner, tt.owner); err != nil {
				t.Fatal(err)
			}
			var p *leaker
			if tt.contained {
				p = startContained(t, ns, files, "/server")
			} else {
				p = startLeaker(t, ns, program)
			}
			f := r.sitesOf(p.pid(), 1)[0]
			want := fmt.Sprintf("dial_upstream (server.c:%d)", dialLine())
			believed := tt.right && tt.owner == 0
			if believed && f.Callsite != want || !believed && (!strings.Contains(f.Callsite, "server+0x") || len(f.functions()) > 0) {
				t.Errorf("call site %q, want %s: %v; stack %+v", f.Callsite, want, believed, f.Frames)
			}
		})
	}
	r.stop()
}
