package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/privilege"
)

func TestSourceErrors(t *testing.T) {
	const summary = "tcptrail: seen 1, delivered 1, lost 0, missed 0, filtered 0 in T\n"
	for _, test := range []struct {
		name   string
		set    func(*world)
		stderr string
	}{
		{
			"read", func(w *world) { w.source.failures <- errors.New("wait for the doorbell: bad") },
			summary + "tcptrail: wait for the doorbell: bad\n",
		},
		{
			"adopt", func(w *world) { w.source.adoptErr = errors.New("walk descriptors: bad") },
			summary + "tcptrail: walk descriptors: bad\n",
		},
		{
			"stop", func(w *world) {
				w.source.stopErr = errors.New("wait for the programs: bad")
				w.signals <- syscall.SIGINT
			},
			summary + "tcptrail: wait for the programs: bad\n",
		},
		{
			"stats", func(w *world) { w.source.statsErr = errors.New("read counters: bad"); w.signals <- syscall.SIGUSR1 },
			"tcptrail: read counters: bad; read counters: bad\n",
		},
		{
			"ready file", func(*world) {},
			summary + "tcptrail: open /nowhere/ready: no such file or directory\n",
		},
		{"all", func(w *world) {
			w.source.adoptErr, w.source.stopErr = errors.New("walk: bad"), errors.New("stop: bad")
		}, summary + "tcptrail: walk: bad; stop: bad\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.source.feed(events(1)...)
			test.set(w)
			ready := filepath.Join(t.TempDir(), "ready")
			if test.name == "ready file" {
				ready = "/nowhere/ready"
			}
			w.startCSV("--ready-file", ready)
			code := w.wait()
			w.wants(code, ExitFailed, test.stderr)
			if !w.source.closed.Load() {
				t.Errorf("source is not closed")
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	lack := &kernel.UnsupportedError{What: "kernel 4.19 is too old: Linux 5.12 or newer is needed", Err: errors.New("x")}
	for _, test := range []struct {
		err    error
		code   int
		stderr string
	}{
		{lack, ExitUnsupported, "tcptrail: kernel 4.19 is too old: Linux 5.12 or newer is needed\n"},
		{fmt.Errorf("open: %w", lack), ExitUnsupported, "tcptrail: open: kernel 4.19 is too old: Linux 5.12 or newer is needed\n"},
		{errors.New("load programs: no memory"), ExitFailed, "tcptrail: load programs: no memory\n"},
	} {
		w := newWorld(t)
		w.openErr = test.err
		w.startCSV()
		code := w.wait()
		w.wants(code, test.code, test.stderr)
	}
}

// Privileges go in two steps: what only the walk over older sockets needs, after it.
func TestPrivileges(t *testing.T) {
	w := newWorld(t)
	w.source.unknown = 3
	w.source.notes = []string{"accept() cannot be watched here"}
	w.source.adopting = make(chan struct{})
	w.env.Open = func(kernel.Options) (Source, error) {
		if want := []privilege.Set{privilege.Trace | privilege.TraceOptional}; !reflect.DeepEqual(w.kept, want) {
			t.Errorf("kept %v before anything was opened, want %v", w.kept, want)
		}
		return w.source, nil
	}
	ready := filepath.Join(t.TempDir(), "ready")
	w.startCSV("--ready-file", ready)
	w.stderr.await(t, "accept() cannot be watched here", 1)
	if _, err := os.Stat(ready); err == nil {
		t.Errorf("ready before the walk")
	}
	close(w.source.adopting)
	w.signals <- syscall.SIGTERM
	code := w.wait()
	w.wants(code, ExitDone, "tcptrail: accept() cannot be watched here\n"+
		"tcptrail: owners of MPTCP listeners that are older than the tracer stay unknown in other network namespaces: "+
		"3 of them for want of CAP_SYS_ADMIN, CAP_SYS_PTRACE\n"+
		"tcptrail: seen 0, delivered 0, lost 0, missed 0, filtered 0 in T\n")
	if want := []privilege.Set{privilege.Trace | privilege.TraceOptional, privilege.Trace}; !reflect.DeepEqual(w.kept, want) {
		t.Errorf("kept %v, want %v", w.kept, want)
	}
	if got, err := os.ReadFile(ready); err != nil || string(got) != fmt.Sprintln(os.Getpid()) {
		t.Errorf("ready file: %q, %v", got, err)
	}
}

func TestKeepErrors(t *testing.T) {
	w := newWorld(t)
	w.keepErr = fmt.Errorf("x: %w", privilege.ErrCgo) // goes on: there is nothing that the user could do
	_ = w.source.Stop()
	w.startCSV()
	if code := w.wait(); code != ExitDone {
		t.Errorf("exit %d", code)
	}

	w = newWorld(t)
	w.keepErr = errors.New("set capabilities: bad")
	w.startCSV()
	code := w.wait()
	w.wants(code, ExitFailed, "tcptrail: drop privileges: set capabilities: bad\n")
	if len(w.opened) != 0 {
		t.Errorf("opened with more privileges than needed")
	}
}
