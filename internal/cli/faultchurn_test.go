package cli

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// procChurn makes processes that end at once, each in a network namespace of its own, as fast as they go, until stop is
// called: what readers of /proc find there is gone when they look.
func procChurn(t *testing.T, workers int) (made *atomic.Int64, stop func()) {
	t.Helper()
	made = new(atomic.Int64)
	var (
		over atomic.Bool
		wg   sync.WaitGroup
	)
	for range workers {
		wg.Go(func() {
			runtime.LockOSThread() // whose children they are
			defer runtime.UnlockOSThread()
			for !over.Load() {
				if err := shortLife(); err != nil {
					t.Error(err)
					return
				}
				made.Add(1)
			}
		})
	}
	stop = sync.OnceFunc(func() {
		over.Store(true)
		wg.Wait()
	})
	t.Cleanup(stop)
	return made, stop
}

// shortLife is that of a process that ends at its first error.
func shortLife() error {
	p, err := os.StartProcess("/proc/self/exe", []string{"short", "-test.run=^$"}, &os.ProcAttr{
		Env: []string{leaverEnv + "=nothing"}, Sys: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET},
	})
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}

// While processes and namespaces come and go by the hundred, every command says of what stays what is true, and nothing
// that ended is an error.
func TestPrivilegedProcChurn(t *testing.T) {
	const least = 300 // that come and go
	s := fullStage(t)
	made, stop := procChurn(t, 2)
	live := launch(t, nil, "leaks", "-o", "json", "--limit", "CLOSE_WAIT=1ms:1h", "--repeat", "1h")
	serve, client := startServe(t)
	began := time.Now()
	for round := 0; round < 3 || made.Load() < least && time.Since(began) < patience; round++ {
		text := ran(t, "list", "-o", "json", "--state", "CLOSE_WAIT")
		if want := fmt.Sprintf(`"pid":%d,"comm":"server"`, s.server.PID()); !strings.Contains(text, want) {
			t.Fatalf("list: no %s: %s", want, text)
		}
		if got := strings.TrimSpace(ran(t, "count", "CLOSE_WAIT")); got == "0" || got == "" {
			t.Fatalf("count: %q", got)
		}
		r := launch(t, nil, s.about("leaks --once -o json", "")...)
		if code := r.wait(); code != ExitFound || r.stderr.String() != "" {
			t.Errorf("leaks: exit %d: %s", code, r.stderr)
		}
		if text := ask(t, client, "/metrics"); !strings.Contains(text, `tcptrail_sockets{state="CLOSE_WAIT"}`) {
			t.Errorf("serve: %s", text)
		}
	}
	eventually(t, "a finding", func() bool { return strings.Contains(live.stdout.String(), fmt.Sprintf(`"pid":%d,`, s.server.PID())) })
	live.stop()
	serve.stop()
	stop()
	t.Logf("%d processes and namespaces in %v", made.Load(), time.Since(began))
	if made.Load() == 0 {
		t.Error("no process came and went")
	}
	for name, r := range map[string]*tracer{"leaks": live, "serve": serve} {
		for line := range strings.Lines(r.stderr.String()) {
			if strings.Contains(line, "no such") || strings.Contains(line, "panic") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}
