package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/tcptrail/tcptrail/internal/proc"
)

// dnsLimit is how long a host name in a filter may take to resolve: longer than a resolver's first retry.
const dnsLimit = 10 * time.Second

// resolver turns what a filter names into numbers, as filter.Names says.
type resolver struct{ fs proc.FS }

func (r resolver) Port(service string) (uint16, error) {
	services, err := r.fs.Services()
	if err != nil {
		return 0, err
	}
	return services.Port(service)
}

func (resolver) Host(name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dnsLimit)
	defer cancel()
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

func (r resolver) NetNS(arg string) (uint32, error)      { return r.fs.NetNS(arg) }
func (r resolver) Cgroup(arg string) (uint64, error)     { return r.fs.Cgroup(arg) }
func (r resolver) Interface(name string) (uint32, error) { return r.fs.Interface(name) }
func (r resolver) User(name string) (uint32, error)      { return r.fs.User(name) }

func (r resolver) PID(arg string) (uint32, error) {
	if !r.fs.IsHostPIDNS() {
		return 0, errNotHostPIDNS
	}
	if arg == "self" {
		return uint32(os.Getpid()), nil
	}
	if _, err := strconv.ParseUint(arg, 10, 32); err != nil {
		return 0, fmt.Errorf("pid %q: use a number, or self", arg)
	}
	return r.fs.PID(arg)
}

// host answers what neither events nor sockets carry, as filter.Host says.
type host struct {
	cgroups *proc.Cgroups
	exes    *proc.Exes
}

func newHost(fs proc.FS) (*host, error) {
	cgroups, err := fs.NewCgroups(time.Now)
	if err != nil {
		return nil, err
	}
	return &host{cgroups: cgroups, exes: fs.NewExes(time.Now)}, nil
}

func (h *host) Exe(pid uint32) (string, bool)    { return h.exes.Exe(pid) }
func (h *host) CgroupUnder(id, root uint64) bool { return h.cgroups.Under(id, root) }
