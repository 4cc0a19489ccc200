package kernel

import (
	"errors"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// withoutRoom runs f while no descriptor can be opened.
func withoutRoom(t *testing.T, f func()) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

func checkTooManyFiles(t *testing.T, err error) {
	t.Helper()
	var unsupported *UnsupportedError
	if !errors.Is(err, unix.EMFILE) || errors.As(err, &unsupported) || !strings.Contains(err.Error(), "ulimit -n") {
		t.Errorf("got %v, want what to do about too many open files, and no fault of the kernel", err)
	}
}

func TestCheckRoom(t *testing.T) {
	if err := checkRoom(tracerRoom); err != nil {
		t.Error(err)
	}
	withoutRoom(t, func() { checkTooManyFiles(t, checkRoom(1)) })
}

func TestExplainTooManyFiles(t *testing.T) {
	for _, err := range []error{
		unix.EMFILE,
		&ebpf.VerifierError{Cause: unix.EMFILE},
		errors.Join(ebpf.ErrNotSupported, unix.EMFILE),
	} {
		checkTooManyFiles(t, explain("load", err))
	}
	if err := explain("load", unix.ENFILE); !strings.Contains(err.Error(), "fs.file-max") {
		t.Error(err)
	}
}

func TestPrivilegedOpenWithoutRoom(t *testing.T) {
	withoutRoom(t, func() {
		_, err := Open(Options{})
		checkTooManyFiles(t, err)
		_, err = openWalks(&SnapshotOptions{}, 0, []string{snapshotProgListSockets})
		checkTooManyFiles(t, err)
	})
}

// An iterator that could not be attached must leave nothing behind that close stumbles over.
func TestPrivilegedCloseAfterFailedAttach(t *testing.T) {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SocketFilter, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &walks{iters: map[string]*link.Iter{}, collection: &ebpf.Collection{Programs: map[string]*ebpf.Program{"filter": program}}}
	if err := w.attach(); err == nil {
		t.Error("a filter was attached as an iterator")
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}
