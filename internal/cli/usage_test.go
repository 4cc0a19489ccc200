package cli

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/kernel"
)

// Whatever is wrong is refused by one line that says what would be right, and for a filter where, before anything is opened or given up.
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
		{"-T epoch", `"epoch" is neither a filter nor meant for --time: unknown time style "epoch": use auto, clock`},
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
		{"trac", `"trac" is neither a command nor a filter: did you mean "trace"?`},
		{"trcae", `did you mean "trace"?`},
		{"lst -4", `did you mean "list"?`},
		{"cuont", `did you mean "count"?`},
		{"frobnicate", `filter, column 1: unknown word "frobnicate": a predicate is one of state, exclude, src, `},
		{"trace extra", `filter, column 1: unknown word "extra"`},
		{"-p 1 trace extra", `filter, column 1: unknown word "extra"`},
		{"trace -- -4", `filter, column 1: unknown word "-4"`},
		{"list lst", `filter, column 1: unknown word "lst"`},
		{"list sport = :80 and (", "filter, column 18: filter ends where a predicate is missing"},
		{"list state", "filter, column 6: value of state is missing"},
		{"list pid 7,x", `pid "x": use a number, or self`},
		{"list netns nowhere", `netns "nowhere"`},
		{"trace recvq gt 0", "filter, column 1: no transition says recvq: use it with list or count"},
		{"dport = 1 and not dev lo", "filter, column "},
		{"count --interval 1s dport = 1 sendq gt 0", "filter, column 11: no transition says sendq: leave it out with --interval"},
		{"list CLOSE_WAIT", `"CLOSE_WAIT" is no filter: did you mean "state CLOSE_WAIT"?`},
		{"close-wait,zombie", `did you mean "state close-wait,zombie"?`},
		{"count CLOSE_WIAT", `"CLOSE_WIAT" is neither a filter nor a STATE: unknown state "CLOSE_WIAT": use one of ESTABLISHED, `},
		{"count CLOSE_WAIT foo", `"foo" is neither a filter nor a STATE`},
		{"count CLOSE_WAIT LISTEN", `"LISTEN" is no filter: did you mean "state LISTEN"?`},
		{"count CLOSE_WAIT --by pid", "with a STATE count prints one number: for --by and --interval write it as a filter, as state close-wait"},
		{"count zombie -i 1s", "with a STATE count prints one number"},
		{"count --by pid -i 1s", "--by and --interval do not go together: use one of them"},
		{"count --by", "--by needs a value: state, remote-addr"},
		{"count --by=", `--by: "": a name is missing: use one or more of state, remote-addr`},
		{"count --by pid,nothing", `--by: unknown key "nothing": use one or more of state, remote-addr`},
		{"count --by pid --by pid", `--by: "pid,pid": pid comes twice: name it once`},
		{"count --top 3", "--top goes with --by: it is the number of groups"},
		{"count --matrix", "--matrix goes with --interval: transitions take time"},
		{"count --duration 1s", "--duration goes with --interval: without it count ends at once"},
		{"count -i 1ms", "--interval 1ms: use 10ms or more"},
		{"count -i 5", "--interval: \"5\": use a number above 0 with its unit"},
		{"count --by pid --top x", "--top: \"x\": use a whole number"},
		{"count --limit 3", "unknown flag: --limit: see tcptrail count --help"},
		{"list --sort size", `--sort: unknown order "size": use one of age, recvq`},
		{"list --sort=", `--sort: unknown order ""`},
		{"list -o xml", `--output: unknown output format "xml"`},
		{"list -4 -6", "-4 and -6 together leave nothing"},
		{"list --old CLOSE", "unknown flag: --old: see tcptrail list --help"},
		{"list --interval 1s", "unknown flag: --interval"},
		{"\x1b[31m", "filter, column 1: invisible character U+001B"},
		{"list \u202etxt", "filter, column 1: invisible character U+202E"},
		{"list comm \xff", "filter, column 6: "},
		{"count --state CLOSE\u202e", `unknown state "CLOSE\u202e"`},
		{"--\x1b[31m", "unknown flag: --?[31m"},
		{"--\u202e\u2028", "unknown flag: --??"},
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
			checkRefusal(t, got)
			if len(w.opened)+len(w.kept)+len(w.look.ways) > 0 || w.stdout.String() != "" {
				t.Errorf("opened %d, kept %d times, wrote %q", len(w.opened), len(w.kept), w.stdout)
			}
		})
	}
}

// checkRefusal checks that stderr has one line, and for an error in a filter that line, the filter and a caret, without
// anything that a terminal would obey or hide.
func checkRefusal(t *testing.T, got string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	if !strings.HasPrefix(lines[0], "tcptrail: ") || !strings.HasSuffix(got, "\n") {
		t.Errorf("no line of ours: %q", got)
	}
	if len(lines) == 3 {
		if strings.Trim(lines[2], " ") != "^" || utf8.RuneCountInString(lines[2]) > utf8.RuneCountInString(lines[1])+1 ||
			!strings.HasPrefix(lines[0], "tcptrail: filter, column ") {
			t.Errorf("no caret below the filter: %q", got)
		}
	} else if len(lines) != 1 {
		t.Errorf("%d lines: %q", len(lines), got)
	}
	for _, line := range lines {
		if bad := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); bad >= 0 {
			t.Errorf("not printable: %q", line)
		}
	}
}

func TestOneLine(t *testing.T) {
	if got, want := oneLine("a: b\nc\x1b[2J\td\u202e\u200b\xff\n"), "a: b; c?[2J?d??\ufffd"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
