package alert

import (
	"strconv"
	"strings"
	"time"
)

// StructuredID is the name of our element of structured data. RFC 5424 (6.3.2) wants the number of the enterprise that
// defines it after the @, as IANA assigned it. The project has none; 32473 is the number for documentation (RFC 5612),
// of which nobody else can be the owner, either.
const StructuredID = "tcptrail@32473"

// appName is who we are to syslog and the journal.
const appName = "tcptrail"

// facilityDaemon is "system daemons" (RFC 5424, table 1).
const facilityDaemon = 3

// Severities (RFC 5424, table 2), which are the journal's priorities, too.
const (
	severityCritical = 2
	severityWarning  = 4
	severityNotice   = 5
)

// priority returns the severity of an alert: what is over is worth a notice.
func priority(a *Alert) int {
	switch {
	case a.Status.IsOver():
		return severityNotice
	case a.Severity == Critical:
		return severityCritical
	}
	return severityWarning
}

// The bounds of a message's parts.
const (
	maxHost      = 255 // HOSTNAME and PARAM-NAME: RFC 5424, section 6
	maxParamName = 32
	maxParam     = 1 << 10
	// messageShare is the part of a message that is kept for its text when there is much structured data.
	messageShare = 4
)

// syslogHeader is what is the same in each message.
type syslogHeader struct {
	host string
	pid  int
}

// append appends an alert as a message of RFC 5424 of at most limit bytes, which are at least 1024. What does not fit is
// left out of the structured data, or cut off the text. The text begins with a byte order mark if it is not ASCII, as
// section 6.4 demands.
func (h *syslogHeader) append(b []byte, d *Delivery, limit int) []byte {
	end := len(b) + limit
	text := plain(d.Summary, limit)
	b = appendPriority(b, d)
	b = append(b, "1 "...)
	b = d.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	b = append(append(append(b, ' '), h.host...), " "+appName+" "...)
	b = strconv.AppendInt(b, int64(h.pid), 10)
	b = append(append(b, ' '), strings.ToUpper(d.Status.String())...)
	b = append(b, ' ')
	b = appendElement(b, d, end-min(len(text)+len(" \ufeff"), limit/messageShare))
	b = append(b, ' ')
	if !isASCII(text) {
		b = append(b, "\ufeff"...)
	}
	return append(b, plain(text, end-len(b))...)
}

// appendLocal appends an alert in the form of syslog(3), with the structured data at the end of the text. Daemons expect
// it on their local socket: rsyslog 8 as it comes takes a message of RFC 5424 there for one of a program named "1".
func (h *syslogHeader) appendLocal(b []byte, d *Delivery, limit int) []byte {
	end := len(b) + limit
	b = appendPriority(b, d)
	b = d.Time.Local().AppendFormat(b, time.Stamp)
	b = append(b, " "+appName+"["...)
	b = strconv.AppendInt(b, int64(h.pid), 10)
	b = append(b, "]: "...)
	b = append(b, plain(d.Summary, limit-limit/messageShare-len(b))...)
	return appendElement(append(b, ' '), d, end)
}

func appendPriority(b []byte, d *Delivery) []byte {
	b = strconv.AppendInt(append(b, '<'), int64(facilityDaemon<<3|priority(&d.Alert)), 10)
	return append(b, '>')
}

// appendElement appends structured data, as much of it as ends before the end.
func appendElement(b []byte, d *Delivery, end int) []byte {
	b = append(b, "["+StructuredID...)
	add := func(name, value string) {
		name = word(name, maxParamName)
		if name == "" || value == "" {
			return
		}
		before := len(b)
		b = append(append(append(b, ' '), name...), `="`...)
		b = append(appendParam(b, plain(value, maxParam)), '"')
		if len(b)+len("]") > end {
			b = b[:before]
		}
	}
	add("id", d.ID)
	add("status", d.Status.String())
	add("severity", d.Severity)
	add("since", d.Since.UTC().Format(time.RFC3339Nano))
	for _, pairs := range [...][]Pair{d.Labels, d.Fields} {
		for _, p := range pairs {
			add(p.Name, p.Value)
		}
	}
	return append(b, ']')
}

// appendParam appends a value of structured data: three characters need a backslash (RFC 5424, 6.3.3).
func appendParam(b []byte, value string) []byte {
	for i := range len(value) {
		if c := value[i]; c == '"' || c == '\\' || c == ']' {
			b = append(b, '\\')
		}
		b = append(b, value[i])
	}
	return b
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > 0x7f }) < 0
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
