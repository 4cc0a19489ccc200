package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// inOtherTime returns a command that runs the binary with clocks that are so many seconds ahead of the kernel's own, by which
// BPF programs go, as after a container was moved from another host (time_namespaces(7)).
func inOtherTime(t *testing.T, seconds int) *exec.Cmd {
	t.Helper()
	if _, err := os.Stat("/proc/self/timens_offsets"); err != nil {
		t.Skip("this kernel has no time namespaces")
	}
	if os.Getenv(binaryEnv) != "" {
		t.Skip("unshare of a virtual machine is busybox's, which knows no time namespaces")
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Fatalf("%v: install the Debian package util-linux", err)
	}
	ahead := strconv.Itoa(seconds)
	return exec.Command(unshare, "--time", "--monotonic="+ahead, "--boottime="+ahead, "--fork", "--kill-child", mustBinary(t))
}

// Where the clocks of this process are not the kernel's, times and ages are right all the same.
func TestPrivilegedOtherClocks(t *testing.T) {
	s := fullStage(t)
	for _, seconds := range []int{10 * 24 * 3600, -1} {
		t.Run(fmt.Sprint(seconds), func(t *testing.T) {
			began := time.Now()
			path, ready := mustFIFO(t)
			r := launch(t, inOtherTime(t, seconds), append([]string{
				"trace", "--ready-file", path, "-o", "json", "--limit", strconv.Itoa(10 * connections),
			}, s.netns()...)...)
			if _, ok := receive(ready); !ok {
				t.Fatalf("never ready: %s", r.stderr)
			}
			s.talk()
			if code := r.wait(); code != ExitDone {
				t.Errorf("trace: exit %d: %s", code, r.stderr)
			}
			for _, row := range parseRows(t, r.stdout.String()) {
				if row.Time.Before(began.Add(-time.Second)) || row.Time.After(time.Now().Add(time.Second)) ||
					row.MS != nil && (*row.MS < 0 || *row.MS > float64(patience.Milliseconds())) {
					t.Errorf("trace: %+v", row)
				}
			}
			var socket struct {
				AtLeast *float64 `json:"age_at_least_ms"`
				AtMost  *float64 `json:"age_at_most_ms"`
			}
			r = launch(t, inOtherTime(t, seconds), append([]string{"list", "-o", "json", "state", "close-wait"}, s.netns()...)...)
			r.wait()
			text := r.stdout.String()
			if err := json.Unmarshal([]byte(text), &socket); err != nil || socket.AtLeast == nil || socket.AtMost == nil ||
				*socket.AtLeast < 0 || *socket.AtMost > float64(patience.Milliseconds()) {
				t.Errorf("list: %v: %s", err, text)
			}
			once := launch(t, inOtherTime(t, seconds), append([]string{"leaks", "--once", "-o", "json", "--limit", "CLOSE_WAIT=1h"}, s.netns()...)...)
			if code := once.wait(); code != ExitDone {
				t.Errorf("leaks: exit %d: %s", code, once.stdout)
			}
		})
	}
}
