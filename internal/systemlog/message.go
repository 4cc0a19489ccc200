package systemlog

import (
	"os"
	"strconv"
	"time"
	"unicode"
)

// StructuredID is the name of our element of structured data. RFC 5424 (6.3.2) wants the number of the enterprise that
// defines it after the @, as IANA assigned it. The project has none; 32473 is the number for documentation (RFC 5612),
// of which nobody else can be the owner, either.
const StructuredID = "tcptrail@32473"

// The bounds of a message's parts: HOSTNAME and PARAM-NAME of RFC 5424, section 6.
const (
	maxHost      = 255
	MaxParamName = 32
)

// Header is what is the same in each message.
type Header struct {
	host string
	pid  int
}

// NewHeader returns the header of a process on a host, of whose name only printable ASCII is left.
func NewHeader(host string, pid int) Header { return Header{hostWord(host), pid} }

// OwnHeader returns the header of this process.
func OwnHeader() Header {
	host, _ := os.Hostname()
	return NewHeader(host, os.Getpid())
}

// Append appends what a message of RFC 5424 has before its structured data, with a space at the end. The kind is its MSGID:
// up to 32 printable characters of ASCII without a space.
func (h *Header) Append(b []byte, severity int, at time.Time, kind string) []byte {
	b = appendPriority(b, severity)
	b = append(b, "1 "...)
	b = at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	b = append(append(append(b, ' '), h.host...), " "+AppName+" "...)
	b = strconv.AppendInt(b, int64(h.pid), 10)
	return append(append(append(b, ' '), kind...), ' ')
}

// AppendLocal appends what a message in the form of syslog(3) has before its text. Daemons expect that form on their local
// socket: rsyslog 8 as it comes takes a message of RFC 5424 there for one of a program named "1". Structured data comes at
// the end of the text.
func (h *Header) AppendLocal(b []byte, severity int, at time.Time) []byte {
	b = appendPriority(b, severity)
	b = at.Local().AppendFormat(b, time.Stamp)
	b = append(b, " "+AppName+"["...)
	b = strconv.AppendInt(b, int64(h.pid), 10)
	return append(b, "]: "...)
}

func appendPriority(b []byte, severity int) []byte {
	b = strconv.AppendInt(append(b, '<'), int64(FacilityDaemon<<3|severity), 10)
	return append(b, '>')
}

// AppendTextMark appends the byte order mark with which section 6.4 demands that text begins, if it is not ASCII.
func AppendTextMark(b []byte, text string) []byte {
	for _, r := range text {
		if r > unicode.MaxASCII {
			return append(b, "\ufeff"...)
		}
	}
	return b
}

// BeginElement appends the beginning of our element of structured data; its end is a closing bracket.
func BeginElement(b []byte) []byte { return append(b, "["+StructuredID...) }

// AppendParam appends a parameter of structured data, if there is room for it and the bracket within end bytes. The name has
// up to MaxParamName printable characters of ASCII, and none of = ] " and space.
func AppendParam[T string | []byte](b []byte, name string, value T, end int) []byte {
	before := len(b)
	b = append(append(append(b, ' '), name...), `="`...)
	for i := range len(value) {
		if c := value[i]; c == '"' || c == '\\' || c == ']' { // which need a backslash: 6.3.3
			b = append(b, '\\')
		}
		b = append(b, value[i])
	}
	b = append(b, '"')
	if len(b)+len("]") > end {
		return b[:before]
	}
	return b
}

// hostWord returns a host's name as a field of a message: printable ASCII without spaces; "-" for none.
func hostWord(name string) string {
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name) && len(b) < maxHost; i++ {
		if c := name[i]; c > ' ' && c < 0x7f {
			b = append(b, c)
		}
	}
	if len(b) == 0 {
		return "-"
	}
	return string(b)
}
