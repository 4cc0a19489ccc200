package forward

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// field is the number of something that is known of a transition.
type field int

const (
	fieldTime field = iota
	fieldCookie
	fieldNetNS
	fieldCgroup
	fieldUID
	fieldLocalAddr
	fieldLocalPort
	fieldRemoteAddr
	fieldRemotePort
	fieldOld
	fieldNew
	fieldInOld
	fieldPID
	fieldComm
	fieldEvidence
	fieldReason
	fields // how many
)

// fieldNames are their names in JSON, which are those in structured data, too, and in the journal: the same in capitals. The
// time in the old state, whose number is of ns here, has a name of its own.
var fieldNames = [fields]struct{ param, journal string }{
	fieldTime:       {"time", "TCPTRAIL_TIME"},
	fieldCookie:     {"cookie", "TCPTRAIL_COOKIE"},
	fieldNetNS:      {"netns", "TCPTRAIL_NETNS"},
	fieldCgroup:     {"cgroup", "TCPTRAIL_CGROUP"},
	fieldUID:        {"uid", "TCPTRAIL_UID"},
	fieldLocalAddr:  {"laddr", "TCPTRAIL_LADDR"},
	fieldLocalPort:  {"lport", "TCPTRAIL_LPORT"},
	fieldRemoteAddr: {"raddr", "TCPTRAIL_RADDR"},
	fieldRemotePort: {"rport", "TCPTRAIL_RPORT"},
	fieldOld:        {"old", "TCPTRAIL_OLD"},
	fieldNew:        {"new", "TCPTRAIL_NEW"},
	fieldInOld:      {"time_in_state_ns", "TCPTRAIL_TIME_IN_STATE_NS"},
	fieldPID:        {"pid", "TCPTRAIL_PID"},
	fieldComm:       {"comm", "TCPTRAIL_COMM"},
	fieldEvidence:   {"evidence", "TCPTRAIL_EVIDENCE"},
	fieldReason:     {"reason", "TCPTRAIL_REASON"},
}

// values are what is known of one transition, as text of one line without control characters; what is unknown is empty.
type values struct {
	text []byte
	ends [fields]int
}

func (v *values) of(f field) []byte {
	if f == 0 {
		return v.text[:v.ends[0]]
	}
	return v.text[v.ends[f-1]:v.ends[f]]
}

func (v *values) set(e *tcp.Event) {
	v.text = v.text[:0]
	for f := range fields {
		v.text = appendValue(v.text, f, e)
		v.ends[f] = len(v.text)
	}
}

func appendValue(b []byte, f field, e *tcp.Event) []byte {
	switch f {
	case fieldTime:
		return time.Unix(0, e.Time).UTC().AppendFormat(b, "2006-01-02T15:04:05.000000000Z")
	case fieldCookie:
		if e.Cookie == 0 {
			return b
		}
		return strconv.AppendUint(b, e.Cookie, 16)
	case fieldNetNS:
		return appendKnown(b, uint64(e.NetNS))
	case fieldCgroup:
		return appendKnown(b, e.CgroupID)
	case fieldUID:
		return strconv.AppendUint(b, uint64(e.UID), 10)
	case fieldLocalAddr:
		return appendAddr(b, e.Local.Addr())
	case fieldLocalPort:
		return appendKnown(b, uint64(e.Local.Port()))
	case fieldRemoteAddr:
		return appendAddr(b, e.Remote.Addr())
	case fieldRemotePort:
		return appendKnown(b, uint64(e.Remote.Port()))
	}
	return appendStateOrOwner(b, f, e)
}

func appendStateOrOwner(b []byte, f field, e *tcp.Event) []byte {
	switch f {
	case fieldOld:
		return append(b, e.Old.String()...)
	case fieldNew:
		return append(b, e.New.String()...)
	case fieldInOld:
		if e.InOld < 0 {
			return b
		}
		return strconv.AppendInt(b, int64(e.InOld), 10)
	case fieldPID:
		return appendKnown(b, uint64(e.PID))
	case fieldComm:
		if e.PID == 0 {
			return b
		}
		return appendComm(b, e.Comm.Bytes())
	case fieldEvidence:
		return append(b, e.Evidence.String()...)
	case fieldReason:
		if e.New != tcp.Close {
			return b
		}
		return append(b, e.Reason.String()...)
	}
	return b
}

// appendKnown appends a number of which 0 means unknown, or none.
func appendKnown(b []byte, v uint64) []byte {
	if v == 0 {
		return b
	}
	return strconv.AppendUint(b, v, 10)
}

// appendAddr appends an address as RFC 5952 writes it, without a zone, which may be any text.
func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return b
	}
	return a.WithZone("").AppendTo(b)
}

// appendComm appends a name that a process chose. As in findings, what steers a terminal, breaks a line or turns its
// direction comes out as \u and its number, and what is not UTF-8 as U+FFFD.
func appendComm(b, comm []byte) []byte {
	for len(comm) > 0 {
		r, size := utf8.DecodeRune(comm)
		switch {
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			b = fmt.Appendf(b, `\U%08x`, r)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
		comm = comm[size:]
	}
	return b
}
