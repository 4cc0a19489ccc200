package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mustTool returns the path of a program that tests need. In a guest, which has no compilers, the test is left out.
func mustTool(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv(binaryEnv) != "" {
		t.Skipf("no %s here", name)
	}
	if err != nil {
		t.Fatalf("this test needs %s: apt-get install %s", name, debianPackage)
	}
	return path
}

// build runs a compiler.
func build(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// leakC dials itself, lets the peer close, and ends. The line of connect() is 8.
const leakC = `#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
static struct sockaddr_in to = {.sin_family = AF_INET};
__attribute__((noinline)) int dial_upstream(void) {
	int c = socket(AF_INET, SOCK_STREAM, 0);
	connect(c, (struct sockaddr *)&to, sizeof to);
	__asm__ volatile("" ::: "memory");
	return c;
}
__attribute__((noinline)) int handle_request(void) { int c = dial_upstream(); __asm__ volatile(""); return c; }
static void *idle(void *x) { pause(); return x; }
int main(int argc, char **argv) {
	socklen_t n = sizeof to;
	pthread_t thread;
	int l = socket(AF_INET, SOCK_STREAM, 0);
	char end;
	(void)argv;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(l, (struct sockaddr *)&to, n);
	listen(l, 8);
	getsockname(l, (struct sockaddr *)&to, &n);
	if (argc > 1) pthread_create(&thread, 0, idle, 0);
#ifdef CANCEL
	if (argc > 2) pthread_cancel(thread);
#endif
	int c = handle_request();
	close(accept(l, 0, 0));
	return (int)read(c, &end, 1);
}
`

const leakGo = `package main

import "net"

var kept []net.Conn

//go:noinline
func dialUpstream(to string) net.Conn {
	c, err := net.Dial("tcp", to)
	if err != nil {
		panic(err)
	}
	return c
}

func main() {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	kept = append(kept, dialUpstream(l.Addr().String()))
	a, _ := l.Accept()
	a.Close()
	kept[0].Read(make([]byte, 1))
}
`

// frames is what the tests read of a finding's stack.
type frames struct {
	Callsite, Call string
	Frames         []struct {
		Function, File, Module string
		Line                   int
		Guess, Inlined         bool
	}
}

// callSites runs a program under tcptrail run and returns what it says of the one socket that is leaked.
func callSites(t *testing.T, env []string, program string, args ...string) frames {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report")
	cmd := exec.Command(mustBinary(t))
	cmd.Env = append(os.Environ(), env...)
	r := launch(t, cmd, append([]string{"run", "--min-age", "0", "-o", "json", "--report", report, "--", program}, args...)...)
	if code := r.wait(); code != ExitFound {
		t.Fatalf("exit %d: %s%s", code, r.stdout, r.stderr)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var f frames
	if err := json.Unmarshal([]byte(strings.TrimSpace(string(text))), &f); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return f
}

// functions returns the names of frames that have one.
func (f *frames) functions() (names []string) {
	for _, frame := range f.Frames {
		if frame.Function != "" {
			names = append(names, frame.Function)
		}
	}
	return names
}

// The line that called connect(), in C compiled with and without frame pointers: libc's wrapper has no frame, so that the
// chain of frame pointers alone would lose it.
func TestPrivilegedCallSiteInC(t *testing.T) {
	gcc, strip, objcopy := mustTool(t, "gcc", "gcc libc6-dev"), mustTool(t, "strip", "binutils"), mustTool(t, "objcopy", "binutils")
	dir := t.TempDir()
	source := filepath.Join(dir, "leak.c")
	if err := os.WriteFile(source, []byte(leakC), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		flags  []string
		after  func(program string)
		args   []string
		want   string // call site
		caller bool   // handle_request is on the stack, too
	}{
		{"frame pointers", []string{"-O1", "-g", "-fno-omit-frame-pointer"}, nil, nil, "dial_upstream (leak.c:8)", true},
		{"no frame pointers", []string{"-O2", "-g", "-fomit-frame-pointer"}, nil, nil, "dial_upstream (leak.c:8)", false},
		{"no frame pointers, threads", []string{"-O2", "-g", "-fomit-frame-pointer"}, nil, []string{"thread"}, "dial_upstream (leak.c:8)", false},
		{"no frame pointers, static", []string{"-O2", "-g", "-static", "-fomit-frame-pointer"}, nil, nil, "dial_upstream (leak.c:8)", false},
		{"no frame pointers, static, threads", []string{"-O2", "-g", "-static", "-fomit-frame-pointer"}, nil, []string{"thread"}, "dial_upstream (leak.c:8)", false},
		{"static PIE", []string{"-O1", "-g", "-static-pie", "-fPIE", "-fno-omit-frame-pointer"}, nil, nil, "dial_upstream (leak.c:8)", true},
		{"not optimized", []string{"-O0", "-g"}, nil, nil, "dial_upstream (leak.c:8)", true},
		{"threads", []string{"-O2", "-g", "-fno-omit-frame-pointer"}, nil, []string{"thread"}, "dial_upstream (leak.c:8)", true},
		{"no lines", []string{"-O1", "-fno-omit-frame-pointer"}, nil, nil, "dial_upstream (no-lines)", true},
		{"DWARF 4, compressed", []string{"-O1", "-gdwarf-4", "-gz=zlib", "-fno-omit-frame-pointer"}, nil, nil, "dial_upstream (leak.c:8)", true},
		{"static", []string{"-O1", "-g", "-static", "-fno-omit-frame-pointer"}, nil, nil, "dial_upstream (leak.c:8)", true},
		{"not PIE", []string{"-O1", "-g", "-no-pie", "-fno-omit-frame-pointer"}, nil, nil, "dial_upstream (leak.c:8)", true},
		{"stripped", []string{"-O1", "-fno-omit-frame-pointer"}, func(p string) { build(t, dir, nil, strip, p) }, nil, "/stripped+0x", false},
		{"debug link", []string{"-O1", "-g", "-fno-omit-frame-pointer"}, func(p string) {
			build(t, dir, nil, objcopy, "--only-keep-debug", p, p+".debug")
			build(t, dir, nil, strip, p)
			build(t, dir, nil, objcopy, "--add-gnu-debuglink="+p+".debug", p)
		}, nil, "dial_upstream (leak.c:8)", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			program := filepath.Join(dir, strings.ReplaceAll(tt.name, " ", "-"))
			build(t, dir, nil, gcc, append(tt.flags, "-pthread", "-o", program, source)...)
			if tt.after != nil {
				tt.after(program)
			}
			f := callSites(t, nil, program, tt.args...)
			if !strings.Contains(f.Callsite, tt.want) || f.Call != "connect" {
				t.Errorf("call site %q by %s, want %q; stack %+v", f.Callsite, f.Call, tt.want, f.Frames)
			}
			if names := strings.Join(f.functions(), " "); tt.caller && !strings.Contains(names, "dial_upstream handle_request main") {
				t.Errorf("stack %s", names)
			}
		})
	}
}

// Another C library: its wrapper of connect() goes through functions that have no frame either.
func TestPrivilegedCallSiteWithMusl(t *testing.T) {
	compiler := mustTool(t, "musl-gcc", "musl-tools")
	dir := t.TempDir()
	source := filepath.Join(dir, "leak.c")
	if err := os.WriteFile(source, []byte(leakC), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		flags []string
	}{
		{"frame pointers", []string{"-O1", "-static", "-fno-omit-frame-pointer"}},
		{"no frame pointers", []string{"-O2", "-static", "-fomit-frame-pointer"}},
		{"cancellation", []string{"-O1", "-static", "-DCANCEL", "-fno-omit-frame-pointer"}},
		{"no frame pointers, cancellation", []string{"-O2", "-static", "-DCANCEL", "-fomit-frame-pointer"}},
		{"shared", []string{"-O1", "-fno-omit-frame-pointer"}},
		{"no frame pointers, shared", []string{"-O2", "-fomit-frame-pointer"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "leak")
			build(t, dir, nil, compiler, append(tt.flags, "-g", "-o", program, source)...)
			for _, args := range [][]string{nil, {"thread"}} {
				if f := callSites(t, nil, program, args...); f.Callsite != "dial_upstream (leak.c:8)" {
					t.Errorf("%q: call site %q; stack %q", args, f.Callsite, f.functions())
				}
			}
		})
	}
}

// Go programs carry their table, stripped or not.
func TestPrivilegedCallSiteInGo(t *testing.T) {
	goTool := mustTool(t, "go", "golang-go")
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": leakGo, "go.mod": "module leaky\n\ngo 1.24\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string][]string{
		"plain": nil, "stripped": {"-ldflags=-s -w"}, "pie": {"-buildmode=pie"}, "trimmed": {"-trimpath", "-ldflags=-s -w", "-buildmode=pie"},
	} {
		t.Run(name, func(t *testing.T) {
			build(t, dir, []string{"CGO_ENABLED=0"}, goTool, append(append([]string{"build", "-buildvcs=false", "-o", name}, args...), ".")...)
			f := callSites(t, nil, filepath.Join(dir, name))
			if f.Callsite != "main.dialUpstream (main.go:9)" {
				t.Errorf("call site %q", f.Callsite)
			}
			names := strings.Join(f.functions(), " ")
			if !strings.Contains(names, "syscall.connect ") || !strings.HasSuffix(names, "main.dialUpstream main.main runtime.main runtime.goexit") {
				t.Errorf("stack %s", names)
			}
		})
	}
}
