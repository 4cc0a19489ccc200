package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/privilege"
)

const (
	serveUnit     = "tcptrail.service"
	logUnit       = "tcptrail-log.service"
	allNamespaces = "all-namespaces.conf"
)

// installed is where the units have tcptrail.
const installed = "/usr/bin/tcptrail"

// install puts a unit, and drop-ins, into a directory as they would be installed, with a tcptrail that exists, and
// returns the path.
func install(t *testing.T, name string, dropIns ...string) string {
	t.Helper()
	dir := t.TempDir()
	text := readFile(t, name)
	if !strings.Contains(text, "ExecStart="+installed+" ") {
		t.Fatalf("%s does not start %s", name, installed)
	}
	must(t, os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, installed, mustBinary(t))), 0o644))
	must(t, os.Mkdir(filepath.Join(dir, name+".d"), 0o755))
	for _, d := range dropIns {
		must(t, os.WriteFile(filepath.Join(dir, name+".d", d), []byte(readFile(t, d)), 0o644))
	}
	return filepath.Join(dir, name)
}

// analyze runs systemd-analyze and returns what it says, and whether it is content.
func analyze(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program(t, "systemd-analyze", "systemd"), args...).CombinedOutput()
	return string(out), err == nil
}

func verify(t *testing.T, path string) (string, bool) {
	t.Helper()
	return analyze(t, "verify", "--recursive-errors=yes", "--man=no", path)
}

// security says how the unit is judged, and whether its exposure is below a tenth of the threshold.
func security(t *testing.T, path, threshold string) (string, bool) {
	t.Helper()
	return analyze(t, "security", "--no-pager", "--offline=true", "--threshold="+threshold, path)
}

func TestUnitsAreValid(t *testing.T) {
	for _, names := range [][]string{{serveUnit}, {logUnit}, {serveUnit, allNamespaces}, {logUnit, allNamespaces}} {
		if out, ok := verify(t, install(t, names[0], names[1:]...)); !ok || out != "" {
			t.Errorf("%q: %s", names, out)
		}
	}
	// So that the above means something.
	path := install(t, serveUnit)
	must(t, os.WriteFile(path, []byte(strings.Replace(readFile(t, path), "ProtectHome=", "ProtectHom=", 1)), 0o644))
	if out, ok := verify(t, path); ok {
		t.Errorf("systemd-analyze verify takes a directive that does not exist: %s", out)
	}
}

// TestExposure wants less than 2.0 of the units. The drop-in's capabilities alone make more: if they did not, it was not
// read, or could be the unit's own.
func TestExposure(t *testing.T) {
	for _, name := range []string{serveUnit, logUnit} {
		if out, ok := security(t, install(t, name), "20"); !ok {
			t.Errorf("%s: %s", name, out)
		}
	}
	path := install(t, serveUnit, allNamespaces)
	if out, ok := security(t, path, "20"); ok {
		t.Errorf("%s may be part of the unit: %s", allNamespaces, out)
	}
	if out, ok := security(t, path, "30"); !ok {
		t.Errorf("%s: %s", allNamespaces, out)
	}
}

// TestCapabilities: what the units give is what internal/privilege says is needed.
func TestCapabilities(t *testing.T) {
	for _, test := range []struct {
		names []string
		want  privilege.Set
	}{
		{[]string{serveUnit}, privilege.Trace},
		{[]string{logUnit}, privilege.Trace},
		{[]string{serveUnit, allNamespaces}, privilege.Trace | privilege.Namespaces},
	} {
		u := readUnit(t, test.names...)
		for _, key := range []string{"AmbientCapabilities", "CapabilityBoundingSet"} {
			got := u.words(key)
			slices.Sort(got)
			if text := strings.Join(got, ", "); text != test.want.String() {
				t.Errorf("%q: %s=%s, want %s", test.names, key, text, test.want)
			}
		}
	}
}

// TestUserAndDirectory installs sysusers.conf and tmpfiles.conf into an empty root.
func TestUserAndDirectory(t *testing.T) {
	root := t.TempDir()
	must(t, os.Mkdir(filepath.Join(root, "etc"), 0o755))
	here, err := os.Getwd()
	must(t, err)
	for _, args := range [][]string{
		{"systemd-sysusers", "--root=" + root, filepath.Join(here, "sysusers.conf")},
		{"systemd-tmpfiles", "--root=" + root, "--create", filepath.Join(here, "tmpfiles.conf")},
	} {
		if out, err := exec.CommandContext(t.Context(), program(t, args[0], "systemd"), args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	u := readUnit(t, serveUnit)
	user := u.words("User")[0]
	if passwd := readFile(t, filepath.Join(root, "etc/passwd")); !strings.HasPrefix(passwd, user+":") {
		t.Errorf("no user %s in %q", user, passwd)
	}
	dir := strings.TrimPrefix(u.words("ReadWritePaths")[0], "-")
	if st, err := os.Stat(filepath.Join(root, dir)); err != nil || !st.IsDir() || st.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v", dir, st, err)
	}
}
