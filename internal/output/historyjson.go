package output

import "github.com/tcptrail/tcptrail/internal/tcp"

// appendHistoryJSON appends a connection as one JSON object and a line feed, in ASCII. What is unknown is null. Names are
// those of a transition where they mean the same.
//
//	time                 string   when the first that is known of it was, RFC 3339 in UTC; null when unknown
//	event                string   "connection"
//	host, boot_id        string   of the session that recorded it
//	cookie to rport               as of a transition
//	kind                 string   "full"; "minisock" or "request" when all that is known is what a look saw
//	pid, comm, evidence           its last owner that was known
//	born                 boolean  it began at time; else it had begun before what is recorded
//	state                string   last state that is known; "CLOSE" when it has ended
//	zombie               boolean  it was seen in CLOSE with a descriptor still open
//	ended                string   when it went to CLOSE
//	next to srtt_us               as of a transition to CLOSE; null or absent otherwise
//	steps                array    of objects, see appendStepJSON
func appendHistoryJSON(b []byte, c *Connection) []byte {
	b = appendJSONTime(append(b, `{"time":`...), c.Began())
	b = appendJSONText(append(b, `,"event":"connection","host":`...), c.Host)
	b = appendJSONText(append(b, `,"boot_id":`...), c.BootID)
	b = appendJSONCookie(append(b, `,"cookie":`...), c.Cookie)
	b = appendUint(append(b, `,"netns":`...), uint64(c.NetNS))
	b = appendJSONCount(append(b, `,"cgroup":`...), c.CgroupID)
	b = append(b, `,"uid":`...)
	if c.UID == tcp.NoUID {
		b = append(b, "null"...)
	} else {
		b = appendUint(b, uint64(c.UID))
	}
	b = append(append(b, `,"family":"`...), c.Family.String()...)
	b = appendJSONAddr(append(b, `","laddr":`...), c.Local.Addr())
	b = appendJSONCount(append(b, `,"lport":`...), uint64(c.Local.Port()))
	b = appendJSONAddr(append(b, `,"raddr":`...), c.Remote.Addr())
	b = appendJSONCount(append(b, `,"rport":`...), uint64(c.Remote.Port()))
	b = append(append(append(b, `,"kind":"`...), c.Kind.String()...), '"')
	b = appendStepOwnerJSON(b, c.PID, &c.Comm, c.Evidence)
	b = appendBool(append(b, `,"born":`...), c.Born)
	name := ""
	if state := c.State(); state != 0 {
		name = state.String()
	}
	b = appendJSONName(append(b, `,"state":`...), name)
	b = appendBool(append(b, `,"zombie":`...), c.Zombie)
	b = append(b, `,"ended":`...)
	if c.End == nil {
		b = append(b, "null"...)
	} else {
		b = appendJSONTime(b, c.End.Time)
		b = appendJSONName(append(b, `,"next":`...), nextName(c.End))
		b = appendJSONName(append(b, `,"reason":`...), c.End.Reason.String())
		b = appendJSONTotals(appendJSONErrno(b, c.End.Errno), c.End)
	}
	b = append(b, `,"steps":[`...)
	for i := range c.Steps {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendStepJSON(b, &c.Steps[i])
	}
	return append(b, "]}\n"...)
}

