package nettest

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// ProcNet returns the TCP sockets of the namespace as /proc/net/tcp and tcp6 list them, IPv4 first. That view knows no
// cookies and no backlog of a listener (WQueue), and is not taken at one moment: what changes while it is read may be
// there twice or not at all.
func (ns *NS) ProcNet() (all []SocketInfo, err error) {
	err = ns.Do(func() error {
		// /proc/net is the main thread's.
		for _, path := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sockets, err := parseProcNet(string(text))
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			all = append(all, sockets...)
		}
		return nil
	})
	return all, err
}

// CountStates returns how many sockets are in each state, by sock_diag: requests as SynRecv, minisocks as what they
// stand for, none in Close. States without sockets are not in the map.
func (ns *NS) CountStates() (map[State]int, error) {
	all, err := ns.Sockets()
	return countStates(all), err
}

func countStates(sockets []SocketInfo) map[State]int {
	counts := make(map[State]int)
	for _, s := range sockets {
		counts[s.State]++
	}
	return counts
}

// Columns of a line (get_tcp4_sock in net/ipv4/tcp_ipv4.c).
const (
	procLocal  = 1
	procRemote = 2
	procState  = 3
	procQueues = 4
	procUID    = 7
	procInode  = 9
	procFields = 10 // that every line has; more follow
)

var errProcLine = errors.New("not a line of /proc/net/tcp")

// parseProcNet parses the whole file: a heading, and one line for each socket.
func parseProcNet(text string) (sockets []SocketInfo, err error) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		if number == 1 {
			continue
		}
		s, err := parseProcLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		sockets = append(sockets, s)
	}
	return sockets, nil
}

func parseProcLine(line string) (s SocketInfo, err error) {
	fields := strings.Fields(line)
	if len(fields) < procFields {
		return s, errProcLine
	}
	if s.Local, err = parseProcAddr(fields[procLocal]); err != nil {
		return s, err
	}
	if s.Remote, err = parseProcAddr(fields[procRemote]); err != nil {
		return s, err
	}
	sending, receiving, _ := strings.Cut(fields[procQueues], ":")
	state, err := strconv.ParseUint(fields[procState], 16, 8)
	s.State = State(state)
	for _, number := range []struct {
		to   *uint32
		text string
		base int
	}{
		{&s.WQueue, sending, 16},
		{&s.RQueue, receiving, 16},
		{&s.UID, fields[procUID], 10},
		{&s.Inode, fields[procInode], 10},
	} {
		n, failure := strconv.ParseUint(number.text, number.base, 32)
		*number.to = uint32(n)
		err = errors.Join(err, failure)
	}
	return s, err
}

// parseProcAddr parses "0100007F:01BB": 32-bit words of the address, which is in network order, printed as numbers of
// this machine, and the port as everyone would.
func parseProcAddr(text string) (netip.AddrPort, error) {
	words, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(words)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %q: %w", text, err)
	}
	if len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, fmt.Errorf("address %q of %d bytes, want 4 or 16", text, len(b))
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	addr, _ := netip.AddrFromSlice(b)
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("port of %q: %w", text, err)
	}
	return netip.AddrPortFrom(addr, uint16(n)), nil
}
