package leak

import "github.com/tcptrail/tcptrail/internal/tcp"

// Leftover returns the socket of an event that is Left or Overdue, as it was then: what a snapshot would have had, as far as
// it matters here. Nobody holds it any more.
func Leftover(e *tcp.Event) tcp.Socket {
	s := tcp.Socket{
		Cookie: e.Cookie, CgroupID: e.CgroupID, NetNS: e.NetNS, UID: e.UID, Family: e.Family,
		Local: e.Local, Remote: e.Remote, State: e.Old, Zombie: e.Old == tcp.Close, Unaccepted: e.Unaccepted,
		PID: e.PID, Comm: e.Comm, Evidence: e.Evidence, Stack: e.Stack, Errno: e.Errno, RecvQ: e.RecvQ,
		RTT: tcp.Unknown, RTTVar: tcp.Unknown, LastSent: tcp.Unknown, LastReceived: tcp.Unknown, LastAck: tcp.Unknown,
	}
	if e.InOld != tcp.Unknown {
		s.Age = tcp.ExactAge(tcp.AgeTraced, e.InOld)
	}
	return s
}

// Became gives findings that are not over a status: what a Reporter cannot know of sockets that are no more.
func Became(s Status, findings []Finding, concerned func(pid uint32) bool) {
	for i := range findings {
		if f := &findings[i]; !f.Status.IsOver() && concerned(f.Key.PID) {
			f.Status = s
		}
	}
}
