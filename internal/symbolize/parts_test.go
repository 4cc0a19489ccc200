package symbolize

import (
	"fmt"
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

// However many mappings there are, and however long the names of their files, few are kept.
func TestMapsAreBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		path string
		want int
	}{
		"anonymous": {"", maxCode}, "one file": {"/opt/app", maxCode}, "many files": {"/" + strings.Repeat("x", 1000) + "%d", maxPaths / 1004},
	} {
		var text strings.Builder
		for n := range 3 * maxCode {
			path := tt.path
			if strings.Contains(path, "%d") {
				path = fmt.Sprintf(path, n+100)
			}
			fmt.Fprintf(&text, "%x-%x r-xp 0 00:00 1 %s\n", n*8192, n*8192+4096, path)
		}
		maps, err := parseMaps(strings.NewReader(text.String()))
		if err != nil || len(maps) != tt.want {
			t.Errorf("%s: %d mappings, want %d, %v", name, len(maps), tt.want, err)
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
		"<alloc::vec::Vec<u8>>::push": KindStandard, "<&mut std::net::TcpStream as core::fmt::Debug>::fmt": KindStandard,
		"<T as core::convert::Into<U>>::into": KindStandard, "<alloc::vec::Vec<u8> as app::Dial>::dial": KindUnknown,
		"<u32 as app::Dial>::dial": KindUnknown, "<app::Client as core::fmt::Debug>::fmt": KindUnknown, "<app::Client<u32>>::open": KindUnknown,
	} {
		if got := kindOfFunction(name); got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	for name, want := range map[string]Kind{
		"py::dial:/srv/app.py": KindUser, "py::create_connection:/usr/lib/python3.12/socket.py": KindStandard,
		"py::send:/opt/venv/lib/python3.12/site-packages/requests/adapters.py": KindUser, "py::_find:<frozen importlib._bootstrap>": KindStandard,
		"Ljava/net/Socket;::connect": KindStandard, "sun.nio.ch.Net::connect": KindStandard, "Lcom/app/Pool;::get": KindUser, "Interpreter": KindRuntime,
		"LazyCompile:*connect node:net:1000:3": KindStandard, "Function:~dial /srv/app.js:7:2": KindUser, "Builtin:CEntry": KindRuntime, "f": KindUser,
	} {
		if got := kindOfJIT(name); got != want {
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
