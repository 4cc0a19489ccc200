package privilege

import (
	"fmt"
	"os"
	"strings"
)

// Describe returns one line for an error: which capabilities are missing, and the remedy that fits this process. need
// is all that the command needs, since setcap replaces what a file had; missing is what Missing returned.
func Describe(need, missing Set) string {
	binary, err := os.Executable()
	if err != nil {
		binary = os.Args[0]
	}
	return lack{need: need, missing: missing, binary: binary, root: os.Geteuid() == 0, foreign: foreignUserNS()}.String()
}

// lack is a process that misses capabilities.
type lack struct {
	need, missing Set
	binary        string // path of the executable
	root          bool   // runs as uid 0 and still misses some: something took them away
	foreign       bool   // runs in a user namespace that is not the first
}

func (l lack) String() string {
	switch {
	case l.foreign:
		return fmt.Sprintf("missing %s in the initial user namespace, where alone it counts: run as root of the host, "+
			"not in a rootless container or under unshare -U", l.missing)
	case l.root:
		return fmt.Sprintf("missing %s although root: give it back where it was taken away, as by docker run %s, "+
			"or CapabilityBoundingSet= in a systemd unit", l.missing,
			l.missing.join(" ", func(c Cap) string { return "--cap-add " + strings.TrimPrefix(c.String(), "CAP_") }))
	}
	return fmt.Sprintf("missing %s: run as root, or: setcap %s+ep %s", l.missing,
		l.need.join(",", func(c Cap) string { return strings.ToLower(c.String()) }), shellQuote(l.binary))
}

// shellQuote returns path as one word for a shell, untouched where that is safe.
func shellQuote(path string) string {
	unsafe := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,", r))
	}
	if path != "" && strings.IndexFunc(path, unsafe) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
