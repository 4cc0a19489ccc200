package output

import (
	"strconv"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// appendJSON appends one finding as one JSON object and a line feed, in ASCII. Fields are in this order; none will be
// renamed, removed or moved, new ones come at the end. What is unknown, or is not there, is null; zombie and
// oldest_at_least are there only when true. Of a finding that is over, the numbers are the last that it had.
//
//	time             string   wall clock, RFC 3339 in UTC with nine decimals
//	event            string   "finding"
//	id               string   the same as long as the finding goes on, 16 hexadecimal digits
//	status           string   "firing", "escalated", "resolved", "muted" or "merged"; from run, too, "left" by a process
//	                          that has ended, or "overdue": closed in the end
//	level            string   "warn" or "critical"
//	state            string   in the kernel's spelling, as "CLOSE_WAIT"; of zombies "CLOSE"
//	zombie           boolean  in CLOSE after a connection, and a descriptor is still open
//	cause            string   as "not_closed": see leak.Cause
//	pid              number   the owner
//	comm             string   the owner's name; a byte that is not UTF-8 is U+FFFD; null without pid
//	netns            number   inode number of the network namespace; null with pid, whose sockets may be in several
//	netns_name       string   what the namespace is known by; only after a netns that is not null
//	direction        string   who opened the connections: "incoming" or "outgoing"
//	endpoint         string   the remote one, as "10.0.0.1:5432"; null for incoming, and for several
//	port             number   the local one of incoming connections; null for outgoing, and for several
//	endpoints        number   how many different endpoints or ports, when both of them are null
//	count            number   sockets
//	proven           number   of these, how many are past the limit for certain
//	oldest_ms        number   milliseconds that the oldest has been in the state; six decimals
//	oldest_at_least  boolean  oldest_ms is a lower bound
//	rate_per_min     number   sockets that come a minute, negative when they get fewer; three decimals
//	fd_limit         number   how many descriptors the process may have
//	fd_used          number   how many it has
//	fd_held          number   how many of them are sockets of this finding
//	fd_share         number   fd_held of fd_limit, from 0 to 1; six decimals
//	exhausted_ms     number   until the limit is hit if it goes on like this; 0 when it is
//	signs            array    names of what was found on any of the sockets: see leak.Signs
//	holders          array    processes that hold sockets, as {"pid":1,"comm":"x","sockets":3}, by how many
//	other_holders    number   processes that are not in holders
//	listener         object   whose queue they wait in: {"laddr","lport","pid","comm","waiting","backlog"}
//	peer             object   the other end, in CLOSE_WAIT, of the oldest that has one on this host: {"cookie","netns",
//	                          "netns_name","pid","comm","state","cause","finding","sockets","at_fault"}; finding is an id,
//	                          sockets how many of this finding have such a peer; it is at fault unless it has data left to
//	                          send
//	blames           array    ids of findings that this one is the cause of
//	leg              object   maybe the other side of a proxy, a guess: {"finding","pairs"}
//	callsite         string   where in the code they were opened
//	into             string   id of the finding that has the sockets of a merged one now
//	sockets          array    the oldest, as {"cookie","netns","netns_name","laddr","lport","raddr","rport","fd","age_ms",
//	                          "at_least","recv_q","send_q"}, at_least only when true; fd is the owner's
//	others           number   sockets that are not in sockets
//	recv_q, send_q   number   bytes, over all sockets
//	advice           object   for people: {"meaning","why","fix","verify","no_help"}, the last two arrays
//	call             string   system call by which they were opened: "connect", "accept", or "listen" where accept() is not
//	                          watched; null without call site
//	frames           array    the stack then, innermost first, as {"function","file","line","module","offset","pc","guess",
//	                          "inlined"}, the last two only when true; offset is what addr2line takes
func (w *Findings) appendJSON(b []byte, f *leak.Finding, at int64) []byte {
	k := &f.Key
	b = appendJSONStart(b, at, "finding")
	b = appendJSONText(append(b, `,"id":`...), f.ID)
	b = appendJSONName(append(b, `,"status":`...), f.Status.String())
	b = appendJSONName(append(b, `,"level":`...), f.Level.String())
	b = appendJSONName(append(b, `,"state":`...), k.Condition.State().String())
	if k.Condition == leak.Zombie {
		b = append(b, `,"zombie":true`...)
	}
	b = appendJSONName(append(b, `,"cause":`...), k.Cause.String())
	b = appendJSONProcess(append(b, ','), k.PID, &k.Comm)
	b = append(b, `,"netns":`...)
	if k.PID == 0 && k.NetNS != 0 {
		b = append(b, w.labels.namespace(k.NetNS)...)
	} else {
		b = append(b, "null"...)
	}
	b = appendJSONWhere(b, f)
	b = appendJSONExtent(b, f)
	b = appendJSONFDs(b, &f.FDs)
	b = appendJSONNames(append(b, `,"signs":`...), f.Signs.Names())
	b = appendJSONProcesses(append(b, `,"holders":`...), f.Holders)
	b = appendUint(append(b, `,"other_holders":`...), uint64(max(f.OtherHolders, 0)))
	b = w.appendJSONRelations(b, f)
	b = w.appendJSONSample(append(b, `,"sockets":`...), f.Sample)
	b = appendUint(append(b, `,"others":`...), uint64(max(f.Others, 0)))
	b = appendUint(append(b, `,"recv_q":`...), f.RecvQ)
	b = appendUint(append(b, `,"send_q":`...), f.SendQ)
	b = w.appendJSONAdvice(append(b, `,"advice":`...), f)
	b = w.appendJSONSite(b, f)
	return append(b, '}', '\n')
}

// appendJSONWhere appends direction to endpoints.
func appendJSONWhere(b []byte, f *leak.Finding) []byte {
	endpoint := f.Key.Endpoint
	b = appendJSONName(append(b, `,"direction":`...), f.Key.Direction.String())
	b = append(b, `,"endpoint":`...)
	if endpoint.Addr().IsValid() {
		b = append(appendEndpoint(append(b, '"'), endpoint), `","port":null,"endpoints":null`...)
		return b
	}
	b = appendJSONCount(append(b, `null,"port":`...), uint64(endpoint.Port()))
	b = append(b, `,"endpoints":`...)
	if endpoint.Port() != 0 {
		return append(b, "null"...)
	}
	return appendJSONCount(b, uint64(max(f.Endpoints, 0)))
}

// appendJSONExtent appends count to rate_per_min.
func appendJSONExtent(b []byte, f *leak.Finding) []byte {
	b = appendUint(append(b, `,"count":`...), uint64(max(f.Count, 0)))
	b = appendUint(append(b, `,"proven":`...), uint64(max(f.Proven, 0)))
	b = appendJSONMillis(append(b, `,"oldest_ms":`...), knownAge(f.Oldest, f.AtLeast))
	if f.AtLeast {
		b = append(b, `,"oldest_at_least":true`...)
	}
	b = append(b, `,"rate_per_min":`...)
	if !f.Growth.Known {
		return append(b, "null"...)
	}
	return appendJSONFloat(b, f.Growth.PerMinute, 3)
}

// appendJSONFDs appends fd_limit to exhausted_ms.
func appendJSONFDs(b []byte, d *leak.FDs) []byte {
	if !d.Known {
		return append(b, `,"fd_limit":null,"fd_used":null,"fd_held":null,"fd_share":null,"exhausted_ms":null`...)
	}
	b = appendUint(append(b, `,"fd_limit":`...), d.Limit)
	b = appendUint(append(b, `,"fd_used":`...), uint64(max(d.Used, 0)))
	b = appendUint(append(b, `,"fd_held":`...), uint64(max(d.Held, 0)))
	b = appendJSONFloat(append(b, `,"fd_share":`...), d.Share, 6)
	return appendJSONMillis(append(b, `,"exhausted_ms":`...), d.Exhausted)
}

// appendJSONRelations appends listener to into.
func (w *Findings) appendJSONRelations(b []byte, f *leak.Finding) []byte {
	b = appendJSONListener(append(b, `,"listener":`...), f.Listener)
	b = w.appendJSONPeer(append(b, `,"peer":`...), f.Peer)
	b = appendJSONNames(append(b, `,"blames":`...), f.Blames)
	b = append(b, `,"leg":`...)
	if f.Leg != nil {
		b = appendJSONText(append(b, `{"finding":`...), f.Leg.Finding)
		b = append(appendUint(append(b, `,"pairs":`...), uint64(max(f.Leg.Pairs, 0))), '}')
	} else {
		b = append(b, "null"...)
	}
	site := ""
	if s, ok := w.site(f); ok {
		site = s.place().text()
	}
	b = appendJSONText(append(b, `,"callsite":`...), site)
	return appendJSONText(append(b, `,"into":`...), f.Into)
}

func appendJSONListener(b []byte, l *leak.Listener) []byte {
	if l == nil {
		return append(b, "null"...)
	}
	b = appendJSONAddr(append(b, `{"laddr":`...), l.Local.Addr())
	b = appendJSONCount(append(b, `,"lport":`...), uint64(l.Local.Port()))
	b = appendJSONProcess(append(b, ','), l.PID, &l.Comm)
	b = appendUint(append(b, `,"waiting":`...), uint64(l.Waiting))
	return append(appendUint(append(b, `,"backlog":`...), uint64(l.Backlog)), '}')
}

func (w *Findings) appendJSONPeer(b []byte, p *leak.Peer) []byte {
	if p == nil {
		return append(b, "null"...)
	}
	b = appendJSONCookie(append(b, `{"cookie":`...), p.Cookie)
	b = append(append(b, `,"netns":`...), w.labels.namespace(p.NetNS)...)
	b = appendJSONProcess(append(b, ','), p.PID, &p.Comm)
	b = appendJSONName(append(b, `,"state":`...), p.State.String())
	b = appendJSONName(append(b, `,"cause":`...), p.Cause.String())
	b = appendJSONText(append(b, `,"finding":`...), p.Finding)
	b = appendJSONCount(append(b, `,"sockets":`...), uint64(max(p.Sockets, 0)))
	return append(strconv.AppendBool(append(b, `,"at_fault":`...), p.AtFault), '}')
}

func (w *Findings) appendJSONSample(b []byte, sample []leak.Stuck) []byte {
	b = append(b, '[')
	for i := range sample {
		if i > 0 {
			b = append(b, ',')
		}
		b = w.appendJSONStuck(b, &sample[i])
	}
	return append(b, ']')
}

func (w *Findings) appendJSONStuck(b []byte, stuck *leak.Stuck) []byte {
	s := &stuck.Socket
	b = appendJSONCookie(append(b, `{"cookie":`...), s.Cookie)
	b = append(append(b, `,"netns":`...), w.labels.namespace(s.NetNS)...)
	b = appendJSONAddr(append(b, `,"laddr":`...), s.Local.Addr())
	b = appendJSONCount(append(b, `,"lport":`...), uint64(s.Local.Port()))
	b = appendJSONAddr(append(b, `,"raddr":`...), s.Remote.Addr())
	b = appendJSONCount(append(b, `,"rport":`...), uint64(s.Remote.Port()))
	b = append(b, `,"fd":`...)
	if owner := ownerHolder(s); owner >= 0 {
		b = appendUint(b, uint64(s.Holders[owner].FD))
	} else {
		b = append(b, "null"...)
	}
	b = appendJSONMillis(append(b, `,"age_ms":`...), knownAge(stuck.Age, stuck.AtLeast))
	if stuck.AtLeast {
		b = append(b, `,"at_least":true`...)
	}
	b = appendUint(append(b, `,"recv_q":`...), uint64(s.RecvQ))
	return append(appendUint(append(b, `,"send_q":`...), uint64(s.SendQ)), '}')
}

func (w *Findings) appendJSONAdvice(b []byte, f *leak.Finding) []byte {
	t := w.adviceFor(f)
	b = appendJSONText(append(b, `{"meaning":`...), t.Meaning)
	b = appendJSONText(append(b, `,"why":`...), t.Why)
	b = appendJSONText(append(b, `,"fix":`...), t.Fix)
	b = appendJSONNames(append(b, `,"verify":`...), t.Verify)
	return append(appendJSONNames(append(b, `,"no_help":`...), t.NoHelp), '}')
}

// appendJSONProcess appends pid and comm.
func appendJSONProcess(b []byte, pid uint32, name *tcp.Comm) []byte {
	if pid == 0 {
		return append(b, `"pid":null,"comm":null`...)
	}
	b = appendUint(append(b, `"pid":`...), uint64(pid))
	return append(appendJSONComm(append(b, `,"comm":"`...), name), '"')
}

func appendJSONProcesses(b []byte, processes []leak.Process) []byte {
	b = append(b, '[')
	for i := range processes {
		if i > 0 {
			b = append(b, ',')
		}
		p := &processes[i]
		b = appendJSONProcess(append(b, '{'), p.PID, &p.Comm)
		b = append(appendUint(append(b, `,"sockets":`...), uint64(max(p.Sockets, 0))), '}')
	}
	return append(b, ']')
}

func appendJSONCookie(b []byte, cookie uint64) []byte {
	if cookie == 0 {
		return append(b, "null"...)
	}
	return append(appendHex(append(b, '"'), cookie), '"')
}

// appendJSONNames appends an array of texts.
func appendJSONNames(b []byte, texts []string) []byte {
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONText(b, text)
	}
	return append(b, ']')
}

// appendJSONFloat appends a number with so many decimals, null for what is none.
func appendJSONFloat(b []byte, x float64, decimals int) []byte {
	if !isFinite(x) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, x, 'f', decimals, 64)
}
