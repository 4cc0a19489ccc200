package alert

import (
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/systemlog"
)

// priority returns the severity of an alert: what is over is worth a notice.
func priority(a *Alert) int {
	switch {
	case a.Status.IsOver():
		return systemlog.Notice
	case a.Severity == Critical:
		return systemlog.Critical
	}
	return systemlog.Warning
}

// The bounds of a message's parts.
const (
	maxParam = 1 << 10
	// messageShare is the part of a message that is kept for its text when there is much structured data.
	messageShare = 4
)

// syslogForm is how messages look to a daemon.
type syslogForm struct {
	header systemlog.Header
	local  bool // the form of syslog(3)
	limit  int  // bytes of a message, at least 1024
}

// append appends an alert as a message. What does not fit is left out of the structured data, or cut off the text.
func (f *syslogForm) append(b []byte, d *Delivery) []byte {
	if f.local {
		return f.appendLocal(b, d)
	}
	end := len(b) + f.limit
	text := plain(d.Summary, f.limit)
	b = f.header.Append(b, priority(&d.Alert), d.Time, strings.ToUpper(d.Status.String()))
	b = appendElement(b, d, end-min(len(text)+len(" \ufeff"), f.limit/messageShare))
	b = systemlog.AppendTextMark(append(b, ' '), text)
	return append(b, plain(text, end-len(b))...)
}

func (f *syslogForm) appendLocal(b []byte, d *Delivery) []byte {
	end := len(b) + f.limit
	b = f.header.AppendLocal(b, priority(&d.Alert), d.Time)
	b = append(b, plain(d.Summary, f.limit-f.limit/messageShare-len(b))...)
	return appendElement(append(b, ' '), d, end)
}

// appendElement appends structured data, as much of it as ends before the end.
func appendElement(b []byte, d *Delivery, end int) []byte {
	b = systemlog.BeginElement(b)
	add := func(name, value string) {
		if name = word(name, systemlog.MaxParamName); name != "" && value != "" {
			b = systemlog.AppendParam(b, name, plain(value, maxParam), end)
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
