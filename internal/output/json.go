package output

import (
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// fields are the names in JSON and the header of CSV, in their order. They are a contract: none is renamed, removed
// or moved; new ones come at the end.
var fields = [...]string{
	"time", "event", "cookie", "netns", "cgroup", "uid", "family", "laddr", "lport", "raddr", "rport", "old", "new", "ms",
	"pid", "comm", "evidence", "running_pid", "next", "reason", "errno", "bytes_sent", "bytes_received", "retransmits",
	"srtt_us", "missed", "late",
}

// jsonSecond is the beginning of a line, up to the fraction of its second.
const jsonSecond = `{"time":"` + secondUTC

// jsonWords are stretches of a line that are worth keeping, because copying them takes less time than putting them
// together.
type jsonWords struct {
	change     [tcp.States + 1][tcp.States + 1]string // from old to ms
	namespaces [namespaceSlots]namespace
}

// namespaceSlots is how many network namespaces are remembered, each in the slot of its number's last bits: the kernel
// numbers them one by one, so that those of a host's containers seldom meet.
const namespaceSlots = 64

// namespace is the text of a network namespace's number, the longest number of a line.
type namespace struct {
	number uint32
	text   []byte
}

func newJSONWords() *jsonWords {
	var words jsonWords
	for from := range words.change {
		for to := range words.change[from] {
			words.change[from][to] = `,"old":"` + tcp.State(from).String() + `","new":"` + tcp.State(to).String() + `","ms":`
		}
	}
	for i := range words.namespaces {
		words.namespaces[i].text = append(make([]byte, 0, maxUint), '0')
	}
	return &words
}

// namespace returns the text of a network namespace.
func (j *jsonWords) namespace(number uint32) []byte {
	slot := &j.namespaces[number%namespaceSlots]
	if slot.number != number {
		slot.number, slot.text = number, appendUint(slot.text[:0], uint64(number))
	}
	return slot.text
}

// index returns the number of a state, and 0 for what is none.
func index(s tcp.State) uint8 {
	if s.Valid() {
		return uint8(s)
	}
	return 0
}

// appendJSON appends one transition as one JSON object and a line feed, in ASCII. Fields are in this order; what is
// unknown is null. Those up to running_pid are there in every line; those from next to srtt_us only when new is CLOSE,
// but errno also when there is one; missed and late only when true. Most lines are no end and short for it.
//
//	time            string   RFC 3339 in UTC with nine decimals
//	event           string   "transition"
//	cookie          string   the socket, hexadecimal, as ss -e prints it after sk:
//	netns           number   inode number of the network namespace
//	cgroup          number   id of the cgroup (v2), which is the inode number of its directory
//	uid             number   user of the socket
//	family          string   "inet" or "inet6"; of the socket, so inet6 with IPv4 addresses is v4-mapped
//	laddr, raddr    string   local and remote address, as they travel on the wire
//	lport, rport    number   local and remote port; null when there is none, or none yet
//	old, new        string   the states, in the kernel's spelling, as "CLOSE_WAIT"
//	ms              number   milliseconds spent in old, host awake, six decimals; null when unknown, never 0 for it
//	pid             number   the owner
//	comm            string   the owner's name; a byte that is not UTF-8 is U+FFFD; null without pid
//	evidence        string   what proves the owner: "connect", "listen", "accept", "close" or "fd"
//	running_pid     number   whom the event interrupted, 0 for an idle CPU; not the owner; null when late
//	next            string   state of the minisock that carries the connection on after CLOSE, as "TIME_WAIT"
//	reason          string   why it went to CLOSE, as "fin_local"
//	errno           string   what the next system call on the socket fails with, as "ECONNRESET"
//	bytes_sent      number   payload without retransmissions
//	bytes_received  number   payload
//	retransmits     number   segments sent again
//	srtt_us         number   smoothed round-trip time in microseconds
//	missed          boolean  at least one transition of this socket before this one was not seen
//	late            boolean  comes after it happened: order lines by time
func (w *Writer) appendJSON(b []byte, e *tcp.Event) []byte {
	rest := w.utc.at(e.Time)
	b = append(b, w.utc.text...)
	b = appendNano(b, rest)
	b = append(b, `Z","event":"transition","cookie":`...)
	b = w.appendJSONSocket(b, e)
	b = append(b, w.json.change[index(e.Old)][index(e.New)]...)
	if e.InOld >= 0 {
		b = appendMillis(b, uint64(e.InOld))
	} else {
		b = append(b, "null"...)
	}
	b = appendJSONOwner(b, e)
	return appendJSONEnd(b, e)
}

// appendJSONSocket appends from the value of cookie to that of rport.
func (w *Writer) appendJSONSocket(b []byte, e *tcp.Event) []byte {
	if e.Cookie != 0 {
		b = append(appendHex(append(b, '"'), e.Cookie), '"')
	} else {
		b = append(b, "null"...)
	}
	b = append(append(b, `,"netns":`...), w.json.namespace(e.NetNS)...)
	b = appendJSONCount(append(b, `,"cgroup":`...), e.CgroupID)
	b = appendUint(append(b, `,"uid":`...), uint64(e.UID))
	b = append(append(b, `,"family":"`...), e.Family.String()...)
	b = appendJSONAddr(append(b, `","laddr":`...), e.Local.Addr())
	b = appendJSONCount(append(b, `,"lport":`...), uint64(e.Local.Port()))
	b = appendJSONAddr(append(b, `,"raddr":`...), e.Remote.Addr())
	return appendJSONCount(append(b, `,"rport":`...), uint64(e.Remote.Port()))
}

// appendJSONOwner appends pid to running_pid.
func appendJSONOwner(b []byte, e *tcp.Event) []byte {
	if e.PID != 0 {
		b = appendUint(append(b, `,"pid":`...), uint64(e.PID))
		b = append(appendJSONComm(append(b, `,"comm":"`...), &e.Comm), '"')
	} else {
		b = append(b, `,"pid":null,"comm":null`...)
	}
	b = appendJSONName(append(b, `,"evidence":`...), e.Evidence.String())
	b = append(b, `,"running_pid":`...)
	if e.Late {
		return append(b, "null"...)
	}
	return appendUint(b, uint64(e.RunningPID))
}

// appendJSONEnd appends next to late, as far as they apply, and ends the line.
func appendJSONEnd(b []byte, e *tcp.Event) []byte {
	switch {
	case e.New == tcp.Close:
		b = appendJSONName(append(b, `,"next":`...), nextName(e))
		b = appendJSONName(append(b, `,"reason":`...), e.Reason.String())
		b = appendJSONTotals(appendJSONErrno(b, e.Errno), e)
	case e.Errno != 0:
		b = appendJSONErrno(b, e.Errno)
	}
	if e.Missed {
		b = append(b, `,"missed":true`...)
	}
	if e.Late {
		b = append(b, `,"late":true`...)
	}
	return append(b, '}', '\n')
}

func appendJSONErrno(b []byte, errno uint16) []byte {
	b = append(b, `,"errno":`...)
	if errno == 0 {
		return append(b, "null"...)
	}
	return append(appendErrno(append(b, '"'), errno), '"')
}

// appendJSONTotals appends bytes_sent to srtt_us.
func appendJSONTotals(b []byte, e *tcp.Event) []byte {
	b = appendUint(append(b, `,"bytes_sent":`...), e.BytesSent)
	b = appendUint(append(b, `,"bytes_received":`...), e.BytesRecv)
	b = appendUint(append(b, `,"retransmits":`...), uint64(e.Retrans))
	b = append(b, `,"srtt_us":`...)
	if e.SRTT < 0 {
		return append(b, "null"...)
	}
	return appendUint(b, uint64(e.SRTT.Microseconds()))
}
