package cli

import (
	"strconv"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/traffic"
)

// stage is a network namespace with a server that listens over IPv4 and IPv6, and a client.
type stage struct {
	*testing.T
	ns             *nettest.NS
	server, client *nettest.Actor
	v4, v6         *nettest.Conn
}

func newStage(t *testing.T) *stage {
	ns := nettest.NewNS(t)
	s := &stage{T: t, ns: ns, server: nettest.StartActor(t, ns, "server"), client: nettest.StartActor(t, ns, "client")}
	s.v4, s.v6 = s.server.Listen(nettest.Loopback4(0), 8), s.server.Listen(nettest.Any6(0), 8)
	return s
}

// netns are the arguments that show the stage alone.
func (s *stage) netns() []string {
	return []string{"--netns", strconv.FormatUint(uint64(s.ns.Inode()), 10)}
}

// connections is how many talk makes, each of ten transitions.
const connections = 3

// talk makes a connection over IPv4, one over IPv6 and one between both; the client closes each first. When it returns,
// every transition has happened.
func (s *stage) talk() {
	s.Helper()
	s.connect(s.v4, s.client.Dial(s.v4.Local()))
	s.connect(s.v6, s.client.Dial(nettest.Loopback6(s.v6.Local().Port())))
	s.connect(s.v6, s.client.Dial(nettest.Loopback4(s.v6.Local().Port())))
}

func (s *stage) connect(listener, client *nettest.Conn) {
	s.Helper()
	server := listener.Accept()
	client.Shutdown()
	server.WaitState(nettest.CloseWait)
	server.Close()
	// By its descriptor: the minisock may be gone again, when a last ACK was late on the other CPU and drew a reset.
	client.WaitState(nettest.Close)
	if _, err := s.ns.WaitSocket(server.Cookie(), nettest.Gone); err != nil {
		s.Fatal(err)
	}
	client.Close()
}

// burst opens and closes connections as fast as can be.
func (s *stage) burst(workers, each int) {
	s.Helper()
	err := s.ns.Do(func() error {
		_, err := traffic.Count(workers, each)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}
