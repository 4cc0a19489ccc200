package systemd_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// nobody is whom tcptrail runs as here, in place of a user of its own.
const nobody = "65534"

// systemCalls returns the system calls that the unit allows.
func (u unit) systemCalls(t *testing.T) map[string]bool {
	t.Helper()
	allowed := make(map[string]bool)
	for _, value := range u["SystemCallFilter"] {
		list, denied := strings.CutPrefix(value, "~")
		for _, word := range strings.Fields(list) {
			for name := range expand(t, word) {
				allowed[name] = !denied
			}
		}
	}
	maps.DeleteFunc(allowed, func(_ string, ok bool) bool { return !ok })
	if len(allowed) == 0 {
		t.Fatal("the unit has no SystemCallFilter")
	}
	return allowed
}

// expand returns the system calls of a group, or the one that word is.
func expand(t *testing.T, word string) map[string]bool {
	t.Helper()
	if !strings.HasPrefix(word, "@") {
		return map[string]bool{word: true}
	}
	out, err := exec.CommandContext(t.Context(), program(t, "systemd-analyze", "systemd"), "syscall-filter", word).Output()
	if err != nil {
		t.Fatalf("systemd-analyze syscall-filter %s: %v", word, err)
	}
	names := make(map[string]bool)
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && line != word && line[0] != '#' {
			maps.Copy(names, expand(t, line))
		}
	}
	return names
}

// confine runs tcptrail with the unit's capabilities and without any other privilege, and returns what it printed and
// the system calls that it made, a line each as strace writes it, without the process.
func (u unit) confine(t *testing.T, ns *nettest.NS, args ...string) (stdout string, calls []string) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	binary := mustBinary(t)
	setpriv := []string{
		program(t, "strace", "strace"), "-f", "-qq", "-o", trace, "--",
		program(t, "setpriv", "util-linux"), "--reuid=" + nobody, "--regid=" + nobody, "--clear-groups", "--no-new-privs",
		"--inh-caps=" + setOf(u.words("AmbientCapabilities")), "--ambient-caps=" + setOf(u.words("AmbientCapabilities")),
		"--bounding-set=-all," + setOf(u.words("CapabilityBoundingSet")), "--", binary,
	}
	var out, stderr bytes.Buffer
	err := ns.Do(func() error {
		argv := append(setpriv, args...)
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...) // starts on this thread
		cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &stderr, "/"
		return cmd.Run()
	})
	if err != nil {
		t.Errorf("%q: %v\n%s", args, err, &stderr)
	}
	before, after, ok := strings.Cut(readFile(t, trace), "execve("+strconv.Quote(binary))
	if !ok {
		t.Fatalf("%q: strace saw no tcptrail: %s", args, before)
	}
	call := regexp.MustCompile(`^\d+ +([a-z0-9_]+\(.*)`)
	for line := range strings.Lines(after) {
		if parts := call.FindStringSubmatch(line); parts != nil {
			calls = append(calls, parts[1])
		}
	}
	return out.String(), calls
}

// setOf writes capabilities as setpriv wants them: +bpf,+perfmon.
func setOf(caps []string) string {
	var words []string
	for _, c := range caps {
		words = append(words, "+"+strings.ToLower(strings.TrimPrefix(c, "CAP_")))
	}
	return strings.Join(words, ",")
}

// check complains of calls that would fail under the unit.
func (u unit) check(t *testing.T, what string, calls []string) {
	t.Helper()
	allowed, families, seen := u.systemCalls(t), u.words("RestrictAddressFamilies"), make(map[string]bool)
	for _, call := range calls {
		name, args, _ := strings.Cut(call, "(")
		first, _, _ := strings.Cut(args, ",")
		switch {
		case !allowed[name]:
			call = name // once
		case name == "socket" && !slices.Contains(families, first):
		case name == "setns" && !(strings.Contains(args, "CLONE_NEWNET") && slices.Contains(u.words("RestrictNamespaces"), "net")):
		case strings.Contains(args, "PROT_WRITE") && strings.Contains(args, "PROT_EXEC"): // MemoryDenyWriteExecute
		default:
			continue
		}
		if !seen[call] {
			t.Errorf("%s: the unit does not allow %s", what, call)
		}
		seen[call] = true
	}
}

