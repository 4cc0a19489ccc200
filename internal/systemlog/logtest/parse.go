// Package logtest stands for the logs of a host in tests: it has sockets as journald and syslog daemons have them, and
// reads what comes there more strictly than they do.
package logtest

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ParseEntry reads an entry in the native protocol of systemd's journal.
func ParseEntry(b string) (map[string]string, error) {
	fields := map[string]string{}
	for b != "" {
		line, rest, ok := strings.Cut(b, "\n")
		if !ok {
			return nil, fmt.Errorf("no end: %q", b)
		}
		name, value, short := strings.Cut(line, "=")
		if !short {
			if len(rest) < 8 {
				return nil, fmt.Errorf("%s: no length", name)
			}
			n := binary.LittleEndian.Uint64([]byte(rest[:8]))
			if n >= uint64(len(rest)-8) || rest[8+n] != '\n' {
				return nil, fmt.Errorf("%s: no line feed after %d bytes", name, n)
			}
			value, rest = rest[8:8+n], rest[8+n+1:]
		}
		if name == "" || len(name) > 64 || name[0] == '_' || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			return nil, fmt.Errorf("name %q", name)
		}
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("%s comes twice", name)
		}
		fields[name] = value
		b = rest
	}
	return fields, nil
}

// Message is one of RFC 5424.
type Message struct {
	Priority                   int
	Time                       time.Time
	Host, App, PID, Kind, Data string      // Data is the name of the element of structured data
	Params                     [][2]string // of the element
	Text                       string
	Mark                       bool // whether a byte order mark was before it
}

// Param returns the value of a parameter; "" if there is none.
func (m *Message) Param(name string) string {
	for _, p := range m.Params {
		if p[0] == name {
			return p[1]
		}
	}
	return ""
}

var (
	messageHead = regexp.MustCompile(`^<(\d{1,3})>1 (\S+) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) \[([^ =\]"]{1,32})`)
	localHead   = regexp.MustCompile(`^<(\d{1,3})>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ([a-z]+)\[(\d+)\]: `)
	param       = regexp.MustCompile(`^ ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"`)
	quoted      = regexp.MustCompile(`\\(["\\\]])`)
)

// ParseMessage reads a message of RFC 5424, section 6.
func ParseMessage(b string) (m Message, err error) {
	if !utf8.ValidString(b) {
		return m, fmt.Errorf("not UTF-8: %q", b)
	}
	got := messageHead.FindStringSubmatch(b)
	if got == nil {
		return m, fmt.Errorf("header: %q", b)
	}
	m.Priority, _ = strconv.Atoi(got[1])
	if m.Time, err = time.Parse("2006-01-02T15:04:05.999999Z", got[2]); err != nil {
		return m, err
	}
	m.Host, m.App, m.PID, m.Kind, m.Data = got[3], got[4], got[5], got[6], got[7]
	b = m.params(b[len(got[0]):])
	if !strings.HasPrefix(b, "] ") {
		return m, fmt.Errorf("structured data: %q", b)
	}
	m.Text, m.Mark = strings.CutPrefix(b[2:], "\ufeff")
	return m, m.checkText()
}

// params reads parameters, and returns what is left.
func (m *Message) params(b string) string {
	for {
		p := param.FindStringSubmatch(b)
		if p == nil {
			return b
		}
		m.Params = append(m.Params, [2]string{p[1], quoted.ReplaceAllString(p[2], "$1")})
		b = b[len(p[0]):]
	}
}

func (m *Message) checkText() error {
	if strings.ContainsFunc(m.Text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("text: %q", m.Text)
	}
	return nil
}

// ParseLocal reads a message in the form of syslog(3), with an element of structured data of that name at its end.
func ParseLocal(b, data string) (m Message, err error) {
	got := localHead.FindStringSubmatch(b)
	at := strings.LastIndex(b, " ["+data)
	if got == nil || at < len(got[0])-1 || !utf8.ValidString(b) {
		return m, fmt.Errorf("header: %q", b)
	}
	m.Priority, _ = strconv.Atoi(got[1])
	m.App, m.PID, m.Data = got[2], got[3], data
	m.Text = b[len(got[0]):max(at, len(got[0]))]
	if rest := m.params(b[at+len(" [")+len(data):]); rest != "]" {
		return m, fmt.Errorf("structured data: %q", rest)
	}
	return m, m.checkText()
}
