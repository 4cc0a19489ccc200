package nettest

import "net/netip"

// closeUnanswered makes what waits for the ACK of a FIN, first with a descriptor and then without.
func (s *States) closeUnanswered() {
	s.tb.Helper()
	held := func(name string, state State, c *Conn) { s.addHeld(name+" held", state, c) }
	orphan := func(name string, state State, c *Conn) { s.addOrphan(name+" orphan", state, c) }
	for _, end := range []struct {
		close func(*Conn)
		add   func(name string, state State, c *Conn)
	}{{(*Conn).Shutdown, held}, {(*Conn).Close, orphan}} {
		c, p := s.dialPeer()
		end.close(c)
		p.Expect(FIN | ACK)
		end.add("FIN_WAIT1", FinWait1, c)

		c, p = s.dialPeer()
		end.close(c)
		p.Expect(FIN | ACK)
		p.SendFIN(false)
		p.Expect(ACK)
		end.add("CLOSING", Closing, c)

		c, p = s.dialPeer()
		p.SendFIN(true)
		c.ReadEOF()
		end.close(c)
		p.Expect(FIN | ACK)
		end.add("LAST_ACK", LastAck, c)
	}
	c, p := s.dialPeer()
	p.SendFIN(true)
	c.ReadEOF()
	c.Write(unackedBytes)
	p.ExpectData()
	s.addHeld("CLOSE_WAIT sending", CloseWait, c)
}

// closeWait makes connections that the client shut down and the server did not close.
func (s *States) closeWait(l listeners) {
	s.tb.Helper()
	halfClosedAt := func(l *Conn, name string, unread int) *Conn {
		s.tb.Helper()
		client, server := s.pair(l, l.Local())
		client.Write(unread)
		client.Shutdown()
		s.addHeld("FIN_WAIT2 "+name, FinWait2, client)
		return server
	}
	halfClosed := func(name string, unread int) *Conn { s.tb.Helper(); return halfClosedAt(l.v4, name, unread) }
	s.addHeld("CLOSE_WAIT IPv6", CloseWait, halfClosedAt(l.v6, "IPv6", 0))
	s.addHeld("CLOSE_WAIT unread data", CloseWait, halfClosed("unread data", unreadBytes))
	s.addHeld("CLOSE_WAIT unread FIN", CloseWait, halfClosed("unread FIN", 0))

	c := halfClosed("not closed", 0)
	c.ReadEOF()
	s.addHeld("CLOSE_WAIT not closed", CloseWait, c)

	c = halfClosed("inherited", 0)
	heir, inherited := s.Server.Spawn("heir", c)
	s.Heir = heir
	s.add("CLOSE_WAIT inherited", CloseWait, c.Cookie(), c, inherited[0])

	c = halfClosed("passed", 0)
	passed := c.Send(s.Receiver)
	c.Close()
	s.addHeld("CLOSE_WAIT passed", CloseWait, passed)
}

// leave makes what remains of a connection when its process has left. Only the first outlives a minute.
func (s *States) leave(l listeners) {
	s.tb.Helper()
	closeHalf := func(name string) (client *Conn) {
		s.tb.Helper()
		client, server := s.pair(l.v4, l.v4.Local())
		client.Shutdown() // first, so that close() decides what is left, and not whether the ACK comes before its end
		client.WaitState(FinWait2)
		client.Close()
		s.addHeld("CLOSE_WAIT "+name, CloseWait, server)
		return client
	}
	s.sysctl("net.ipv4.tcp_fin_timeout", "900")
	s.addOrphan("FIN_WAIT2 orphan", FinWait2, closeHalf("orphan"))
	s.sysctl("net.ipv4.tcp_fin_timeout", "60")
	s.addMinisock("FIN_WAIT2 minisock", FinWait2, closeHalf("minisock"))

	var client *Conn
	for _, one := range []struct {
		name     string
		listener *Conn
		to       netip.AddrPort
		end      func(*Conn)
	}{
		{"IPv4", l.v4, l.v4.Local(), (*Conn).Close},
		{"IPv6", l.v6, l.v6.Local(), (*Conn).Close},
		{"mapped", l.v4, Mapped4(l.v4.Local().Port()), (*Conn).Close},
		{"held", l.v4, l.v4.Local(), (*Conn).Shutdown},
	} {
		var server *Conn
		client, server = s.pair(one.listener, one.to)
		one.end(client)
		server.ReadEOF()
		server.Close()
		s.addMinisock("TIME_WAIT "+one.name, TimeWait, client)
	}
	s.addUntabled("CLOSE held", client).Zombie = true
}
