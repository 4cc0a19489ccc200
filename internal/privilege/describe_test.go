package privilege

import (
	"os"
	"strings"
	"testing"
)

func TestLackNamesTheRemedy(t *testing.T) {
	tests := []struct {
		name string
		lack lack
		want string
	}{
		{
			"user lacks all",
			lack{need: Trace, missing: Trace, binary: "/usr/bin/tcptrail"},
			"missing CAP_BPF, CAP_PERFMON: run as root, or: setcap cap_bpf,cap_perfmon+ep /usr/bin/tcptrail",
		}, {
			"setcap names all that is needed, not only what is missing",
			lack{need: Trace, missing: SetOf(Perfmon), binary: "/opt/my tools/it's"},
			`missing CAP_PERFMON: run as root, or: setcap cap_bpf,cap_perfmon+ep '/opt/my tools/it'\''s'`,
		}, {
			"root of a container",
			lack{need: Trace, missing: Trace, binary: "/tcptrail", root: true},
			"missing CAP_BPF, CAP_PERFMON although root: give it back where it was taken away, as by " +
				"docker run --cap-add BPF --cap-add PERFMON, or CapabilityBoundingSet= in a systemd unit",
		}, {
			"root of a user namespace",
			lack{need: Trace, missing: Trace, binary: "/tcptrail", root: true, foreign: true},
			"missing CAP_BPF, CAP_PERFMON in the initial user namespace, where alone it counts: " +
				"run as root of the host, not in a rootless container or under unshare -U",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.lack.String(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestDescribeIsOneLineAboutThisProcess(t *testing.T) {
	line := Describe(Trace, SetOf(BPF))
	if !strings.HasPrefix(line, "missing CAP_BPF") || strings.Contains(line, "\n") {
		t.Errorf("got %q", line)
	}
	if binary, err := os.Executable(); err == nil && os.Geteuid() != 0 && !strings.Contains(line, binary) {
		t.Errorf("%q does not name %s", line, binary)
	}
}

func TestShellQuote(t *testing.T) {
	tests := map[string]string{
		"":              "''",
		"/usr/bin/x-1":  "/usr/bin/x-1",
		"/a b":          "'/a b'",
		"/$(reboot)":    "'/$(reboot)'",
		"/it's":         `'/it'\''s'`,
		"/a\nb":         "'/a\nb'",
		"/ünïcode/tool": "'/ünïcode/tool'",
	}
	for path, want := range tests {
		if got := shellQuote(path); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", path, got, want)
		}
	}
}
