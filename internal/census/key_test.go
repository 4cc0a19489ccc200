package census

import (
	"slices"
	"strings"
	"testing"
)

var everyKey = []Key{
	ByState, ByRemoteAddr, ByRemotePort, ByLocalAddr, ByLocalPort, ByProcess, ByPID, ByUID, ByCgroup, ByNetNS,
}

func TestEveryKeyHasItsNames(t *testing.T) {
	if len(everyKey) != len(keyNames)-1 {
		t.Fatalf("%d keys, %d names", len(everyKey), len(keyNames)-1)
	}
	for _, k := range everyKey {
		for _, name := range []string{
			k.String(), k.JSON(), strings.ToUpper(k.String()), strings.ReplaceAll(k.String(), "-", ""),
		} {
			keys, err := ParseKeys(name)
			if err != nil || !slices.Equal(keys, []Key{k}) {
				t.Errorf("ParseKeys(%q) = %v, %v, want %v", name, keys, err, k)
			}
		}
	}
	if got := ByRemoteAddr.JSON(); got != "remote_addr" {
		t.Errorf("JSON() = %q", got)
	}
	for _, k := range []Key{0, 200} {
		if k.String() != "" || k.JSON() != "" || k.Number() {
			t.Errorf("Key(%d) has a name, %q, or is a number", uint8(k), k)
		}
	}
}

func TestParseKeysKeepsTheOrder(t *testing.T) {
	keys, err := ParseKeys("remote_addr,state,Local-Port,comm,rport")
	want := []Key{ByRemoteAddr, ByState, ByLocalPort, ByProcess, ByRemotePort}
	if err != nil || !slices.Equal(keys, want) {
		t.Errorf("got %v, %v, want %v", keys, err, want)
	}
}

func TestParseKeysRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                "a name is missing",
		"state,":          "a name is missing",
		"state,,pid":      "a name is missing",
		"port":            `unknown key "port"`,
		"state, pid":      `unknown key " pid"`,
		"pid\x1b[2J":      `unknown key "pid\x1b[2J"`,
		"pid,state,pid":   "pid comes twice",
		"comm,process":    "process comes twice",
		"--":              `unknown key "--"`,
		"remote-addr-one": `unknown key "remote-addr-one"`,
	} {
		keys, err := ParseKeys(text)
		if err == nil {
			t.Errorf("ParseKeys(%q) = %v, want an error", text, keys)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("ParseKeys(%q): %q does not say %q", text, err, want)
		}
		if !strings.Contains(want, "twice") {
			for _, k := range everyKey {
				if !strings.Contains(err.Error(), k.String()) {
					t.Errorf("ParseKeys(%q): %q does not name %s", text, err, k)
				}
			}
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add("state,remote-addr")
	f.Add("-_,")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseKeys(text)
		if err != nil {
			return
		}
		var names []string
		for _, k := range keys {
			names = append(names, k.String())
		}
		again, err := ParseKeys(strings.Join(names, ","))
		if err != nil || !slices.Equal(again, keys) || len(keys) > len(everyKey) {
			t.Errorf("%q gives %v, which gives %v, %v", text, keys, again, err)
		}
	})
}
