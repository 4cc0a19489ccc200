package kernel

import (
	"testing"

	"github.com/tcptrail/tcptrail/internal/clock"
	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// blind runs f while the program that sees transitions is detached: what happens then is missed, as it is when the
// kernel skips the program because it is already running.
func (s *stage) blind(f func()) {
	s.t.Helper()
	if err := closeAll(s.tracer.follows...); err != nil {
		s.t.Fatal(err)
	}
	s.tracer.follows = nil
	f()
	if err := s.tracer.follow(); err != nil {
		s.t.Fatal(err)
	}
}

func TestPrivilegedMissedTransitionsAreFoundAndHealed(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	s.blind(func() {
		client.Shutdown() // FIN_WAIT1 and FIN_WAIT2 here, CLOSE_WAIT there
		server.WaitState(nettest.CloseWait)
		client.WaitState(nettest.FinWait2)
	})
	server.Close()
	client.WaitState(nettest.Close)
	stats := s.end()
	s.expect(server, then(accepted, "CLOSE_WAIT>LAST_ACK close:server missed", "LAST_ACK>CLOSE close:server fin_remote")...)
	s.expect(client, then(opened, "FIN_WAIT2>CLOSE connect:client fin_local next=TIME_WAIT missed")...)
	for _, e := range s.events {
		if e.Missed && e.InOld != tcp.Unknown {
			t.Errorf("%v>%v after a missed transition: %v in the old state, which nobody knows", e.Old, e.New, e.InOld)
		}
	}
	if stats.Missed < 2 {
		t.Errorf("%d missed, want the two sockets'", stats.Missed)
	}
	for _, step := range [][2]tcp.State{{tcp.Established, tcp.CloseWait}, {tcp.Established, tcp.FinWait2}} {
		if stats.Transitions[step[0]][step[1]] == 0 {
			t.Errorf("the matrix does not have the step from %v to %v that must have happened", step[0], step[1])
		}
	}
}

// A missed last transition is found when the kernel frees the socket.
func TestPrivilegedMissedEnd(t *testing.T) {
	s := newStage(t)
	s.trace(Options{})
	client, server := s.pair(nettest.Loopback4(0))
	s.blind(func() {
		client.Linger0()
		client.Close()
		server.WaitState(nettest.Close)
		server.Close()
	})
	s.wait(client, nettest.Gone)
	stats := s.end()
	s.expect(client, then(opened, "ESTABLISHED>CLOSE connect:client reset_sent missed")...)
	s.expect(server, then(accepted, "ESTABLISHED>CLOSE accepted:server reset_received missed")...)
	if e := s.last(server); !e.Late || e.InOld != tcp.Unknown {
		t.Errorf("late %v, %v in the old state, want late and unknown", e.Late, e.InOld)
	}
	if stats.Missed < 2 {
		t.Errorf("%d missed, want the two sockets'", stats.Missed)
	}
}

// Sockets that end while the tracer is detached are not missed: that would be our own doing.
func TestPrivilegedStopForgesNoMisses(t *testing.T) {
	s := newStage(t)
	s.ns.Churn(t, 2)
	wall, err := clock.New()
	if err != nil {
		t.Fatal(err)
	}
	for range scaled(5, 2) {
		r := record(t, Options{})
		stopping := wall.Refresh()
		r.stop(t)
		forged := 0
		for _, e := range r.events {
			if e.Missed && e.Late && e.Mono >= stopping {
				forged++
			}
		}
		if forged > 0 {
			t.Errorf("%d ends called missed after the stop, of %d events", forged, len(r.events))
		}
	}
}
