package leaky

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// Scene is a program and, at the other end of its connections, a process that does nothing wrong. Its methods belong to
// the goroutine that runs the test, and end it when they fail.
type Scene struct {
	TB      testing.TB
	NS      *nettest.NS
	Shop    *Workshop
	Peer    *nettest.Actor
	Program *Program
	Sockets []Socket       // what the program has told of
	Far     netip.AddrPort // of a client: where it is connected to
	Owner   int            // pid of who has to close; the program's unless set
	Orphans bool           // the other ends are closed: nobody holds them
}

// Serve starts a server, and lets so many clients connect, send some bytes, and end their side.
func (s *Scene) Serve(name string, clients, bytes int, args ...string) {
	s.TB.Helper()
	local := nettest.Loopback4(0).Addr()
	s.Program = s.Shop.Start(s.TB, s.NS, name, append([]string{local.String()}, args...)...)
	for range clients {
		c := s.Peer.Dial(s.Program.At(local))
		if bytes > 0 {
			c.Write(bytes)
		}
		c.Shutdown()
	}
}

// Call starts a client that connects so many times, and returns the server's ends.
func (s *Scene) Call(name string, count int, args ...string) (ends []*nettest.Conn) {
	s.TB.Helper()
	l := s.Peer.Listen(nettest.Loopback4(s.wellKnown()), count)
	s.Far = l.Local()
	s.Program = s.Shop.Start(s.TB, s.NS, name, append(Args(s.Far), args...)...)
	for range count {
		ends = append(ends, l.Accept())
	}
	return ends
}

// wellKnown returns a port for a server: below those of clients, which is how a single look tells the two apart, and
// another one for each scene.
func (s *Scene) wellKnown() uint16 { return uint16(s.Peer.PID()%20_000) + 10_000 }

// Fetch starts a client that asks an HTTP server so many times, which refuses, has more to say than anyone reads at once,
// and closes.
func (s *Scene) Fetch(name string, count int) {
	s.TB.Helper()
	var l net.Listener
	err := s.NS.Do(func() (err error) {
		l, err = net.Listen("tcp", nettest.Loopback4(s.wellKnown()).String())
		return err
	})
	if err != nil {
		s.TB.Fatal(err)
	}
	const body = 100_000 // more than a client's buffer
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(make([]byte, body))
	})}
	go func() { _ = server.Serve(l) }()
	s.TB.Cleanup(func() { _ = server.Close() })
	s.Far, s.Orphans = l.Addr().(*net.TCPAddr).AddrPort(), true
	s.Program = s.Shop.Start(s.TB, s.NS, name, append(Args(s.Far), strconv.Itoa(count))...)
}

// Reset resets connections from the other end.
func Reset(ends []*nettest.Conn) {
	for _, end := range ends {
		end.Linger0()
		end.Close()
	}
}

// Await waits until the kernel has so many of the program's sockets in the state; in Close they are in no table.
func (s *Scene) Await(state nettest.State, count int) {
	s.TB.Helper()
	if state == nettest.Close {
		state, count = nettest.Established, 0
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		all, err := s.NS.Sockets()
		if err != nil {
			s.TB.Fatal(err)
		}
		n := len(slices.DeleteFunc(all, func(i nettest.SocketInfo) bool { return i.State != state || !s.owns(&i) }))
		if n == count {
			return
		}
		if time.Now().After(deadline) {
			s.TB.Fatalf("%s: %d sockets in %v, want %d", s.Program.name, n, state, count)
		}
	}
}

// owns says whether a socket is at the program's end.
func (s *Scene) owns(i *nettest.SocketInfo) bool {
	if s.Far.IsValid() {
		return i.Remote == s.Far
	}
	return i.Local.Port() == s.Program.Port()
}
