package filter

import (
	"errors"
	"net/netip"
)

// Names turns what an expression names into numbers, while it is parsed. It is asked only for what is written, once the
// whole text is known to be well formed, and may be slow: an implementation may ask DNS, /etc/services and /proc. Its
// errors become part of a SyntaxError.
type Names interface {
	Port(service string) (uint16, error)    // TCP service, as in services(5)
	Host(name string) ([]netip.Addr, error) // all addresses of both families
	NetNS(arg string) (uint32, error)       // inode number
	Cgroup(arg string) (uint64, error)      // cgroup v2 id
	Interface(name string) (uint32, error)  // index
	User(name string) (uint32, error)       // uid
	PID(arg string) (uint32, error)         // of what is no number, as self
}

// Host knows at matching what neither events nor sockets carry. It is asked for every event, so it must be cheap: cache.
// It must be safe for whatever concurrency the caller matches with.
type Host interface {
	// Exe returns the path of the process's program; ok is false when nobody can tell.
	Exe(pid uint32) (path string, ok bool)
	// CgroupUnder says whether the cgroup v2 with the id is root or below it.
	CgroupUnder(id, root uint64) bool
}

// noNames is Names for a caller that has none.
type noNames struct{}

var errNoNames = errors.New("names are not looked up here: use the number or the address")

func (noNames) Port(string) (uint16, error)       { return 0, errNoNames }
func (noNames) Host(string) ([]netip.Addr, error) { return nil, errNoNames }
func (noNames) NetNS(string) (uint32, error)      { return 0, errNoNames }
func (noNames) Cgroup(string) (uint64, error)     { return 0, errNoNames }
func (noNames) Interface(string) (uint32, error)  { return 0, errNoNames }
func (noNames) User(string) (uint32, error)       { return 0, errNoNames }
func (noNames) PID(string) (uint32, error)        { return 0, errNoNames }

// anyNames answers everything at once, so that a text is known to be well formed before anybody is asked.
type anyNames struct{}

func (anyNames) Port(string) (uint16, error) { return 1, nil }
func (anyNames) Host(string) ([]netip.Addr, error) {
	return []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}, nil
}
func (anyNames) NetNS(string) (uint32, error)     { return 1, nil }
func (anyNames) Cgroup(string) (uint64, error)    { return 1, nil }
func (anyNames) Interface(string) (uint32, error) { return 1, nil }
func (anyNames) User(string) (uint32, error)      { return 1, nil }
func (anyNames) PID(string) (uint32, error)       { return 1, nil }
