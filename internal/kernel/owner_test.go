package kernel

import (
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// Two processes hold the socket. Closing it in one of them sends nothing; who closes last is the one who did.
func TestPrivilegedForkShared(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	_, inherited := s.spawn(server.Actor(), "child", server)
	server.Close()
	inherited[0].Close()
	client.WaitState(nettest.CloseWait)
	s.waitOrphan(server)
	client.Close()
	s.wait(client, nettest.Gone)
	s.end()
	s.expect(server, then(accepted, "ESTABLISHED>FIN_WAIT1 close:child", "FIN_WAIT1>FIN_WAIT2 close:child",
		"FIN_WAIT2>CLOSE close:child fin_local next=FIN_WAIT2")...)
	s.expect(client, then(opened, "ESTABLISHED>CLOSE_WAIT connect:client", "CLOSE_WAIT>LAST_ACK close:client",
		"LAST_ACK>CLOSE close:client fin_remote")...)
}

// A descriptor passed by SCM_RIGHTS; the process that opened the socket is gone.
func TestPrivilegedPassedOn(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	heir := s.actor("heir")
	passed := client.Send(heir)
	client.Actor().Kill()
	server.Close()
	passed.WaitState(nettest.CloseWait)
	passed.Close()
	s.wait(client, nettest.Gone)
	s.end()
	s.expect(client, then(opened, "ESTABLISHED>CLOSE_WAIT connect:client", "CLOSE_WAIT>LAST_ACK close:heir",
		"LAST_ACK>CLOSE close:heir fin_remote")...)
}

// Sockets older than the tracer, the listener's next child among them.
func TestPrivilegedOlderThanTracer(t *testing.T) {
	s := newStage(t)
	server := s.actor("server")
	l := server.Listen(nettest.Loopback4(0), 1)
	client := s.actor("client")
	oldClient := client.Dial(l.Local())
	oldServer := l.Accept()
	s.trace(Options{})
	newClient := client.Dial(l.Local())
	newServer := l.Accept()
	oldClient.Close()
	oldServer.WaitState(nettest.CloseWait)
	s.waitOrphan(oldClient)
	oldServer.Close()
	s.wait(oldServer, nettest.Gone)
	s.end()
	s.expect(oldServer, "ESTABLISHED>CLOSE_WAIT fd:server", "CLOSE_WAIT>LAST_ACK close:server",
		"LAST_ACK>CLOSE close:server fin_remote")
	s.expect(oldClient, "ESTABLISHED>FIN_WAIT1 close:client", "FIN_WAIT1>FIN_WAIT2 close:client",
		"FIN_WAIT2>CLOSE close:client fin_local next=FIN_WAIT2")
	s.expect(newServer, accepted...)
	s.expect(newClient, opened...)
	for _, e := range s.of(oldServer)[:1] {
		if e.InOld >= 0 {
			t.Errorf("a socket older than the tracer has been in %v for %v: nobody knows", e.Old, e.InOld)
		}
	}
}

// The first thing seen of a socket is that its state goes on: close() of what was half-closed before the tracer.
func TestPrivilegedOlderHalfClose(t *testing.T) {
	s := newStage(t)
	l := s.actor("server").Listen(nettest.Loopback4(0), 1)
	client := s.actor("client").Dial(l.Local())
	server := l.Accept()
	client.Shutdown()
	client.WaitState(nettest.FinWait2)
	s.trace(Options{})
	client.Close()
	server.Close()
	s.wait(server, nettest.Gone)
	s.end()
	s.expect(client, "FIN_WAIT2>FIN_WAIT2 close:client", "FIN_WAIT2>CLOSE close:client fin_local next=FIN_WAIT2")
	for _, e := range s.of(client) {
		if e.InOld >= 0 {
			t.Errorf("%v>%v: %v in a state that is older than the tracer", e.Old, e.New, e.InOld)
		}
	}
}
