package cli

import (
	"path/filepath"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// execC dials, goes on as another program, keeping its descriptors, and leaks there. Compiled with other names for the same
// functions it is that other program, at the same addresses.
const execC = `
#ifdef PAD
__attribute__((used)) int pad(int x) { for (int i = 0; i < x; i++) x += __builtin_popcount(x) * x; return x; }
#endif
int main(int argc, char **argv) {
	char l[12], c[12];
	if (argc == 2 || argc == 3) {
		snprintf(l, sizeof l, "%d", serve());
		snprintf(c, sizeof c, "%d", DIAL());
		if (argc > 2) puts("opened"), fflush(stdout), go_on();
		execl(argv[1], argv[1], l, c, argc > 2 ? argv[2] : "", (char *)0);
		return 1;
	}
	socklen_t n = sizeof to;
	int again = -1, listener = atoi(argv[1]);
	getsockname(listener, (struct sockaddr *)&to, &n);
	if (!strcmp(argv[3], "dial")) again = DIAL();
	puts("opened");
	fflush(stdout);
	go_on();
	leak(listener, atoi(argv[2]));
	if (again >= 0) leak(listener, again);
	return go_on();
}
`

// What a program did, another one did not that the process runs since, at whatever addresses.
func TestPrivilegedCallSiteBeforeExec(t *testing.T) {
	dir, ns := t.TempDir(), nettest.NewNS(t)
	r := watchSites(t, ns)
	for _, tt := range []struct {
		name   string
		first  []string
		second []string
	}{
		{"static, same addresses", []string{"-static", "-no-pie"}, []string{"-static", "-no-pie"}},
		{"not PIE, same addresses", []string{"-no-pie"}, []string{"-no-pie"}},
		{"static, other addresses", []string{"-static", "-no-pie"}, []string{"-static", "-no-pie", "-DPAD"}},
		{"PIE", []string{"-pie", "-fPIE"}, []string{"-pie", "-fPIE"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sub := filepath.Join(dir, t.Name())
			mustMkdir(t, sub)
			first := compileSteps(t, filepath.Join(sub, "first"), execC, append(tt.first, "-DDIAL=first_dial")...)
			second := compileSteps(t, filepath.Join(sub, "second"), execC, append(tt.second, "-DDIAL=second_dial")...)
			t.Run("looked at", func(t *testing.T) {
				p := startLeaker(t, ns, first, second, "keep")
				p.await("opened")
				r.awaitLooks(ns)
				p.tell()
				p.tell()
				if f := r.sitesOf(p.pid(), 1)[0]; !f.has("first_dial") || f.has("second_dial") {
					t.Errorf("call site %q, stack %+v", f.Callsite, f.Frames)
				}
			})
			t.Run("at once", func(t *testing.T) {
				p := startLeaker(t, ns, first, second)
				p.tell()
				if f := r.sitesOf(p.pid(), 1)[0]; f.has("second_dial") {
					t.Errorf("call site %q, stack %+v", f.Callsite, f.Frames)
				}
			})
			t.Run("both", func(t *testing.T) {
				p := startLeaker(t, ns, first, second, "dial")
				p.await("opened")
				r.awaitLooks(ns)
				p.tell()
				p.await("opened")
				r.awaitLooks(ns)
				p.tell()
				sites := r.sitesOf(p.pid(), 2)
				var firsts, seconds int
				for _, f := range sites {
					switch {
					case f.has("first_dial") && !f.has("second_dial"):
						firsts++
					case f.has("second_dial") && !f.has("first_dial"):
						seconds++
					default:
						t.Errorf("call site %q, stack %+v", f.Callsite, f.Frames)
					}
				}
				if firsts != 1 || seconds != 1 {
					t.Errorf("%d of the first program, %d of the second", firsts, seconds)
				}
			})
		})
	}
	r.stop()
}
