package api

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

const unixPrefix = "unix:"

// maxUnixPath is what a socket's address has room for, with the zero at its end: unix(7).
const maxUnixPath = 107

// address is where to listen.
type address struct {
	path string         // of a unix socket, or
	tcp  netip.AddrPort // or, if it is invalid,
	port uint16         // of all addresses, IPv4 and IPv6
}

// parseAddress reads 127.0.0.1:9797, [::1]:9797, :9797 (all addresses) or unix:/run/tcptrail/http.sock. Names are refused: what
// they stand for is not ours to say, and may be more than one address.
func parseAddress(text string) (address, error) {
	if path, ok := strings.CutPrefix(text, unixPrefix); ok {
		switch {
		case !filepath.IsAbs(path) || filepath.Clean(path) != path:
			return address{}, fmt.Errorf("listen on %q: give the whole path, as unix:/run/tcptrail/http.sock", text)
		case len(path) > maxUnixPath:
			return address{}, fmt.Errorf("listen on %q: the path is longer than %d bytes", text, maxUnixPath)
		}
		return address{path: path}, nil
	}
	if port, ok := strings.CutPrefix(text, ":"); ok {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			return address{port: uint16(n)}, nil
		}
	} else if tcp, err := netip.ParseAddrPort(text); err == nil {
		return address{tcp: tcp}, nil
	}
	return address{}, fmt.Errorf(
		"listen on %q: give an address and a port, as 127.0.0.1:9797 or [::1]:9797, or a socket, as unix:/run/tcptrail/http.sock", text)
}

// isLocal says whether it can be reached from this host alone.
func (a address) isLocal() bool { return a.path != "" || a.tcp.Addr().Unmap().IsLoopback() }

func (a address) String() string {
	switch {
	case a.path != "":
		return unixPrefix + a.path
	case a.tcp.IsValid():
		return a.tcp.String()
	}
	return fmt.Sprintf(":%d", a.port)
}
