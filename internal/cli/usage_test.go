package cli

import (
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/kernel"
)

// Whatever is wrong is refused by one line that says what would be right, before anything is opened or given up.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"-4 -6", "-4 and -6 together leave nothing: give one of them, or neither for both"},
		{"--ipv4=maybe", `--ipv4 "maybe": leave the value out`},
		{"-p 99", "--pid: pid 99: no such process (ps -e lists those that run)"},
		{"-p 4243", "this is a thread of process 4242: give 4242"},
		{"-p web", `--pid: pid "web": give a number from 1 to 4194303`},
		{"-p 0", "give a number from 1"},
		{"-p -1", "give a number from 1"},
		{"-p 1,,4242", `pid ""`},
		{"--pid=", `--pid: pid "": give a number from 1`},
		{"--pid " + strings.Repeat("1,", kernel.MaxTargets) + "1", "--pid: 257 values are too many: give up to 256"},
		{"-p", "--pid needs a value: owner's process id"},
		{"--comm=", "--comm: \"\": name is empty: use a name or a pattern, as nginx or php*"},
		{"-c web[", "malformed pattern"},
		{"-c a-name-of-sixteen", `the kernel keeps 15 bytes of a name: use "a-name-of-sixte"`},
		{"-L 0", `--local-port: "0": port must be a number from 1 to 65535`},
		{"-L 65536", "from 1 to 65535"},
		{"-L http", "from 1 to 65535"},
		{"-L 90-80", `"90-80": range is reversed: use 80-90`},
		{"-L 80,", "use ports and ranges, as 80,443,8000-8100"},
		{"--local-port=", "use ports and ranges, as 80,443,8000-8100"},
		{"-D 80-", "both ends of a range"},
		{"--local 10.0.0.0/33", "prefix length must be 0 to 32"},
		{"--local 300.0.0.1", "use an address or a network, as 10.0.0.1, 10.0.0.0/8"},
		{"--local=", "use an address or a network"},
		{"--remote fe80::1%eth0", "leave the zone out"},
		{"--remote localhost", "not an IP address"},
		{"--state CLOSED_WAIT", `--state: unknown state "CLOSED_WAIT": use one of ESTABLISHED`},
		{"--state CLOSE_WAIT,", `unknown state ""`},
		{"--old=", `--old: unknown state ""`},
		{"--new 8", `--new: unknown state "8"`},
		{"--netns 99", "no such process"},
		{"--netns=", `--netns: network namespace "": give self, a pid, a name`},
		{"--netns /nowhere", "/nowhere"},
		{"--netns nowhere", "give self, a pid, a name"},
		{"--cgroup /nowhere", "--cgroup: "},
		{"--cgroup=", "--cgroup: "},
		{"-o xml", `--output: unknown output format "xml": use table, wide, json or csv`},
		{"-o", "--output needs a value: table, wide, json or csv"},
		{"-o=", "use table, wide, json or csv"},
		{"-T=epoch", `--time: unknown time style "epoch": use auto, clock, full, unix, relative or none`},
		{"-T epoch", `unknown command or argument "epoch": unknown time style "epoch": use auto, clock`},
		{"--time= -o wide", `unknown time style ""`},
		{"-T -o json", "--time full: json always has RFC 3339 in UTC: leave --time out, or use -o table or -o wide"},
		{"-T unix -o csv", "--time unix: csv always has RFC 3339 in UTC"},
		{"--color sometimes", `--color "sometimes": use auto, always or never`},
		{"-n -1", `--limit: "-1": use a whole number, as 1000`},
		{"-n 1e3", `--limit: "1e3": use a whole number, as 1000`},
		{"-n 99999999999999999999", "use a whole number"},
		{"--limit=", "use a whole number"},
		{"--duration 5", `--duration: "5": use a number above 0 with its unit, as 500ms, 30s, 5m or 1h30m`},
		{"--duration -5s", "use a number above 0"},
		{"--duration 0s", "use a number above 0"},
		{"--duration soon", "use a number above 0"},
		{"--buffer 1T", `--buffer: "1T": use a size from 64K to 1G, as 512K or 16M`},
		{"--buffer 63K", "use a size from 64K"},
		{"--buffer 2G", "to 1G"},
		{"--buffer 18446744073709551616", "use a size"},
		{"--buffer 16I", "use a size"},
		{"--buffer 16MM", "use a size"},
		{"--buffer -16M", "use a size"},
		{"--buffer=", "use a size"},
		{"--nothing", "unknown flag: --nothing: see tcptrail --help"},
		{"--states CLOSE", "unknown flag: --states: did you mean --state?"},
		{"--port 80", "did you mean --local-port or --remote-port?"},
		{"-x", "unknown shorthand flag: 'x' in -x: see tcptrail --help"},
		{"trac", `unknown command or argument "trac": did you mean "trace"?`},
		{"trcae", `did you mean "trace"?`},
		{"frobnicate", `unknown command or argument "frobnicate": see tcptrail --help`},
		{"trace extra", `unknown command or argument "extra": see tcptrail --help`},
		{"-p 1 trace extra", `unknown command or argument "extra"`},
		{"trace -- -4", `unknown command or argument "-4"`},
		{"\x1b[31m", `unknown command or argument "\x1b[31m"`},
		{"--\x1b[31m", "unknown flag: --?[31m"},
		{"help nothing", `unknown command or argument "nothing"`},
		{"help tarce", `did you mean "trace"?`},
		{"help trace extra", `unknown command or argument "extra"`},
		{"completion", "completion needs a shell: bash, fish, powershell or zsh"},
		{"completion tcsh", `unknown command or argument "tcsh"`},
		{"completion bash extra", `unknown command or argument "extra"`},
		{"completion bash --nothing", "unknown flag: --nothing"},
	} {
		t.Run(test.args, func(t *testing.T) {
			w := newWorld(t)
			code := w.run(strings.Split(test.args, " ")...)
			got := w.stderr.String()
			if code != ExitUsage || !strings.Contains(got, test.want) {
				t.Errorf("exit %d: %swant %d: %s", code, got, ExitUsage, test.want)
			}
			if !strings.HasPrefix(got, "tcptrail: ") || strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") {
				t.Errorf("not one plain line: %q", got)
			}
			if len(w.opened)+len(w.kept) > 0 || w.stdout.String() != "" {
				t.Errorf("opened %d, kept %d times, wrote %q", len(w.opened), len(w.kept), w.stdout)
			}
		})
	}
}

func TestOneLine(t *testing.T) {
	if got, want := oneLine("a: b\nc\x1b[2J\td\n"), "a: b; c?[2J?d"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
