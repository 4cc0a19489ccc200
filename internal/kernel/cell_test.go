package kernel

import (
	"testing"

	"github.com/cilium/ebpf"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// cell returns the cell that a socket's cookie falls on.
func (s *stage) cell(c *nettest.Conn) bpfCell {
	s.t.Helper()
	var cell bpfCell
	if err := s.tracer.maps.Cells.Lookup(uint32(c.Cookie())%cells, &cell); err != nil {
		s.t.Fatal(err)
	}
	return cell
}

// takeCells takes all cells that are free.
func (s *stage) takeCells() {
	s.t.Helper()
	var cell bpfCell
	for number := range uint32(cells) {
		if err := s.tracer.maps.Cells.Lookup(number, &cell); err != nil {
			s.t.Fatal(err)
		}
		if cell.Cookie != 0 {
			continue
		}
		other := bpfCell{Cookie: 1<<63 | uint64(number)} // none that the kernel comes to
		if err := s.tracer.maps.Cells.Update(number, &other, ebpf.UpdateExist); err != nil {
			s.t.Fatal(err)
		}
	}
}

// converseOnce makes a connection, lets its client close it, and says what there is to be seen of both.
func (s *stage) converseOnce(l *nettest.Conn, client *nettest.Actor) (c, a *nettest.Conn) {
	s.t.Helper()
	c, a = client.Dial(l.Local()), l.Accept()
	c.Shutdown()
	a.WaitState(nettest.CloseWait)
	c.WaitState(nettest.FinWait2)
	a.Close()
	s.wait(a, nettest.Gone)
	c.Close()
	return c, a
}

func (s *stage) expectConversation(c, a *nettest.Conn) {
	s.t.Helper()
	s.expect(c, "CLOSE>SYN_SENT connect:client", "SYN_SENT>ESTABLISHED connect:client", "ESTABLISHED>FIN_WAIT1 close:client",
		"FIN_WAIT1>FIN_WAIT2 close:client", "FIN_WAIT2>CLOSE close:client fin_local next=TIME_WAIT")
	s.expect(a, then(accepted, "ESTABLISHED>CLOSE_WAIT accepted:server", "CLOSE_WAIT>LAST_ACK close:server",
		"LAST_ACK>CLOSE close:server fin_remote")...)
	for _, conn := range []*nettest.Conn{c, a} {
		for _, e := range s.of(conn) {
			isFirst := e.Old == tcp.Close || e.Old == tcp.Listen
			if isFirst != (e.InOld == tcp.Unknown) {
				s.t.Errorf("%s: %v in its old state", s.line(&e), e.InOld)
			}
		}
	}
}

// Wherever the entries of a listener and its child are, both are told alike, and a cell is free again after its socket.
func TestPrivilegedCells(t *testing.T) {
	if !hasSettledChildren(Release()) {
		t.Skip("there are no cells before 6.15")
	}
	s := newStage(t)
	server, client := s.actor("server"), s.actor("client")
	older := server.Listen(nettest.Loopback4(0), 8) // has storage, from the walk
	s.trace(Options{})
	younger := server.Listen(nettest.Loopback4(0), 8) // has a cell
	if s.cell(younger).Cookie != younger.Cookie() || s.cell(older).Cookie == older.Cookie() {
		t.Error("the wrong one has a cell")
	}
	held := client.Dial(younger.Local())
	younger.Accept()
	if s.cell(held).Cookie != held.Cookie() {
		t.Error("a connection has no cell")
	}
	c1, a1 := s.converseOnce(younger, client)
	c2, a2 := s.converseOnce(older, client)
	for _, conn := range []*nettest.Conn{c1, a1, c2, a2} {
		if s.cell(conn).Cookie == conn.Cookie() {
			t.Errorf("the cell of socket %d is not free", conn.Cookie())
		}
	}
	s.takeCells()
	c3, a3 := s.converseOnce(younger, client)
	c4, a4 := s.converseOnce(older, client)
	held.Close()
	s.end()
	s.expectConversation(c1, a1)
	s.expectConversation(c2, a2)
	s.expectConversation(c3, a3)
	s.expectConversation(c4, a4)
}
