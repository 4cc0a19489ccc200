package proc

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"testing"
)

func TestDescendants(t *testing.T) {
	fs := tree(t, map[string]string{
		"1/stat":   "1 (init) S 0 1",
		"10/stat":  "10 (a) b) S 1 10",
		"11/stat":  "11 (child) S 10 10",
		"12/stat":  "12 (grand child) Z 11 10",
		"13/stat":  "13 (other) S 1 13",
		"14/stat":  "14 (cut", // has no parent
		"15/stat":  "15 (circle) S 16 1",
		"16/stat":  "16 (circle) S 15 1",
		"17/comm":  "has ended",
		"self/net": "",
	})
	got, err := fs.Descendants(10)
	if want := []uint32{11, 12}; err != nil || !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := fs.Descendants(12); err != nil || len(got) != 0 {
		t.Errorf("%v, %v, want none", got, err)
	}
	if _, err := (FS{Root: fs.Root + "/none"}).Descendants(1); err == nil {
		t.Error("no error without /proc")
	}
}

func TestDescendantsOfSelf(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	got, err := FS{Root: "/proc"}.Descendants(uint32(os.Getpid()))
	if err != nil || !got[uint32(cmd.Process.Pid)] {
		t.Errorf("%v, %v, want %d among them", got, err, cmd.Process.Pid)
	}
}
