package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// binaryEnv names a binary of tcptrail to test, for where there is no Go: in a virtual machine, or under sudo.
const binaryEnv = "TCPTRAIL_BINARY"

func TestMain(m *testing.M) {
	if how := os.Getenv(confineEnv); how != "" {
		fmt.Fprintf(os.Stderr, "%s: %v\n", how, confine(how, os.Args[1:]))
		os.Exit(1)
	}
	if what := os.Getenv(leaverEnv); what != "" {
		if err := leave(what); err != nil {
			fmt.Fprintf(os.Stderr, "leave %s: %v\n", what, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := nettest.Main(m)
	if path := builtIn.Name(); path != "" {
		if err := os.RemoveAll(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// workshop is a directory that every user may enter, unlike t.TempDir.
type workshop struct {
	once   sync.Once
	dir    string
	binary string
	err    error
}

// builtIn holds the binary that the privileged tests run, made by the first of them.
var builtIn workshop

// Name returns the directory, "" if there is none yet.
func (w *workshop) Name() string { return w.dir }

// mustBinary returns the path of the binary.
func mustBinary(t *testing.T) string {
	t.Helper()
	builtIn.once.Do(func() { builtIn.err = builtIn.make() })
	if builtIn.err != nil {
		t.Fatalf("make the binary to test: %v", builtIn.err)
	}
	return builtIn.binary
}

func (w *workshop) make() (err error) {
	if w.dir, err = publicDir(""); err != nil {
		return err
	}
	w.binary = filepath.Join(w.dir, "tcptrail")
	if path := os.Getenv(binaryEnv); path != "" {
		return copyFile(w.binary, path)
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		return errors.New("there is no go in PATH, and " + binaryEnv + " names no binary: build cmd/tcptrail and set it")
	}
	cmd := exec.Command(goTool, "build", "-buildvcs=false", "-o", w.binary, "github.com/tcptrail/tcptrail/cmd/tcptrail")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	return nil
}

// publicDir makes a directory that every user may enter, in parent or, if that is empty, where temporary ones are.
func publicDir(parent string) (string, error) {
	dir, err := os.MkdirTemp(parent, "tcptrail-test-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
