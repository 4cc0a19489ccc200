package kernel

import (
	"net/netip"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

const testNetNS = 4026531840

// socketAt is a socket as a pass finds it. An address in brackets is of AF_INET6, a v4-mapped one, too.
func socketAt(state tcp.State, local string) tcp.Socket {
	s := tcp.Socket{State: state, Local: netip.MustParseAddrPort(local), NetNS: testNetNS, Family: tcp.Inet}
	if local[0] == '[' {
		s.Family = tcp.Inet6
	}
	s.Local = netip.AddrPortFrom(s.Local.Addr().Unmap(), s.Local.Port())
	return s
}

func listenerAt(local string, pid, waiting uint32) tcp.Socket {
	s := socketAt(tcp.Listen, local)
	s.PID, s.RecvQ = pid, waiting
	return s
}

func TestListenerOf(t *testing.T) {
	const v4, v6, mapped = "192.0.2.1:80", "[2001:db8::1]:80", "[::ffff:192.0.2.1]:80"
	otherNS := listenerAt(v4, 1, 1)
	otherNS.NetNS++
	tests := []struct {
		name      string
		listeners []tcp.Socket
		child     string
		want      uint32 // pid; 0: none can be told
	}{
		{"none", nil, v4, 0},
		{"exact", []tcp.Socket{listenerAt(v4, 1, 1)}, v4, 1},
		{"exact IPv6", []tcp.Socket{listenerAt(v6, 1, 1)}, v6, 1},
		{"exact mapped", []tcp.Socket{listenerAt(mapped, 1, 1)}, mapped, 1},
		{"any", []tcp.Socket{listenerAt("0.0.0.0:80", 1, 1)}, v4, 1},
		{"any IPv6", []tcp.Socket{listenerAt("[::]:80", 1, 1)}, v6, 1},
		{"dual stack", []tcp.Socket{listenerAt("[::]:80", 1, 1)}, mapped, 1},
		{"mapped any", []tcp.Socket{listenerAt("[::ffff:0.0.0.0]:80", 1, 1)}, mapped, 1},
		{"mapped any is not for IPv6", []tcp.Socket{listenerAt("[::ffff:0.0.0.0]:80", 1, 1)}, v6, 0},
		{"other address", []tcp.Socket{listenerAt("192.0.2.2:80", 1, 1)}, v4, 0},
		{"other port", []tcp.Socket{listenerAt("192.0.2.1:81", 1, 1)}, v4, 0},
		{"other namespace", []tcp.Socket{otherNS}, v4, 0},
		{"nobody waits there", []tcp.Socket{listenerAt(v4, 1, 0)}, v4, 0},
		{"nobody waits at the nearer one", []tcp.Socket{listenerAt(v4, 1, 0), listenerAt("0.0.0.0:80", 2, 1)}, v4, 2},
		{"near before any", []tcp.Socket{listenerAt(v4, 1, 1), listenerAt("0.0.0.0:80", 2, 1)}, v4, 1},
		{"any before near", []tcp.Socket{listenerAt("0.0.0.0:80", 2, 1), listenerAt(v4, 1, 1)}, v4, 1},
		{"near first, then two on any", []tcp.Socket{listenerAt(v4, 1, 1), listenerAt("0.0.0.0:80", 2, 1), listenerAt("0.0.0.0:80", 3, 1)}, v4, 1},
		{"two on any, then near", []tcp.Socket{listenerAt("0.0.0.0:80", 2, 1), listenerAt("0.0.0.0:80", 3, 1), listenerAt(v4, 1, 1)}, v4, 1},
		{"SO_REUSEPORT", []tcp.Socket{listenerAt(v4, 1, 1), listenerAt(v4, 2, 1)}, v4, 0},
		{"SO_REUSEPORT in one process", []tcp.Socket{listenerAt(v4, 1, 1), listenerAt(v4, 1, 5)}, v4, 1},
		{"SO_REUSEPORT, one with a queue", []tcp.Socket{listenerAt(v4, 1, 0), listenerAt(v4, 2, 1), listenerAt(v4, 3, 0)}, v4, 2},
		{"both families on any, IPv4", []tcp.Socket{listenerAt("[::]:80", 1, 1), listenerAt("0.0.0.0:80", 2, 1)}, v4, 2},
		{"both families on any, to AF_INET6", []tcp.Socket{listenerAt("[::]:80", 1, 1), listenerAt("0.0.0.0:80", 2, 1)}, mapped, 1},
		{"unknown owner", []tcp.Socket{listenerAt(v4, 0, 1)}, v4, 0},
		{"unknown owner of one", []tcp.Socket{listenerAt(v4, 0, 1), listenerAt(v4, 2, 1)}, v4, 0},
	}
	for _, test := range tests {
		f := found{sockets: test.listeners}
		child := socketAt(tcp.Established, test.child)
		var got uint32
		if l := f.listeners().of(&child); l != nil {
			got = l.PID
		}
		if got != test.want {
			t.Errorf("%s: listener of process %d, want %d", test.name, got, test.want)
		}
	}
}
