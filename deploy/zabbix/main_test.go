// Package zabbix_test tries the agent's configuration on the real agent, and checks the template against what it serves.
package zabbix_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// binaryEnv names a binary of tcptrail to test, for where there is no Go.
const binaryEnv = "TCPTRAIL_BINARY"

func TestMain(m *testing.M) { os.Exit(nettest.Main(m)) }

// binary returns what cmd/tcptrail is built to. The tests make copies of it.
var binary = sync.OnceValues(func() (content []byte, err error) {
	if path := os.Getenv(binaryEnv); path != "" {
		return os.ReadFile(path)
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		return nil, errors.New("there is no go in PATH, and " + binaryEnv + " names no binary: build cmd/tcptrail and set it")
	}
	dir, err := os.MkdirTemp("", "tcptrail-test-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "tcptrail")
	cmd := exec.Command(goTool, "build", "-buildvcs=false", "-o", path, "github.com/tcptrail/tcptrail/cmd/tcptrail")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
	}
	return os.ReadFile(path)
})

// program returns where a program of a Debian package is.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name, pkg)
	}
	return path
}

// missing ends the test: it fails in CI, which has what is needed, and is skipped elsewhere.
func missing(t *testing.T, what, pkg string) {
	t.Helper()
	sentence := what + " is not there: install the Debian package " + pkg
	if os.Getenv("CI") != "" {
		t.Fatal(sentence)
	}
	t.Skip(sentence)
}