// dirOfNobody returns a directory in place of those that the unit makes.
func dirOfNobody(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tcptrail") //nolint:usetesting // t.TempDir is in one that others may not enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	id, err := strconv.Atoi(nobody)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, id, id); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestPrivilegedNoMoreThanTheUnitAllows runs what serve and log are made of.
func TestPrivilegedNoMoreThanTheUnitAllows(t *testing.T) {
	ns := nettest.NewNS(t)
	actor := nettest.StartActor(t, ns, "actor")
	listener := actor.Listen(nettest.Loopback4(0), 1)
	client := actor.Dial(listener.Local())
	server := listener.Accept()
	client.Shutdown()
	server.WaitState(nettest.CloseWait)

	elsewhere := nettest.NewNS(t)
	for _, test := range []struct {
		name  string
		ns    *nettest.NS
		files []string
		args  string
		want  string // in the output
	}{
		{"trace", ns, []string{serveUnit}, "trace --duration 200ms", ""},
		{"trace log", ns, []string{logUnit}, "trace --duration 200ms -o json", ""},
		{"list", ns, []string{serveUnit}, "list --netns self", "CLOSE_WAIT"},
		{"count", ns, []string{serveUnit}, "count -o json --netns self", `"CLOSE_WAIT":1,`},
		{"quick count", ns, []string{serveUnit}, "count CLOSE_WAIT --netns self", "1\n"},
		{"leaks", ns, []string{serveUnit}, "leaks --netns self --duration 500ms --limit CLOSE_WAIT=1ms", "CLOSE_WAIT"},
		{"serve", ns, []string{serveUnit}, "serve --netns self --listen 127.0.0.1:0 --duration 500ms --alert-file DIR/alerts --limit CLOSE_WAIT=1ms", ""},
		{"log", ns, []string{logUnit}, "log --dir DIR/log --netns self --duration 500ms", ""},
		{"log all", elsewhere, []string{logUnit, allNamespaces}, "log --dir DIR/log --duration 500ms", ""},
		{"serve all", elsewhere, []string{serveUnit, allNamespaces}, "serve --listen unix:DIR/s --duration 500ms", ""},
		{"list all", elsewhere, []string{serveUnit, allNamespaces}, "list", "CLOSE_WAIT"},
		{"quick count all", elsewhere, []string{serveUnit, allNamespaces}, "count CLOSE_WAIT pid " + strconv.Itoa(actor.PID()), "1\n"},
		{"leaks all", elsewhere, []string{serveUnit, allNamespaces}, "leaks --duration 500ms --limit CLOSE_WAIT=1ms", "CLOSE_WAIT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			u := readUnit(t, test.files...)
			out, calls := u.confine(t, test.ns, strings.Fields(strings.ReplaceAll(test.args, "DIR", dirOfNobody(t)))...)
			if !strings.Contains(out, test.want) {
				t.Errorf("%q, want %q", out, test.want)
			}
			u.check(t, test.name, calls)
		})
	}
}

// TestCheckComplains: the test above would see what a unit forbids.
func TestCheckComplains(t *testing.T) {
	u := readUnit(t, serveUnit)
	allowed := u.systemCalls(t)
	for name, want := range map[string]bool{
		"bpf": true, "capset": true, "futex": true, "mount": false, "perf_event_open": false, "setuid": false, "chown": false,
		"sched_setaffinity": false, "pidfd_getfd": false,
	} {
		if allowed[name] != want {
			t.Errorf("%s is allowed: %v, want %v", name, allowed[name], want)
		}
	}
	if !readUnit(t, serveUnit, allNamespaces).systemCalls(t)["pidfd_getfd"] {
		t.Error("pidfd_getfd is not allowed by " + allNamespaces)
	}
}
