package filter

import (
	"path"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestMatchComm(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"nginx", "nginx", true},
		{"nginx", "nginxx", false},
		{"nginx", "ngin", false},
		{"nginx", "NGINX", false},
		{"n*x", "nginx", true},
		{"*", "nginx", true},
		{"*", "", true},
		{"ngin?", "nginx", true},
		{"ngin?", "ngin", false},
		{"[a-n]ginx", "nginx", true},
		{"[^n]ginx", "nginx", false},
		{`\[x\]`, "[x]", true},
		{"[x]", "x", true},
		{"[x]", "[x]", true},                         // a name that looks like a pattern is its own name too
		{"[", "[", true},                             // even a malformed one
		{"[", "x", false},                            // which matches nothing else
		{"kworker*", "kworker/0:1", false},           // path.Match
		{"kworker/*", "kworker/0:1", true},           //
		{"NetworkManager-", "NetworkManager-", true}, // 15 bytes
		{"a?", "a\xc3", true},                        // a name cut inside a character
		{"nginx", "nginx\x00old tail", true},
	}
	for _, test := range tests {
		name := comm(test.name)
		if got := matchComm([]string{test.pattern}, &name); got != test.want {
			t.Errorf("%q matches %q: %t, want %t", test.pattern, test.name, got, test.want)
		}
	}
}

func TestCheckComm(t *testing.T) {
	const malformed = `malformed pattern: use * ? [a-z], and \ before one of these in a name`
	const truncated = "the kernel keeps 15 bytes of a name: use "
	tests := []struct{ pattern, want string }{
		{"nginx", ""},
		{"*", ""},
		{"[a-z]*", ""},
		{`\[x\]`, ""},
		{"kworker/*", ""},
		{"fifteen-bytes-0", ""},
		{"[abcdefghijklmnopq]?", ""},
		{"", `"": name is empty: use a name or a pattern, as nginx or php*`},
		{"[", `"[": ` + malformed},
		{"nginx[", `"nginx[": ` + malformed},
		{"x]", ""},
		{`x\`, `"x\\": ` + malformed},
		{"[]a]", `"[]a]": ` + malformed},
		{"[z-]", `"[z-]": ` + malformed},
		{"sixteen-bytes-00", `"sixteen-bytes-00": ` + truncated + `"sixteen-bytes-0"`},
		{"NetworkManager-dispatcher", `"NetworkManager-dispatcher": ` + truncated + `"NetworkManager-"`},
	}
	for _, test := range tests {
		got := ""
		if err := CheckComm(test.pattern); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("CheckComm(%q) = %s, want %s", test.pattern, got, test.want)
		}
	}
}

// FuzzCheckComm looks for a pattern that is accepted though path.Match, faced with some name, calls it malformed.
func FuzzCheckComm(f *testing.F) {
	for _, seed := range []string{"nginx", "ng*", "[a-z]?", "[", `\`, "*[", "a[b-", "[^", "*x["} {
		f.Add(seed, "nginx")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		var c tcp.Comm
		copy(c[:], name)
		matched := matchComm([]string{pattern}, &c)
		want, err := path.Match(pattern, string(c.Bytes()))
		if matched != (pattern == string(c.Bytes()) || want) {
			t.Fatalf("%q matches %q: %t", pattern, c.Bytes(), matched)
		}
		if CheckComm(pattern) == nil && err != nil {
			t.Fatalf("%q is accepted, and yet on %q: %v", pattern, name, err)
		}
	})
}
