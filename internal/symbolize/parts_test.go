package symbolize

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestParseMaps(t *testing.T) {
	const text = `55d0c0a00000-55d0c0a01000 r--p 00000000 fe:00 1234                       /opt/app
55d0c0a01000-55d0c0a05000 r-xp 00001000 fe:00 1234                       /opt/app
7f0000000000-7f0000001000 rwxp 00000000 00:00 0
7f0000002000-7f0000003000 r-xp 00002000 fe:01 99                         /lib/with space\012and newline.so (deleted)
7ffd000fe000-7ffd00100000 r-xp 00000000 00:00 0                          [vdso]
nonsense
7f-1 r-xp 0 0 0
zz-7f r-xp 00000000 00:00 0
`
	got, err := parseMaps(strings.NewReader(text))
	want := []mapping{
		{0x55d0c0a01000, 0x55d0c0a05000, 0x1000, "fe:00", 1234, "/opt/app"},
		{0x7f0000000000, 0x7f0000001000, 0, "00:00", 0, ""},
		{0x7f0000002000, 0x7f0000003000, 0x2000, "fe:01", 99, "/lib/with space\nand newline.so (deleted)"},
		{0x7ffd000fe000, 0x7ffd00100000, 0, "00:00", 0, "[vdso]"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
	for pc, index := range map[uint64]int{0x55d0c0a01000: 0, 0x55d0c0a04fff: 0, 0x55d0c0a05000: -1, 0: -1, 0x7f0000002001: 2, 1 << 63: -1} {
		m := find(want, pc)
		if index < 0 && m != nil || index >= 0 && m != &want[index] {
			t.Errorf("%#x is in %+v", pc, m)
		}
	}
}

func FuzzParseMaps(f *testing.F) {
	f.Add("55d0c0a01000-55d0c0a05000 r-xp 00001000 fe:00 1234   /opt/app\n")
	f.Fuzz(func(t *testing.T, text string) {
		maps, err := parseMaps(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, m := range maps {
			if m.start >= m.end {
				t.Errorf("%+v", m)
			}
		}
	})
}

func TestPerfMap(t *testing.T) {
	const text = `1000 20 Lcom/app/Main;::run
0x2000 10 old
2000 10 new one
3000 100 outer
3010 10 inner
zz 1 bad
4000 0 empty
ffffffffffffffff 10 wraps
`
	m := perfMap{entries: parsePerfMap(strings.NewReader(text))}
	for pc, want := range map[uint64]string{
		0x1000: "Lcom/app/Main;::run", 0x101f: "Lcom/app/Main;::run", 0x1020: "", 0x2005: "new one", 0x3005: "outer", 0x3015: "inner",
		0x3050: "outer", 0x4000: "", 0: "",
	} {
		if got := m.name(pc); got != want {
			t.Errorf("%#x: %q, want %q", pc, got, want)
		}
	}
}

func FuzzPerfMap(f *testing.F) {
	f.Add("1000 20 name\n", uint64(0x1001))
	f.Fuzz(func(_ *testing.T, text string, pc uint64) {
		m := perfMap{entries: parsePerfMap(strings.NewReader(text))}
		m.name(pc)
	})
}

func TestCalls(t *testing.T) {
	for text, want := range map[string]bool{
		"e8 01 02 03 04":       true,
		"00 e8 01 02 03 04":    true,
		"ff d0":                true,  // call *%rax
		"41 ff d4":             true,  // call *%r12
		"ff 15 01 02 03 04":    true,  // call *x(%rip)
		"ff 50 08":             true,  // call *8(%rax)
		"ff 90 00 01 00 00":    true,  // call *256(%rax)
		"ff 54 24 08":          true,  // call *8(%rsp)
		"ff 94 24 00 01 00 00": true,  // call *256(%rsp)
		"ff 14 25 00 10 00 00": true,  // call *0x1000
		"ff e0":                false, // jmp *%rax
		"90 90 90":             false,
		"":                     false,
	} {
		code := parseBytes(t, text)
		if got := endsWithCall(code); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	for text, want := range map[string]bool{"01 00 00 94": true, "00 00 3f d6": true, "c0 03 5f d6": false, "94": false} {
		if got := endsWithBL(parseBytes(t, text)); got != want {
			t.Errorf("arm64 %s: %v", text, got)
		}
	}
}

func parseBytes(t *testing.T, text string) (b []byte) {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		n, err := strconv.ParseUint(word, 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, byte(n))
	}
	return b
}

func TestKinds(t *testing.T) {
	for file, want := range map[string]Kind{
		"/lib/x86_64-linux-gnu/libc.so.6": KindSystem, "/lib/ld-linux-x86-64.so.2": KindSystem, "/lib/ld-musl-x86_64.so.1": KindSystem,
		"/usr/lib/libstdc++.so.6.0.30": KindStandard, "/usr/bin/python3.11": KindRuntime, "/opt/jdk/lib/server/libjvm.so": KindRuntime,
		"/usr/bin/python3.11 (deleted)": KindRuntime, "/opt/app": KindUser, "/opt/libcool.so": KindUser,
	} {
		if got := kindOfModule(file); got != want {
			t.Errorf("%s is %v", file, got)
		}
	}
	for name, want := range map[string]Kind{
		"connect": KindSystem, "__libc_connect": KindSystem, "__connect": KindSystem, "reconnect": KindUnknown, "std::thread::spawn": KindStandard,
		"core::ops::function::FnOnce::call_once": KindStandard, "app::std::run": KindUnknown,
	} {
		if got := kindOfFunction(name); got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	for name, want := range map[string]Kind{
		"runtime.goexit": KindRuntime, "internal/runtime/syscall.Syscall6": KindRuntime, "syscall.connect": KindStandard,
		"net/http.(*Transport).dial": KindStandard, "vendor/golang.org/x/net/dns.x": KindStandard, "main.main": KindUser,
		"github.com/a/b.F": KindUser, "example%2ecom.F": KindUser, "mymod/pool.Get": KindUser, "mymod.Get[go.shape.int]": KindUser,
		"slices.SortFunc[go.shape.[]github.com/a/b.T]": KindStandard,
	} {
		if got := kindOfGo(name, []string{"mymod"}); got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
}

func TestDemangled(t *testing.T) {
	for symbol, want := range map[string]string{
		"connect": "connect", "_ZN4pool6Client4openERK11sockaddr_in": "pool::Client::open",
		"_ZN3app4pool3get17h0123456789abcdefE": "app::pool::get", "_RNvCs1234_3app4main": "app::main",
		"_Zbroken": "_Zbroken", "": "",
	} {
		if got := demangled(symbol); got != want {
			t.Errorf("%s: %q, want %q", symbol, got, want)
		}
	}
}

func TestHeadline(t *testing.T) {
	system, runtime, standard, user := Frame{Function: "connect", Kind: KindSystem}, Frame{Function: "r", Kind: KindRuntime},
		Frame{Function: "s", Kind: KindStandard}, Frame{Function: "u", Kind: KindUser}
	outer := Frame{Function: "outer", Kind: KindStandard}
	for _, tt := range []struct {
		frames []Frame
		want   string
	}{
		{[]Frame{system, standard, user, runtime}, "u"},
		{[]Frame{system, standard, outer, runtime}, "outer"},
		{[]Frame{system, runtime}, "r"},
		{[]Frame{system}, ""},
		{nil, ""},
	} {
		got, ok := Headline(tt.frames)
		if got.Function != tt.want || ok != (tt.want != "") {
			t.Errorf("%+v: %+v, %v", tt.frames, got, ok)
		}
	}
}

// mustCompile returns a small program with debugging data.
func mustCompile(tb testing.TB) []byte {
	tb.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		tb.Fatal("this test needs gcc: apt-get install gcc libc6-dev")
	}
	dir := tb.TempDir()
	source := filepath.Join(dir, "a.c")
	if err := os.WriteFile(source, []byte("static int f(int x) { return x * 3; }\nint main(int c, char **v) { (void)v; return f(c); }\n"), 0o644); err != nil {
		tb.Fatal(err)
	}
	if out, err := exec.Command(gcc, "-g", "-O1", "-nostdlib", "-static", "-Wl,-e,main", "-o", filepath.Join(dir, "a"), source).CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	program, err := os.ReadFile(filepath.Join(dir, "a"))
	if err != nil {
		tb.Fatal(err)
	}
	return program
}

// placesOf looks an address up as the package does, in a file that is nothing but bytes.
func placesOf(tb testing.TB, program []byte, vaddr uint64) []place {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "program")
	if err := os.WriteFile(path, program, 0o644); err != nil {
		tb.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := newModule(file, path)
	if err != nil {
		file.Close()
		return nil
	}
	defer m.close()
	return m.places(vaddr, tb.TempDir())
}

func TestCompiledProgram(t *testing.T) {
	program := mustCompile(t)
	f, err := readELF(bytes.NewReader(program), int64(len(program)))
	if err != nil {
		t.Fatal(err)
	}
	start, ok := f.symbolValue("main")
	if !ok {
		t.Fatal("no main")
	}
	places := placesOf(t, program, start)
	if len(places) == 0 || places[len(places)-1].function != "main" || filepath.Base(places[0].file) != "a.c" || places[0].line == 0 {
		t.Errorf("%+v", places)
	}
	if len(f.buildID()) == 0 {
		t.Log("this gcc gives no build id")
	}
}

// Whatever is in a file, it is no end of us.
func FuzzProgram(f *testing.F) {
	program := mustCompile(f)
	f.Add(uint32(0), []byte{}, uint64(0x401000))
	f.Add(uint32(40), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, uint64(0x401000))
	f.Add(uint32(60), []byte{0xff, 0xff}, uint64(0x401001))
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, vaddr uint64) {
		broken := bytes.Clone(program)
		copy(broken[int(at)%len(broken):], patch)
		placesOf(t, broken, vaddr)
		placesOf(t, broken[:int(at)%len(broken)], vaddr)
	})
}
