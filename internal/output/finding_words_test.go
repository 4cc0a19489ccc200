package output

import (
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/leak"
)

// A process chooses its name, and must not look like another one.
func TestNamesCannotFakePids(t *testing.T) {
	for name, want := range map[string]string{
		"nginx":           "nginx[7]",
		"kworker/u8:3-ev": "kworker/u8:3-ev[7]",
		"":                "process 7",
		"sshd[1]":         `"sshd[1]"[7]`,
		") S 1 1 1 [9":    `") S 1 1 1 [9"[7]`,
		"tmux: server":    `"tmux: server"[7]`,
		`a"[1] "b\`:       `"a\"[1] \"b\\"[7]`,
		"a;b":             `"a;b"[7]`,
		"\x1b[31m":        `"?[31m"[7]`,
		"g\xc3\xbcl":      "g??l[7]",
	} {
		c := comm(name)
		if got := process(7, &c); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}

// Nobody is blamed who has data left to send.
func TestPeerIsBlamedOnlyAtFault(t *testing.T) {
	const fault, unread, left = "that one is at fault", "it has data left to send, and this end does not read", "it has data left to send"
	for _, test := range []struct {
		atFault bool
		signs   leak.Signs
		want    string
		json    string
	}{
		{true, leak.SignHeld, fault, `"at_fault":true`},
		{true, leak.SignUnreadData, fault, `"at_fault":true`},
		{false, leak.SignUnreadData, unread, `"at_fault":false`},
		{false, leak.SignHeld, left, `"at_fault":false`},
	} {
		f := findings()[6]
		f.Peer.AtFault, f.Signs = test.atFault, test.signs
		if got := NewFindings(nil, findingOptions(Table, 0)).peer(&f); !strings.Contains(got, ": "+test.want+";") {
			t.Errorf("%+v: %s", test, got)
		}
		if got := report(t, findingOptions(JSON, 0), f); !strings.Contains(got, test.json) {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

// A socket whose process is not known may be in a network namespace that one has to enter in another way.
func TestCommandsFindTheNamespace(t *testing.T) {
	names := map[uint32]string{
		2: "blue", 3: "/run/docker/netns/1ab2c3d4e5f6", 4: "a b", 5: "$(reboot)", 6: "-all", 7: "\x1b[31m", 8: "/mnt/it's",
	}
	o := FindingOptions{NetNS: 1, Names: HostNames{NetNS: func(inode uint32) string { return names[inode] }}, Location: zone}
	for netns, want := range map[uint32]string{
		1: "ss ", 2: "ip netns exec blue ss ", 3: "nsenter --net=/run/docker/netns/1ab2c3d4e5f6 ss ",
		4: "", 5: "", 6: "", 7: "", 8: "", 9: "", 0: "",
	} {
		f := findings()[9]
		f.Sample[0].Socket.NetNS = netns
		commands := NewFindings(nil, o).adviceFor(&f).Verify
		if want == "" && len(commands) > 0 || want != "" && (len(commands) == 0 || !strings.HasPrefix(commands[0], want)) {
			t.Errorf("%d (%q): %q, want %q", netns, names[netns], commands, want)
		}
	}
	f := findings()[9]
	f.Sample[0].Socket.NetNS = 1
	if commands := NewFindings(nil, FindingOptions{}).adviceFor(&f).Verify; len(commands) > 0 {
		t.Errorf("%q, although our own namespace is not known", commands)
	}
}
