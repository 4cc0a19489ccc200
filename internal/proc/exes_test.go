package proc

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func checkExe(tb testing.TB, e *Exes, pid uint32, want string) {
	tb.Helper()
	if got, ok := e.Exe(pid); got != want || ok != (want != "") {
		tb.Errorf("Exe(%d) = %q, %v, want %q", pid, got, ok, want)
	}
}

func TestExe(t *testing.T) {
	proc := tree(t, map[string]string{
		"10/exe":  "->/usr/sbin/sshd",
		"11/exe":  "->/usr/bin/python3.13 (deleted)",
		"12/exe":  "->/memfd:x\x1b[31m (deleted)",
		"2/stat":  "2 (kthreadd) S 0\n",
		"13/exe":  "no link",
		"14/exe":  "->/opt/with space (deleted)/x",
		"self/me": "",
	})
	e := proc.NewExes(newHandClock().now)
	for pid, want := range map[uint32]string{
		10: "/usr/sbin/sshd", 11: "/usr/bin/python3.13", 12: "/memfd:x\x1b[31m",
		2: "", 13: "", 14: "/opt/with space (deleted)/x", 99: "", 0: "",
	} {
		checkExe(t, e, pid, want)
		checkExe(t, e, pid, want)
	}
}

func TestExeIsForgotten(t *testing.T) {
	proc := tree(t, map[string]string{"10/exe": "->/bin/a"})
	clock := newHandClock()
	e := proc.NewExes(clock.now)
	checkExe(t, e, 10, "/bin/a")
	checkExe(t, e, 11, "")
	if err := os.Rename(proc.path("10"), proc.path("11")); err != nil {
		t.Fatal(err)
	}
	clock.pass(exeFor - 1)
	checkExe(t, e, 10, "/bin/a")
	checkExe(t, e, 11, "")
	clock.pass(1)
	checkExe(t, e, 10, "")
	checkExe(t, e, 11, "/bin/a")
}

func TestExesIsBounded(t *testing.T) {
	proc := tree(t, map[string]string{"10/exe": "->/bin/a"})
	e := proc.NewExes(newHandClock().now)
	for pid := range uint32(maxExes + 100) {
		e.Exe(pid)
		if len(e.known) > maxExes {
			t.Fatalf("remembers %d", len(e.known))
		}
	}
	checkExe(t, e, 10, "/bin/a")
}

func TestExeOfClosedProcess(t *testing.T) {
	proc := tree(t, map[string]string{"10/exe": "->/bin/a"})
	mustChmod(t, filepath.Dir(proc.Root), 0o755) // temporary directories are closed to others
	e := proc.NewExes(newHandClock().now)
	if got, _ := asNobody(t, func() (string, error) { return proc.exe(10), nil }); got != "/bin/a" {
		t.Errorf("got %q before it was closed", got)
	}
	mustChmod(t, proc.path("10"), 0)
	if got, _ := asNobody(t, func() (string, error) { path, _ := e.Exe(10); return path, nil }); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestExeOfThisProcess(t *testing.T) {
	want, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	checkExe(t, FS{}.NewExes(time.Now), uint32(os.Getpid()), want)
}

func TestExesConcurrently(t *testing.T) {
	clock := newHandClock()
	e := tree(t, map[string]string{"10/exe": "->/bin/a"}).NewExes(clock.now)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				clock.pass(time.Second)
				checkExe(t, e, 10, "/bin/a")
				checkExe(t, e, 11, "")
			}
		})
	}
	all.Wait()
}

func TestExeAllocatesNothing(t *testing.T) {
	e := FS{}.NewExes(time.Now)
	pid := uint32(os.Getpid())
	if n := testing.AllocsPerRun(100, func() { e.Exe(pid); e.Exe(1 << 30) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A program that was removed while it runs, as upgrades do.
func TestExeOfRemovedProgram(t *testing.T) {
	program, err := exec.LookPath("cat")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "re\x1b[31mmoved (deleted) cat")
	if err := os.WriteFile(path, content, 0o700); err != nil {
		t.Fatal(err)
	}
	cat := exec.Command(path)
	cat.Args[0] = "cat" // which busybox goes by
	stdin, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cat.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	defer cat.Wait()
	defer stdin.Close() // it ends by itself
	// Start may return before the new program is in place (seen on Linux 6.1); an answer shows that it is.
	if _, err := stdin.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	checkExe(t, FS{}.NewExes(time.Now), uint32(cat.Process.Pid), path)
}
