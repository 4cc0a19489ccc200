package kernel

import (
	"slices"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// left describes what was left open.
func (s *stage) left() (lines []string) {
	for i := range s.events {
		e := &s.events[i]
		line := s.line(e)
		if !e.Left {
			s.t.Errorf("not left: %s", line)
		}
		if e.Unaccepted {
			line += " unaccepted"
		}
		lines = append(lines, line)
	}
	return lines
}

// What a process leaves open when it ends becomes events, and nothing else does.
func TestPrivilegedLeftOpen(t *testing.T) {
	for _, tt := range []struct {
		name  string
		recvQ uint32
		make  func(s *stage, leaver *nettest.Actor, l *nettest.Conn)
		want  []string
	}{
		{"all closed", 0, func(_ *stage, leaver *nettest.Actor, l *nettest.Conn) {
			c := leaver.Dial(l.Local())
			l.Accept().Close()
			c.WaitState(nettest.CloseWait)
			c.Close()
		}, nil},
		{"established", 0, func(_ *stage, leaver *nettest.Actor, l *nettest.Conn) {
			leaver.Dial(l.Local())
			l.Accept()
		}, []string{"ESTABLISHED>FIN_WAIT1 close:leaver"}},
		{"close_wait, end unread", 1, func(_ *stage, leaver *nettest.Actor, l *nettest.Conn) {
			c := leaver.Dial(l.Local())
			l.Accept().Close()
			c.WaitState(nettest.CloseWait)
		}, []string{"CLOSE_WAIT>LAST_ACK close:leaver"}},
		{"close_wait, end read", 0, func(_ *stage, leaver *nettest.Actor, l *nettest.Conn) {
			c := leaver.Dial(l.Local())
			l.Accept().Close()
			c.WaitState(nettest.CloseWait)
			c.ReadEOF()
		}, []string{"CLOSE_WAIT>LAST_ACK close:leaver"}},
		{"close_wait, data unread", 6, func(_ *stage, leaver *nettest.Actor, l *nettest.Conn) {
			c := leaver.Dial(l.Local())
			a := l.Accept()
			a.Write(5)
			a.Close()
			c.WaitState(nettest.CloseWait)
		}, []string{"CLOSE_WAIT>CLOSE close:leaver process_exit"}},
		{"fin_wait2", 0, func(_ *stage, leaver *nettest.Actor, l *nettest.Conn) {
			c := leaver.Dial(l.Local())
			c.Shutdown()
			c.WaitState(nettest.FinWait2)
		}, []string{"FIN_WAIT2>FIN_WAIT2 close:leaver"}},
		{"fin_wait2, data unread", 5, func(s *stage, leaver *nettest.Actor, l *nettest.Conn) {
			c := leaver.Dial(l.Local())
			c.Shutdown()
			c.WaitState(nettest.FinWait2)
			l.Accept().Write(5)
			s.waitFor(func(all []nettest.SocketInfo) bool {
				return slices.ContainsFunc(all, func(is nettest.SocketInfo) bool { return is.Cookie == c.Cookie() && is.RQueue == 5 })
			})
		}, []string{"FIN_WAIT2>CLOSE close:leaver process_exit"}},
		{"zombie by reset", 0, func(_ *stage, leaver *nettest.Actor, l *nettest.Conn) {
			c := leaver.Dial(l.Local())
			a := l.Accept()
			a.Linger0()
			a.Close()
			c.WaitState(nettest.Close)
		}, []string{"CLOSE>CLOSE close:leaver reset_received"}},
		{"zombie after both ends", 1, func(_ *stage, leaver *nettest.Actor, l *nettest.Conn) {
			c := leaver.Dial(l.Local())
			l.Accept().Close()
			c.WaitState(nettest.CloseWait)
			c.Shutdown()
			c.WaitState(nettest.Close)
		}, []string{"CLOSE>CLOSE close:leaver"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t)
			l := s.actor("server").Listen(nettest.Loopback4(0), 8)
			leaver := s.actor("leaver")
			s.trace(Options{LeftOnly: true})
			tt.make(s, leaver, l)
			leaver.Exit()
			s.end()
			if got := s.left(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for _, e := range s.events {
				if e.RecvQ != tt.recvQ || e.PID != uint32(leaver.PID()) {
					t.Errorf("%d unread by %d, want %d by %d", e.RecvQ, e.PID, tt.recvQ, leaver.PID())
				}
			}
		})
	}
}

// A connection that nobody accepted is left by the process that listens.
func TestPrivilegedLeftUnaccepted(t *testing.T) {
	s := newStage(t)
	leaver, client := s.actor("leaver"), s.actor("client")
	s.trace(Options{LeftOnly: true})
	l := leaver.Listen(nettest.Loopback4(0), 8)
	client.Dial(l.Local()).Close()
	client.Dial(l.Local())
	s.waitFor(func(all []nettest.SocketInfo) bool {
		waiting := 0
		for _, is := range all {
			if is.Local == l.Local() && (is.State == nettest.Established || is.State == nettest.CloseWait) {
				waiting += int(is.State)
			}
		}
		return waiting == int(nettest.Established+nettest.CloseWait)
	})
	leaver.Exit()
	s.end()
	var unaccepted []tcp.State
	for _, e := range s.events {
		if e.Unaccepted && e.PID == uint32(leaver.PID()) {
			unaccepted = append(unaccepted, e.Old)
		}
	}
	slices.Sort(unaccepted)
	if !slices.Equal(unaccepted, []tcp.State{tcp.Established, tcp.CloseWait}) {
		t.Errorf("unaccepted %v of %d left", unaccepted, len(s.events))
	}
}

// Whoever closes a descriptor that another process has, too, leaves nothing; the last one does.
func TestPrivilegedLeftByTheLastHolder(t *testing.T) {
	s := newStage(t)
	l := s.actor("server").Listen(nettest.Loopback4(0), 8)
	parent := s.actor("parent")
	s.trace(Options{LeftOnly: true})
	c := parent.Dial(l.Local())
	child, _ := s.spawn(parent, "child", c)
	l.Accept().Close()
	c.WaitState(nettest.CloseWait)
	parent.Exit()
	child.Exit()
	s.end()
	if got := s.left(); !slices.Equal(got, []string{"CLOSE_WAIT>LAST_ACK close:child"}) {
		t.Errorf("got %q", got)
	}
}

func TestPrivilegedLeftByFamily(t *testing.T) {
	s := newStage(t)
	l := s.actor("server").Listen(nettest.Loopback4(0), 8)
	outsider := s.actor("outsider")
	s.trace(Options{LeftOnly: true, Family: uint32(outsider.PID())})
	child, _ := s.spawn(outsider, "child")
	for _, a := range []*nettest.Actor{outsider, child} {
		c := a.Dial(l.Local())
		l.Accept().Close()
		c.WaitState(nettest.CloseWait)
	}
	child.Exit()
	outsider.Exit()
	s.end()
	if got := s.left(); !slices.Equal(got, []string{"CLOSE_WAIT>LAST_ACK close:child"}) {
		t.Errorf("got %q", got)
	}
}

// waitFor waits until the kernel's tables are as wanted.
func (s *stage) waitFor(wanted func([]nettest.SocketInfo) bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		all, err := s.ns.Sockets()
		if err != nil {
			s.t.Fatal(err)
		}
		if wanted(all) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("still %+v", all)
		}
	}
}

