package kernel

import (
	"testing"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/nettest"
)

// Of what comes to CLOSE the filter for zombies lets through what is held there, and its leaving.
func TestPrivilegedFilterZombies(t *testing.T) {
	s := newStage(t)
	l, client := s.actor("server").Listen(nettest.Loopback4(0), 8), s.actor("client")
	s.trace(Options{Filter: filter.Filter{Zombies: true}})
	closed, accepted := client.Dial(l.Local()), l.Accept()
	closed.Close()
	accepted.WaitState(nettest.CloseWait)
	accepted.Close()
	s.wait(accepted, nettest.Gone)
	shut, other := client.Dial(l.Local()), l.Accept() // an orderly end, but of a socket that stays open
	other.Close()
	shut.WaitState(nettest.CloseWait)
	shut.Shutdown()
	shut.WaitState(nettest.Close)
	reset, a := client.Dial(l.Local()), l.Accept()
	a.Linger0()
	a.Close()
	reset.WaitState(nettest.Close)
	reset.Disconnect()
	reset.Connect(l.Local()) // and is no zombie any more
	s.end()
	s.expect(closed)
	s.expect(accepted)
	s.expect(shut, "LAST_ACK>CLOSE close:client fin_remote")
	s.expect(reset, "ESTABLISHED>CLOSE connect:client reset_received", "CLOSE>SYN_SENT connect:client")
	l.Close()
}
