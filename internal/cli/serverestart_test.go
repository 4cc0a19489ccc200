package cli

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// With --pin a daemon that is killed takes no age with it.
func TestPrivilegedServeSurvivesARestart(t *testing.T) {
	bpffs := t.TempDir()
	if err := syscall.Mount("bpf", bpffs, "bpf", 0, "mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(bpffs, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	// There, in place of the host's, the daemon keeps what it knows.
	command := func() *exec.Cmd {
		return exec.Command("unshare", "--mount", "sh", "-c", `mount --bind "$0" /sys/fs/bpf && exec "$@"`, bpffs, mustBinary(t))
	}
	ns := nettest.NewNS(t)
	server, client := nettest.StartActor(t, ns, "server"), nettest.StartActor(t, ns, "client")
	r, _ := startServeBy(t, command(), "--pin")
	l := server.Listen(nettest.Loopback4(0), 8)
	c, a := client.Dial(l.Local()), l.Accept()
	earliest := time.Now()
	c.Close()
	a.WaitState(nettest.CloseWait)
	latest := time.Now()
	r.signal(syscall.SIGKILL)
	<-r.exited

	r, http := startServeBy(t, command(), "--pin")
	before := time.Now()
	text := ask(t, http, fmt.Sprint("/api/v1/list?filter=state+close-wait+and+netns+", ns.Inode()))
	after := time.Now()
	var s struct {
		Source string  `json:"age_source"`
		Age    float64 `json:"age_ms"`
		PID    int
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	age := time.Duration(s.Age * float64(time.Millisecond))
	if s.Source != "traced" || age < before.Sub(latest) || age > after.Sub(earliest) || s.PID != server.PID() {
		t.Errorf("%v from %v to %v: %s", age, before.Sub(latest), after.Sub(earliest), text)
	}
	if strings.Contains(r.stderr.String(), "another tcptrail") {
		t.Errorf("%s", r.stderr)
	}
	r.signal(syscall.SIGTERM)
	if code := r.wait(); code != ExitDone {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
}
