package symbolize

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// here returns the return addresses of its callers, and what the runtime says of them.
//
//go:noinline
func here() (pcs []uint64, want []runtime.Frame) {
	var raw [16]uintptr
	n := runtime.Callers(2, raw[:])
	for frames := runtime.CallersFrames(raw[:n]); ; {
		f, more := frames.Next()
		want = append(want, f)
		if !more {
			break
		}
	}
	for _, pc := range raw[:n] {
		pcs = append(pcs, uint64(pc))
	}
	return pcs, want
}

// A Go program's own stack, against what its runtime says of it.
func TestSelf(t *testing.T) {
	r := NewResolver()
	defer r.Close()
	image, err := r.Capture(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	pcs, want := here()
	stack := Stack{PCs: append([]uint64{inSyscall(t)}, pcs...), Program: image.program.hash()}
	part, ok := image.Learn(stack)
	if !ok || len(part.maps) == 0 || len(part.maps) >= len(image.maps) {
		t.Fatalf("of %d mappings the stack has %d", len(image.maps), len(part.maps))
	}
	frames := r.Resolve(part, stack)
	if len(frames) == 0 || !strings.HasPrefix(frames[0].Function, "runtime.") && !strings.HasPrefix(frames[0].Function, "internal/runtime/") {
		t.Fatalf("a thread waits in %+v", frames)
	}
	frames = frames[1:]
	for _, f := range want {
		if f.Function == "" || f.Func == nil { // inlined: the table tells of its caller alone
			continue
		}
		i := 0
		for i < len(frames) && frames[i].PC != uint64(f.PC)+1 && frames[i].PC != uint64(f.PC) {
			i++
		}
		if i == len(frames) {
			t.Errorf("%s: no frame at %#x", f.Function, f.PC)
			continue
		}
		if got := frames[i]; got.Function != f.Function || got.File != f.File || got.Line != f.Line {
			t.Errorf("got %s %s:%d, want %s %s:%d", got.Function, got.File, got.Line, f.Function, f.File, f.Line)
		}
	}
	best, ok := Headline(frames)
	if !ok || !strings.HasSuffix(best.Function, "symbolize.TestSelf") || filepath.Base(best.File) != "self_test.go" {
		t.Errorf("headline %+v", best)
	}
}

// inSyscall returns where a thread of this process waits in a system call, as the runtime's own do.
func inSyscall(t *testing.T) uint64 {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		paths, err := filepath.Glob("/proc/self/task/*/syscall")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, _ := os.ReadFile(path) // number, six arguments, stack pointer, program counter; or "running"
			fields := strings.Fields(string(text))
			if len(fields) != 9 {
				continue
			}
			pc, err := strconv.ParseUint(fields[8], 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			return pc
		}
	}
	t.Fatal("no thread waits")
	return 0
}

func TestModulesOf(t *testing.T) {
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	if got := modulesOf(exe); !slices.Contains(got, "github.com/tcptrail/tcptrail") {
		t.Errorf("made of %q", got)
	}
}

// What a process was is known after it has ended, as far as it was captured.
func TestNoSuchProcess(t *testing.T) {
	r := NewResolver()
	defer r.Close()
	if _, err := r.Capture(1<<31 - 1); !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("%v", err)
	}
}

// What was captured of a process stays when it is looked at again, and is a zombie by then.
func TestEndedProcess(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := NewResolver()
	defer r.Close()
	image, err := r.Capture(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	before := len(image.maps)
	in.Close()
	stat := "/proc/" + strconv.Itoa(cmd.Process.Pid) + "/stat"
	for text := ""; !strings.Contains(text, ") Z "); { // nobody has waited for it
		b, err := os.ReadFile(stat)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	if _, ok := image.Learn(Stack{PCs: []uint64{1}, Program: image.program.hash()}); !ok {
		t.Error("it is taken for another program")
	}
	if len(image.maps) != before || before == 0 {
		t.Errorf("%d mappings, then %d", before, len(image.maps))
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func unwrapAll(err error) error {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil {
			return err
		}
		if os.IsNotExist(err) {
			return err
		}
		err = inner.Unwrap()
	}
}

func TestClosedResolver(t *testing.T) {
	r := NewResolver()
	image, err := r.Capture(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	pcs, _ := here()
	frames := r.Resolve(image, Stack{PCs: append([]uint64{inSyscall(t)}, pcs...)})
	if len(frames) == 0 || frames[0].Function != "" || frames[0].Module == "" || frames[0].Offset == 0 {
		t.Errorf("%+v", frames)
	}
	if again, err := r.Capture(os.Getpid()); err != nil || len(again.maps) == 0 {
		t.Errorf("%v", err)
	}
}