// What was closed, but late, becomes an event, too, where that is asked for.
func TestPrivilegedClosedOverdue(t *testing.T) {
	for _, tt := range []struct {
		overdue time.Duration
		want    []string
	}{
		{time.Nanosecond, []string{"CLOSE_WAIT>LAST_ACK close:client", "FIN_WAIT2>FIN_WAIT2 close:client", "CLOSE>CLOSE close:client reset_received"}},
		{time.Hour, nil},
		{0, nil},
	} {
		s := newStage(t)
		l, client := s.actor("server").Listen(nettest.Loopback4(0), 8), s.actor("client")
		s.trace(Options{LeftOnly: true, Overdue: tt.overdue})
		c := client.Dial(l.Local())
		l.Accept().Close()
		c.WaitState(nettest.CloseWait)
		c.Close()
		c = client.Dial(l.Local())
		l.Accept()
		c.Shutdown()
		c.WaitState(nettest.FinWait2)
		c.Close()
		c = client.Dial(l.Local())
		a := l.Accept()
		a.Linger0()
		a.Close()
		c.WaitState(nettest.Close)
		c.Close()
		c = client.Dial(l.Local()) // established for however long
		l.Accept()
		c.Close()
		s.end()
		var got []string
		for i := range s.events {
			if e := &s.events[i]; !e.Overdue || e.Left {
				t.Errorf("overdue %v, left %v", e.Overdue, e.Left)
			}
			got = append(got, s.line(&s.events[i]))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("overdue after %v: got %q, want %q", tt.overdue, got, tt.want)
		}
	}
}
