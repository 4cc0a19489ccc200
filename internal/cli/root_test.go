package cli

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// helpColumns is what help fits into: a terminal that nobody made larger.
const helpColumns = 80

func TestHelp(t *testing.T) {
	for _, test := range []struct{ args, golden string }{
		{"--help", "help"},
		{"-h", "help"},
		{"help", "help"},
		{"-4 -6 --help", "help"},
		{"trace --help", "help-trace"},
		{"help trace", "help-trace"},
		{"list --help", "help-list"},
		{"help list", "help-list"},
		{"list nonsense -h", "help-list"},
		{"count --help", "help-count"},
		{"help count", "help-count"},
		{"leaks --help", "help-leaks"},
		{"help leaks", "help-leaks"},
		{"log --help", "help-log"},
		{"serve --help", "help-serve"},
		{"replay --help", "help-replay"},
		{"help replay leaks", "help-replay-leaks"},
		{"help completion", "help-completion"},
	} {
		w := newWorld(t)
		code := w.run(strings.Fields(test.args)...)
		w.wants(code, ExitDone, "")
		got := w.stdout.String()
		path := filepath.Join("testdata", test.golden+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: differs from %s (go test -update writes it):\n%s", test.args, path, got)
		}
		for line := range strings.Lines(got) {
			if len(line) > helpColumns+len("\n") {
				t.Errorf("%s: %d columns: %s", test.args, len(line)-1, line)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"--version", "-v"} {
		w := newWorld(t)
		code := w.run(arg)
		w.wants(code, ExitDone, "")
		if got := w.stdout.String(); got != "tcptrail v1.2.3\n" {
			t.Errorf("%s: %q", arg, got)
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		w := newWorld(t)
		code := w.run("completion", shell)
		w.wants(code, ExitDone, "")
		if got := w.stdout.String(); !strings.Contains(got, shell) || strings.Count(got, "\n") < 50 {
			t.Errorf("%s: no script: %q", shell, got)
		}
	}
}

// The shell asks by the hidden command __complete; the last line answers what else it may offer, 4 for no files.
func TestCompletionOfValues(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string // a value that is offered, "" for any or none
		last string
	}{
		{[]string{""}, "trace\tPrint every TCP transition as it happens", ":4"},
		{[]string{""}, "list\tList sockets: state, age, queues, owner", ":4"},
		{[]string{"trace", ""}, "dport", ":4"},
		{[]string{"trace", "state", ""}, "CLOSE_WAIT", ":4"},
		{[]string{"list", ""}, "age", ":4"},
		{[]string{"list", "exclude", ""}, "LISTEN", ":4"},
		{[]string{"list", "state", "TIME"}, "TIME_WAIT", ":4"},
		{[]string{"list", "state", "listening", ""}, "recvq", ":4"},
		{[]string{"list", "autobound", ""}, "sport", ":4"},
		{[]string{"list", "age", ""}, "", ":4"},
		{[]string{"list", "--sort", ""}, "recvq", ":4"},
		{[]string{"list", "--state", ""}, "CLOSE_WAIT", ":4"},
		{[]string{"list", "-o", ""}, "csv", ":4"},
		{[]string{"list", "--top", ""}, "", ":4"},
		{[]string{"count", ""}, "CLOSE_WAIT", ":4"},
		{[]string{"count", ""}, "ZOMBIE", ":4"},
		{[]string{"count", ""}, "state", ":4"},
		{[]string{"count", "CLOSE_WAIT", ""}, "age", ":4"},
		{[]string{"count", "--by", ""}, "remote-addr", ":4"},
		{[]string{"count", "--netns", ""}, "self", ":0"},
		{[]string{"trace", "--state", ""}, "CLOSE_WAIT", ":4"},
		{[]string{"--state", "CLOSE"}, "CLOSE_WAIT", ":4"},
		{[]string{"--output", ""}, "json", ":4"},
		{[]string{"--time="}, "relative", ":4"},
		{[]string{"--color", ""}, "never", ":4"},
		{[]string{"--netns", ""}, "self", ":0"},
		{[]string{"--cgroup", ""}, "self", ":0"},
		{[]string{"--pid", ""}, "", ":4"},
		{[]string{"completion", ""}, "bash\tGenerate the autocompletion script for bash", ":4"},
		{[]string{"help", ""}, "", ":4"},
	} {
		w := newWorld(t)
		if code := w.run(append([]string{"__complete"}, test.args...)...); code != ExitDone {
			t.Errorf("%q: exit %d", test.args, code)
		}
		lines := strings.Split(strings.TrimSpace(w.stdout.String()), "\n")
		if test.want != "" && !slices.Contains(lines, test.want) || lines[len(lines)-1] != test.last {
			t.Errorf("%q: %q, want %q and %s", test.args, lines, test.want, test.last)
		}
	}
}
