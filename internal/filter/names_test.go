package filter

import (
	"errors"
	"net/netip"
	"strings"
)

// testNames knows a few names.
type testNames struct{}

var errUnknown = errors.New("unknown")

func lookUp[V any](known map[string]V, name string) (V, error) {
	v, ok := known[name]
	if !ok {
		return v, errUnknown
	}
	return v, nil
}

func (testNames) Port(service string) (uint16, error) {
	return lookUp(map[string]uint16{"ssh": 22, "http": 80, "https": 443}, service)
}

func (testNames) Host(name string) ([]netip.Addr, error) {
	return lookUp(map[string][]netip.Addr{
		"localhost": {netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")},
		"mapped":    {netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddr("10.0.0.1")},
		"v6only":    {netip.MustParseAddr("2001:db8::1")},
		"nowhere":   nil,
	}, name)
}

func (testNames) NetNS(arg string) (uint32, error) {
	return lookUp(map[string]uint32{"self": 4026531840, "blue": 4026532000, "my ns": 1}, arg)
}

func (testNames) Cgroup(arg string) (uint64, error) {
	return lookUp(map[string]uint64{"/a": 10, "/a/b": 11, `/c\x2d`: 12}, arg)
}

func (testNames) Interface(name string) (uint32, error) {
	return lookUp(map[string]uint32{"lo": 1, "eth0": 2}, name)
}

func (testNames) User(name string) (uint32, error) {
	return lookUp(map[string]uint32{"root": 0, "www-data": 33}, name)
}

func (testNames) PID(arg string) (uint32, error) { return lookUp(map[string]uint32{"self": 1}, arg) }

// countingNames counts the questions.
type countingNames struct {
	testNames
	asked *int
}

func (n countingNames) Host(name string) ([]netip.Addr, error) {
	*n.asked++
	return n.testNames.Host(name)
}

// testHost knows programs by pid, and cgroups by their paths.
type testHost struct{}

var (
	exes    = map[uint32]string{1: "/sbin/init", 2: "/usr/sbin/nginx", 3: "/usr/sbin/nginx (deleted)"}
	cgroups = map[uint64]string{10: "/a", 11: "/a/b", 12: "/c"}
)

func (testHost) Exe(pid uint32) (string, bool) {
	exe, ok := exes[pid]
	return exe, ok
}

func (testHost) CgroupUnder(id, root uint64) bool {
	return strings.HasPrefix(cgroups[id]+"/", cgroups[root]+"/") && cgroups[root] != ""
}
