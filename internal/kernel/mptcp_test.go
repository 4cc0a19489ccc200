package kernel

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// The descriptor of an MPTCP listener is not its TCP subflow's.
func TestPrivilegedMPTCPListenerOlderThanTracer(t *testing.T) {
	s := newStage(t)
	server := s.actor("server")
	l := server.OpenMPTCP(unix.AF_INET)
	l.Bind(nettest.Loopback4(0))
	l.Listen(1)
	s.trace(Options{})
	client := s.actor("client").Dial(l.Local())
	a := l.Accept()
	client.Close()
	a.WaitState(nettest.CloseWait)
	a.Close()
	s.wait(a, nettest.Gone)
	s.end()
	s.expect(a, then(accepted, "ESTABLISHED>CLOSE_WAIT accepted:server", "CLOSE_WAIT>LAST_ACK close:server",
		"LAST_ACK>CLOSE close:server fin_remote")...)
}

// A holder that has ended since the walk keeps no owner from us.
func TestSubflowsOfEnded(t *testing.T) {
	const noPID = 1<<22 + 1 // over PID_MAX_LIMIT (linux/threads.h)
	if err := new(Tracer).adoptSubflowsOf([]int{noPID, noPID}); err != nil {
		t.Error(err)
	}
}