// appendStepJSON appends a step. One of a state has
//
//	time         string   when it was entered; null when unknown
//	no_later     boolean  only when true: at time or before
//	state        string
//	ms           number   how long it was in it; null when that is not known exactly, or goes on
//	at_least_ms  number   the same, at the least
//	at_most_ms   number   at the most
//	source       string   where a bound comes from, as of an age
//	so_far       boolean  only when true: it was in it when the recording ended
//	pid, comm, evidence   its owner then
//
// and one of which it is not known what happened
//
//	time   string  when that became known, or recording ended
//	gap    string  "lost", "missed" or "unrecorded"
//	lost   number  of "lost": how many events, of this or of other sockets
//	until  string  of "unrecorded": when recording went on; null: it did not
func appendStepJSON(b []byte, s *Step) []byte {
	b = appendJSONTime(append(b, `{"time":`...), s.Time)
	if s.State == 0 {
		b = appendJSONName(append(b, `,"gap":`...), s.Gap.String())
		switch s.Gap {
		case GapLost:
			b = appendUint(append(b, `,"lost":`...), s.Lost)
		case GapUnrecorded:
			b = appendJSONTime(append(b, `,"until":`...), s.Until)
		}
		return append(b, '}')
	}
	if s.NoLater {
		b = append(b, `,"no_later":true`...)
	}
	b = appendJSONName(append(b, `,"state":`...), s.State.String())
	atLeast, atMost := bounds(s.Stay)
	exact := tcp.Unknown
	if s.Stay.Exact() && !s.Open {
		exact = atLeast
	}
	b = appendJSONMillis(append(b, `,"ms":`...), exact)
	b = appendJSONMillis(append(b, `,"at_least_ms":`...), atLeast)
	b = appendJSONMillis(append(b, `,"at_most_ms":`...), atMost)
	b = appendJSONName(append(b, `,"source":`...), s.Stay.Source.String())
	if s.Open {
		b = append(b, `,"so_far":true`...)
	}
	return append(appendStepOwnerJSON(b, s.PID, &s.Comm, s.Evidence), '}')
}

func appendStepOwnerJSON(b []byte, pid uint32, comm *tcp.Comm, evidence tcp.Evidence) []byte {
	b = appendJSONCount(append(b, `,"pid":`...), uint64(pid))
	if b = append(b, `,"comm":`...); pid == 0 {
		b = append(b, "null"...)
	} else {
		b = append(appendJSONComm(append(b, '"'), comm), '"')
	}
	return appendJSONName(append(b, `,"evidence":`...), evidence.String())
}

// appendJSONTime appends ns since 1970, of which 0 means unknown.
func appendJSONTime(b []byte, ns int64) []byte {
	if ns == 0 {
		return append(b, "null"...)
	}
	return append(appendRFC3339(append(b, '"'), ns), '"')
}

// appendTotalsJSON appends the sums as one JSON object and a line feed.
//
//	event        string  "history"
//	connections  number
//	final        object  how many, by the last state that is known
//	states       object  by state: stays, how often one was in it; unknown and inexact, of how many of these the length is
//	                     not known, or a lower bound; total_ms of all but the unknown; longest_ms, longest_inexact
//	                     and longest_cookie
func appendTotalsJSON(b []byte, t *HistoryTotals) []byte {
	b = appendUint(append(b, `{"event":"history","connections":`...), t.Connections)
	b = append(b, `,"final":{`...)
	first := true
	begin := func(state tcp.State) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(append(b, '"'), state.String()...), `":`...)
	}
	for _, state := range lifeCycle {
		if n := t.Final[state]; n > 0 {
			begin(state)
			b = appendUint(b, n)
		}
	}
	b = append(b, `},"states":{`...)
	first = true
	for _, state := range lifeCycle {
		s := &t.States[state]
		if s.Stays == 0 {
			continue
		}
		begin(state)
		b = appendUint(append(b, `{"stays":`...), s.Stays)
		b = appendUint(append(b, `,"unknown":`...), s.Unknown)
		b = appendUint(append(b, `,"inexact":`...), s.Inexact)
		total, longest := s.Total, s.Longest
		if s.Unknown == s.Stays {
			total, longest = tcp.Unknown, tcp.Unknown
		}
		b = appendJSONMillis(append(b, `,"total_ms":`...), total)
		b = appendJSONMillis(append(b, `,"longest_ms":`...), longest)
		b = appendBool(append(b, `,"longest_inexact":`...), s.IsBound)
		b = append(appendJSONCookie(append(b, `,"longest_cookie":`...), s.Cookie), '}')
	}
	return append(b, "}}\n"...)
}
