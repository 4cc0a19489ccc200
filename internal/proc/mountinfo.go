package proc

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// mount is one line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	root   string // what part of its file system is mounted; for nsfs the namespace, as net:[4026532178]
	point  string // where
	fsType string // as cgroup2
}

// mounts returns the mounts that this process sees. Lines of an unknown format are passed over.
func (f FS) mounts() ([]mount, error) {
	if f.Elsewhere {
		return nil, nil
	}
	text, err := f.readFile("self", "mountinfo")
	if isGone(err) && f.isMissing() {
		return nil, fmt.Errorf("read mounts: %w", ErrNoProc)
	}
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	var all []mount
	for line := range strings.Lines(string(text)) {
		if m, ok := parseMount(strings.TrimSuffix(line, "\n")); ok {
			all = append(all, m)
		}
	}
	return all, nil
}

// parseMount reads a line: six fields, any number of optional ones, a hyphen, and three more.
func parseMount(line string) (mount, bool) {
	const fixed = 6
	fields := strings.Split(line, " ")
	if len(fields) < fixed {
		return mount{}, false
	}
	hyphen := slices.Index(fields[fixed:], "-")
	if hyphen < 0 || len(fields) < fixed+hyphen+4 {
		return mount{}, false
	}
	m := mount{root: unescape(fields[3]), point: unescape(fields[4]), fsType: unescape(fields[fixed+hyphen+1])}
	return m, m.root != "" && m.point != "" && m.fsType != ""
}

// unescape undoes the kernel's escapes of space, tab, line end, backslash and number sign: a backslash and three octal
// digits (fs/seq_file.c, mangle_path).
func unescape(field string) string {
	var out strings.Builder
	for i := 0; i < len(field); i++ {
		if b, ok := octal(field[i:]); ok {
			out.WriteByte(b)
			i += 3
			continue
		}
		out.WriteByte(field[i])
	}
	return out.String()
}

// octal reads the escape that text begins with.
func octal(text string) (byte, bool) {
	if len(text) < 4 || text[0] != '\\' || text[1] > '3' {
		return 0, false
	}
	var value byte
	for _, digit := range []byte(text[1:4]) {
		if digit < '0' || digit > '7' {
			return 0, false
		}
		value = value<<3 | (digit - '0')
	}
	return value, true
}

// under returns what remains of path below dir, without a leading slash; "" is dir itself. Both are absolute. A path
// that leads upwards, as the kernel writes those outside of a cgroup namespace ("/../x"), is under nothing.
func under(dir, path string) (rest string, ok bool) {
	if dir != filepath.Clean(dir) || path != filepath.Clean(path) {
		return "", false
	}
	if dir == path {
		return "", true
	}
	return strings.CutPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
