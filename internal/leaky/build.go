package leaky

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
	"testing"
)

//go:embed testdata
var sources embed.FS

// Workshop builds programs, each of them once, into a directory that is removed with its test. Any goroutine may use it.
type Workshop struct {
	dir  string
	mu   sync.Mutex
	argv map[string][]string // by name
}

// NewWorkshop returns a Workshop in which nothing is built yet.
func NewWorkshop(tb testing.TB) *Workshop {
	tb.Helper()
	w := &Workshop{dir: tb.TempDir(), argv: map[string][]string{}}
	if err := os.CopyFS(w.dir, sources); err != nil {
		tb.Fatal(err)
	}
	return w
}

// tools are the programs that are needed, and the Debian packages that have them.
var tools = map[string]string{"gcc": "gcc and libc6-dev", "go": "golang-go", "python3": "python3"}

// Build returns the command that runs a program: the source's name with its language, as "c/prefork".
func (w *Workshop) Build(tb testing.TB, name string) []string {
	tb.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.argv[name] == nil {
		argv, err := w.build(name)
		if err != nil {
			tb.Fatalf("build %s: %v", name, err)
		}
		w.argv[name] = argv
	}
	return append([]string(nil), w.argv[name]...)
}

func (w *Workshop) build(name string) ([]string, error) {
	language, base := path.Split(name)
	dir := filepath.Join(w.dir, "testdata", language)
	program := filepath.Join(dir, base)
	switch language {
	case "python/":
		python, err := find("python3")
		return []string{python, program + ".py"}, err
	case "c/":
		return []string{program}, w.run(dir, "gcc", "-O2", "-Wall", "-pthread", "-o", program, base+".c")
	case "go/":
		// As internal/cli builds the tool, so that the standard library is compiled once for both.
		return []string{program}, w.run(dir, "go", "build", "-buildvcs=false", "-o", program, "report.go", base+".go")
	}
	return nil, fmt.Errorf("%w: no such language", fs.ErrNotExist)
}

func (w *Workshop) run(dir, name string, args ...string) error {
	tool, err := find(name)
	if err != nil {
		return err
	}
	cmd := exec.Command(tool, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GO111MODULE=on", "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

func find(tool string) (string, error) {
	found, err := exec.LookPath(tool)
	if err != nil {
		return "", fmt.Errorf("%s is not there: install the Debian package %s", tool, tools[tool])
	}
	return found, nil
}
