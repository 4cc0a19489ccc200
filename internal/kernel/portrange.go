package kernel

import (
	"os"
	"strconv"
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const portRangeFile = "/proc/sys/net/ipv4/ip_local_port_range"

// portRange is from which ports the kernel chooses when a program leaves it to it.
type portRange struct{ first, last uint16 }

// everyPort is what a namespace has whose range is not known.
var everyPort = portRange{0, 1<<16 - 1}

func (r portRange) has(port uint16) bool { return port >= r.first && port <= r.last }

// portRanges has the range of each network namespace that was visited.
type portRanges map[uint32]portRange

// note reads that of the namespace that the calling thread is in.
func (r portRanges) note() error {
	inode, err := netnsOfThread()
	if err != nil {
		return err
	}
	r[inode] = everyPort
	text, err := os.ReadFile(portRangeFile) // shows the thread's (net/sysctl_net.c, net_ctl_header_lookup)
	if err != nil {
		return nil // /proc/sys may be hidden; the kernel's flag is then all that is known
	}
	if found, ok := parsePortRange(string(text)); ok {
		r[inode] = found
	}
	return nil
}

func parsePortRange(text string) (r portRange, ok bool) {
	words := strings.Fields(text)
	if len(words) != 2 {
		return r, false
	}
	first, err := strconv.ParseUint(words[0], 10, 16)
	if err != nil {
		return r, false
	}
	last, err := strconv.ParseUint(words[1], 10, 16)
	return portRange{uint16(first), uint16(last)}, err == nil
}

// settle says of each socket whether the kernel chose its port, as ss does: no bind() did, and the port is in the range.
// The flag alone is not enough: an accepted connection has the port of its listener, but not its SOCK_BINDPORT_LOCK
// (net/core/sock.c, sk_clone_lock). Minisocks and requests have no flag.
func (r portRanges) settle(sockets []tcp.Socket) {
	for i := range sockets {
		s := &sockets[i]
		known, ok := r[s.NetNS]
		if !ok {
			known = everyPort
		}
		port := s.Local.Port()
		s.Autobound = port != 0 && known.has(port) && (s.Autobound || s.Kind != tcp.Full && known != everyPort)
	}
}
