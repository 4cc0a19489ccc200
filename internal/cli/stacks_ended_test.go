package cli

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// endedC dials and ends, and its child goes on with the socket.
const endedC = `
int main(int argc, char **argv) {
	int l = serve(), c = DIAL(), ended[2];
	(void)argv;
	if (pipe(ended)) return 1;
	pid_t child = fork();
	if (child == 0) {
		char b;
		close(ended[1]);
		if (read(ended[0], &b, 1) != 0) return 1;
		go_on();
		leak(l, c);
		return go_on();
	}
	printf("child %d\n", child);
	fflush(stdout);
	if (argc > 1) go_on();
	return 0;
}
`

// A socket outlives the process that opened it, by a descriptor of its child.
func TestPrivilegedCallSiteOfEndedProcess(t *testing.T) {
	ns := nettest.NewNS(t)
	r := watchSites(t, ns)
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"looked at", []string{"wait"}},
		{"at once", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			program := compileSteps(t, filepath.Join(t.TempDir(), "parent"), endedC)
			p := startLeaker(t, ns, append([]string{program}, tt.args...)...)
			child, err := strconv.Atoi(p.await("child"))
			if err != nil {
				t.Fatal(err)
			}
			if tt.args != nil {
				r.awaitLooks(ns)
				p.tell()
			}
			if err := p.cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			p.tell()
			f := r.sitesOf(child, 1)[0]
			if named := f.Callsite == "dial_upstream (parent)"; !named && (tt.args != nil || len(f.functions()) > 0) {
				t.Errorf("call site %q, stack %+v", f.Callsite, f.Frames)
			}
		})
	}
	r.stop()
}
