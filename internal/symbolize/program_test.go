package symbolize

import (
	"bufio"
	"os/exec"
	"strings"
	"testing"
)

func TestParseProgram(t *testing.T) {
	const begin, end = "10 (sh) S 1) S 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 999 7 18446744073709551615 ",
		" 0 0 0 0 0 0 0 17 0 0 0 0 0 0 45 46 47 48 49 50 51 0\n"
	for stat, want := range map[string]program{
		begin + "26 27 28 29 30" + end: {26, 27, 28, 45, 46, 47},
		begin + "26 27":                {26, 27, 0, 0, 0, 0},
		"10 (sh) S":                    {},
		"nonsense":                     {},
		"":                             {},
	} {
		if got := parseProgram([]byte(stat)); got != want {
			t.Errorf("%q: %+v", stat, got)
		}
	}
}

func FuzzParseProgram(f *testing.F) {
	f.Add([]byte("10 (sh) S 1 10"))
	f.Fuzz(func(_ *testing.T, stat []byte) { parseProgram(stat) })
}

// A process that goes on as another program is not what it was, and what it was stays.
func TestExec(t *testing.T) {
	cmd := exec.Command("sh", "-c", "echo ready; read go; exec cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	r := NewResolver()
	defer r.Close()
	shell, err := r.Capture(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	unseen := Stack{PCs: []uint64{1}, Program: shell.program.hash()}
	if _, ok := shell.Learn(unseen); !ok {
		t.Error("the same program is taken for another")
	}
	if _, err := in.Write([]byte("go\nline\n")); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "line" { // that is cat
		t.Fatalf("%q", lines.Text())
	}
	before := shell.maps[0].path
	if _, ok := shell.Learn(unseen); ok || shell.maps[0].path != before {
		t.Errorf("%s is taken for %s", shell.maps[0].path, before)
	}
	cat, err := r.Capture(cmd.Process.Pid)
	if err != nil || !strings.HasSuffix(cat.maps[0].path, "/cat") {
		t.Errorf("%v, %+v", err, cat)
	}
	unseen.Program = cat.program.hash()
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, ok := cat.Learn(unseen); !ok || len(cat.maps) == 0 {
		t.Error("a process that has ended is taken for another program")
	}
}
