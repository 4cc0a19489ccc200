package zabbix_test

import (
	encoding "encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/privilege"
)

// installed is where tcptrail.conf has tcptrail.
const installed = "/usr/local/lib/zabbix/tcptrail"

// agentUser is whom the agent runs as, in place of zabbix: nobody, who is on every host.
const agentUser = 65534

// agent is the real one with the configuration of this directory.
type agent struct {
	ns           *nettest.NS
	path, config string
}

// newAgent installs tcptrail for an agent in the namespace, as README.md says: for nobody else, with capabilities in
// the file. Each edit, an old and a new text, is made in the configuration.
func newAgent(t *testing.T, ns *nettest.NS, caps privilege.Set, edits ...string) *agent {
	t.Helper()
	a := &agent{ns: ns, path: program(t, "zabbix_agentd", "zabbix-agent")}
	dir, err := publicDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	install(t, filepath.Join(dir, "tcptrail"), caps)
	parameters := readFile(t, "tcptrail.conf")
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(parameters, edits[i]) {
			t.Fatalf("tcptrail.conf has no %q", edits[i])
		}
		parameters = strings.ReplaceAll(parameters, edits[i], edits[i+1])
	}
	parameters = strings.ReplaceAll(parameters, installed, filepath.Join(dir, "tcptrail"))
	must(t, os.WriteFile(filepath.Join(dir, "parameters.conf"), []byte(parameters), 0o644))
	a.config = filepath.Join(dir, "agentd.conf")
	config := "LogType=console\nServer=127.0.0.1\nInclude=" + filepath.Join(dir, "parameters.conf") + "\n"
	must(t, os.WriteFile(a.config, []byte(config), 0o644))
	return a
}

// publicDir makes a directory that others may enter, as they may not t.TempDir.
func publicDir() (string, error) {
	dir, err := os.MkdirTemp("", "tcptrail-test-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

func install(t *testing.T, path string, caps privilege.Set) {
	t.Helper()
	content, err := binary()
	if err != nil {
		t.Fatalf("make the binary to test: %v", err)
	}
	must(t, os.WriteFile(path, content, 0o700))
	must(t, os.Chown(path, 0, agentUser))
	must(t, os.Chmod(path, 0o750))
	if caps == 0 {
		return
	}
	// What setcap writes, struct vfs_cap_data of include/uapi/linux/capability.h: VFS_CAP_REVISION_2 with
	// VFS_CAP_FLAGS_EFFECTIVE, then permitted and inheritable sets, low words first.
	data := []uint32{0x02000001, uint32(caps), 0, uint32(caps >> 32), 0}
	var attribute []byte
	for _, word := range data {
		attribute = encoding.LittleEndian.AppendUint32(attribute, word)
	}
	must(t, syscall.Setxattr(path, "security.capability", attribute, 0))
}

// answer is what zabbix_agentd -t prints for a key.
type answer struct {
	kind string // t: text, m: a message, for what the agent refuses
	text string
}

var answerForm = regexp.MustCompile(`(?s)^ *\[([a-z])\|(.*)\]\n$`)

// number says what the server stores for a numeric item; else the item becomes unsupported.
func (r answer) number() (string, bool) {
	return r.text, r.kind == "t" && regexp.MustCompile(`^[0-9]+$`).MatchString(r.text)
}

// ask asks the agent for a key.
func (a *agent) ask(t *testing.T, key string) answer {
	t.Helper()
	var out []byte
	err := a.ns.Do(func() (err error) {
		cmd := exec.CommandContext(t.Context(), a.path, "-c", a.config, "-t", key) // starts on this thread
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: agentUser, Gid: agentUser}}
		cmd.Dir = "/"
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		t.Fatalf("zabbix_agentd -t %q: %v\n%s", key, err, out)
	}
	parts := answerForm.FindStringSubmatch(strings.TrimPrefix(string(out), key))
	if parts == nil {
		t.Fatalf("zabbix_agentd -t %q says %q", key, out)
	}
	return answer{parts[1], parts[2]}
}

// wantNumber wants a number, and that one.
func (a *agent) wantNumber(t *testing.T, key, want string) {
	t.Helper()
	r := a.ask(t, key)
	if got, ok := r.number(); !ok || got != want {
		t.Errorf("%s: %q, want %s", key, r, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
