package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// jitC makes code as a just-in-time compiler does, with a frame, that calls a function: dial_upstream, or connect itself.
const jitC = `
typedef int three(int, void *, unsigned long);
static int dial(int a, void *b, unsigned long c) { (void)a, (void)b, (void)c; int s = DIAL(); __asm__ volatile(""); return s; }
static three *compile(void *callee) {
#ifdef __x86_64__
	/* push %rbp; mov %rsp,%rbp; movabs $callee,%rax; call *%rax; pop %rbp; ret */
	unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x5d, 0xc3};
	memcpy(code + 6, &callee, 8);
#else
	/* stp x29,x30,[sp,#-16]!; mov x29,sp; ldr x16,callee; blr x16; ldp x29,x30,[sp],#16; ret */
	uint32_t code[] = {0xa9bf7bfd, 0x910003fd, 0x58000090, 0xd63f0200, 0xa8c17bfd, 0xd65f03c0, 0, 0};
	memcpy(code + 6, &callee, 8);
#endif
	char *at = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(at, code, sizeof code);
	__builtin___clear_cache(at, at + sizeof code);
	printf("compiled %lx %zx\n", (unsigned long)at, sizeof code);
	fflush(stdout);
	return (three *)at;
}
int main(int argc, char **argv) {
	int l = serve(), c;
	(void)argv;
	three *compiled = compile(argc > 1 ? (void *)connect : (void *)dial);
	go_on();
	if (argc > 1) {
		c = socket(AF_INET, SOCK_STREAM, 0);
		compiled(c, &to, sizeof to);
	} else {
		c = compiled(0, 0, 0);
	}
	leak(l, c);
	return go_on();
}
`

// perfMap makes the perf map of a process, which goes with the test.
func perfMap(t *testing.T, pid int, create func(path string) error) {
	t.Helper()
	path := fmt.Sprintf("/tmp/perf-%d.map", pid)
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
}

// writes returns what makes a file of lines.
func writes(text string) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(text), 0o644) }
}

// Just-in-time code is named by its compiler's map, which is looked at with care: /tmp is everybody's.
func TestPrivilegedCallSiteInJIT(t *testing.T) {
	dir, ns := t.TempDir(), nettest.NewNS(t)
	compiled := compileSteps(t, filepath.Join(dir, "jit"), jitC)
	r := watchSites(t, ns)
	const nobody = 65534
	for _, tt := range []struct {
		name string
		make func(line string) func(path string) error
		want string // the name
	}{
		{"own", writes, "jitted::dial"},
		{"late in a large file", func(line string) func(string) error {
			return func(path string) error {
				file, err := os.Create(path)
				if err != nil {
					return err
				}
				defer file.Close()
				_, err = file.WriteAt([]byte("\n"+line), 1<<30)
				return err
			}
		}, "jitted::dial"},
		{"hostile name", func(line string) func(string) error {
			return writes(strings.ReplaceAll(line, "::dial", "\x1b[31m\x00\"\\\u202e\xff"))
		}, "jitted\x1b[31m\x00\"\\\u202e\ufffd"},
		{"another user's", func(line string) func(string) error {
			return func(path string) error {
				if err := writes(line)(path); err != nil {
					return err
				}
				return os.Chown(path, nobody, nobody)
			}
		}, ""},
		{"link", func(line string) func(string) error {
			return func(path string) error {
				if err := writes(line)(filepath.Join(dir, "map")); err != nil {
					return err
				}
				return os.Symlink(filepath.Join(dir, "map"), path)
			}
		}, ""},
		{"FIFO", func(string) func(string) error {
			return func(path string) error { return syscall.Mkfifo(path, 0o644) }
		}, ""},
		{"directory", func(string) func(string) error { return func(path string) error { return os.Mkdir(path, 0o755) } }, ""},
		{"other addresses", func(string) func(string) error { return writes("1000 20 wrong\n") }, ""},
		{"none", func(string) func(string) error { return func(string) error { return nil } }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "jit") // of the same file the stack that came first would be shown
			if err := copyFile(program, compiled); err != nil {
				t.Fatal(err)
			}
			through, direct := startLeaker(t, ns, program), startLeaker(t, ns, program, "direct")
			for _, p := range []*leaker{through, direct} {
				perfMap(t, p.pid(), tt.make(p.await("compiled")+" jitted::dial\n"))
				p.tell()
			}
			f := r.sitesOf(through.pid(), 1)[0]
			names := strings.Join(f.functions(), " ")
			if want := strings.Join(strings.Fields("connect dial_upstream dial "+tt.want+" main"), " "); !strings.Contains(names, want) {
				t.Errorf("stack %q, want %q", names, want)
			}
			f = r.sitesOf(direct.pid(), 1)[0]
			names = strings.Join(f.functions(), " ")
			if want := strings.Join(strings.Fields("connect "+tt.want+" main"), " "); !strings.Contains(names, want) {
				t.Errorf("without a function of its own: stack %q, want %q", names, want)
			}
			if tt.want == "" {
				return
			}
			if !strings.HasPrefix(f.Callsite, "jitted") || strings.ContainsAny(f.Callsite, "\x00\x1b\u202e") || !f.Frames[1].Guess {
				t.Errorf("call site %q, %+v", f.Callsite, f.Frames)
			}
		})
	}
	r.stop()
}
