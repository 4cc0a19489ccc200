// Package systemd_test checks the units by systemd-analyze, and runs tcptrail with no more than they allow.
package systemd_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// binaryEnv names a binary of tcptrail to test, for where there is no Go.
const binaryEnv = "TCPTRAIL_BINARY"

func TestMain(m *testing.M) {
	code := nettest.Main(m)
	if workshop != "" {
		if err := os.RemoveAll(workshop); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// workshop is where the binary is, a directory that every user may enter; "" while there is none.
var workshop string

// build returns the path of the binary.
var build = sync.OnceValues(func() (path string, err error) {
	if workshop, err = os.MkdirTemp("", "tcptrail-test-"); err != nil {
		return "", err
	}
	if err := os.Chmod(workshop, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(workshop, "tcptrail")
	if given := os.Getenv(binaryEnv); given != "" {
		content, err := os.ReadFile(given)
		return path, errors.Join(err, os.WriteFile(path, content, 0o755))
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("there is no go in PATH, and " + binaryEnv + " names no binary: build cmd/tcptrail and set it")
	}
	cmd := exec.Command(goTool, "build", "-buildvcs=false", "-o", path, "github.com/tcptrail/tcptrail/cmd/tcptrail")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
})

func mustBinary(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatalf("make the binary to test: %v", err)
	}
	return path
}

// program returns where a program of a Debian package is. Without it the test fails in CI, and is skipped elsewhere.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing := name + " is not there: install the Debian package " + pkg
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return path
}

// unit is what a unit file says, by key; a key may come more than once.
type unit map[string][]string

// readUnit reads files, later ones as drop-ins of the first.
func readUnit(t *testing.T, names ...string) unit {
	t.Helper()
	u := make(unit)
	for _, name := range names {
		for line := range strings.Lines(readFile(t, name)) {
			key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
			if ok && !strings.HasPrefix(key, "#") {
				u[key] = append(u[key], value)
			}
		}
	}
	return u
}

// words returns the words of all values of a key.
func (u unit) words(key string) []string { return strings.Fields(strings.Join(u[key], " ")) }

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
