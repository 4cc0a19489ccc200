package symbolize

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const smallC = "static int f(int x) { return x * 3; }\nint main(int c, char **v) { (void)v; return f(c); }\n"

// smallFlags make of it a program with debugging data.
var smallFlags = []string{"-g", "-O1", "-nostdlib", "-static", "-Wl,-e,main"}

// mustCompile returns what the compiler makes of a source file.
func mustCompile(tb testing.TB, text string, flags ...string) []byte {
	tb.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		tb.Fatal("this test needs gcc: apt-get install gcc libc6-dev")
	}
	dir := tb.TempDir()
	source := filepath.Join(dir, "a.c")
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
	if out, err := exec.Command(gcc, append(flags, "-o", filepath.Join(dir, "a"), source)...).CombinedOutput(); err != nil {
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
	program := mustCompile(t, smallC, smallFlags...)
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

// A function whose size is not told, in a table that has not all of them, does not have what follows it.
func TestSymbolWithoutSize(t *testing.T) {
	program := mustCompile(t, `asm(".globl sizeless\n.type sizeless,@function\nsizeless: ret");
static __attribute__((noinline)) int hidden(int x) { return x * 3; }
int shown(int x) { return hidden(x) + hidden(-x); }
`, "-shared", "-fPIC", "-nostdlib", "-fno-toplevel-reorder", "-O1")
	f, err := readELF(bytes.NewReader(program), int64(len(program)))
	if err != nil {
		t.Fatal(err)
	}
	hidden, ok := f.symbolValue("hidden")
	shown, also := f.symbolValue("shown")
	if !ok || !also {
		t.Fatal("no such functions")
	}
	if got := f.symbolAt(hidden, elf.SHT_DYNSYM); got != "" {
		t.Errorf("hidden is in %s", got)
	}
	if got := f.symbolAt(shown, elf.SHT_DYNSYM); got != "shown" {
		t.Errorf("shown is in %s", got)
	}
}

// What a file says of its size is not believed.
func TestFileOfManyHeaders(t *testing.T) {
	program := mustCompile(t, smallC, smallFlags...)
	for _, at := range []int{56, 60} { // e_phnum, e_shnum
		many := append(bytes.Clone(program), make([]byte, 65535*shdrSize)...)
		binary.LittleEndian.PutUint16(many[at:], 65535)
		f, err := readELF(bytes.NewReader(many), int64(len(many)))
		if err == nil && (len(f.progs) > maxHeaders || len(f.sections) > maxHeaders) {
			t.Errorf("%d segments, %d sections", len(f.progs), len(f.sections))
		}
	}
}

func TestScarce(t *testing.T) {
	s := scarce{strings.NewReader("0123456789"), 6}
	b := make([]byte, 4)
	if n, err := s.ReadAt(b, 2); n != 4 || err != nil || string(b) != "2345" {
		t.Errorf("%q, %v", b[:n], err)
	}
	if n, err := s.ReadAt(b, 2); n != 0 || !errors.Is(err, errTooMuch) {
		t.Errorf("%d bytes more, %v", n, err)
	}
	if n, err := s.ReadAt(b[:2], 0); n != 2 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// Whatever is in a file, it is no end of us.
func FuzzProgram(f *testing.F) {
	program := mustCompile(f, smallC, smallFlags...)
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
