package output

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/leak"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// thinSpace stands between groups of three digits: narrow, one column wide, and no place to break a line (U+202F).
const thinSpace = "\u202f"

// briefCauses say why a socket is stuck behind the colon of a headline; leak.Advice has the sentences.
var briefCauses = [...]string{
	leak.CauseNone:     "why is not known",
	leak.NeverAccepted: "never accepted",
	leak.Inherited:     "held by several processes, and close() in one of them sends nothing",
	leak.Sending:       "something is left to send",
	leak.UnreadData:    "not read to the end",
	leak.UnreadFin:     "all data read, and nobody looked for the end",
	leak.NotClosed:     "read to the end and never closed",
	leak.HalfClosed:    "shut for sending and never closed",
	leak.Orphan:        "held by nobody: the kernel ends it",
	leak.ZombieHeld:    "the connection is over, the descriptor still open",
	leak.Idle:          "no data either way",
	leak.Unanswered:    "the peer does not answer",
}

func briefCause(f *leak.Finding) string {
	switch c := f.Key.Cause; {
	case c == leak.Sending && f.Signs.Has(leak.SignWindowShut):
		return "something is left to send, and the peer has shut its window"
	case int(c) < len(briefCauses):
		return briefCauses[c]
	}
	return briefCauses[leak.CauseNone]
}

// count returns a number, grouped on a terminal.
func (w *Findings) count(n uint64) string {
	text := strconv.FormatUint(n, 10)
	if w.o.Width <= 0 {
		return text
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + thinSpace + text[i:]
	}
	return text
}

// counted returns a number of things, whose name takes an s when there are several.
func (w *Findings) counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return w.count(uint64(max(n, 0))) + " " + thing
}

// printableText returns hostile text in printable ASCII, one character a character.
func printableText(text string) string {
	return string(appendPrintable(make([]byte, 0, utf8.RuneCountInString(text)), []byte(text)))
}

// plainInNames are the characters, beside letters and digits, of names that need no quotes; '?' is what is not printable.
const plainInNames = "._-+:/@%#*=~^?"

// processName returns the name of a process, in quotes where it could be taken for more: for a pid, several processes, or
// words of ours. A process chooses its name.
func processName(name *tcp.Comm) string {
	text := printableText(string(name.Bytes()))
	if !strings.ContainsFunc(text, func(r rune) bool { return !isPlain(r, plainInNames) }) {
		return text
	}
	return strconv.Quote(text)
}

// process names a process.
func process(pid uint32, name *tcp.Comm) string {
	switch text := processName(name); {
	case pid == 0:
		return "an unknown process"
	case text == "":
		return fmt.Sprintf("process %d", pid)
	default:
		return fmt.Sprintf("%s[%d]", text, pid)
	}
}

// owner names whom a finding is about.
func (w *Findings) owner(k *leak.Key) string {
	text := process(k.PID, &k.Comm)
	if k.PID == 0 && k.NetNS != 0 {
		text += " in network namespace " + w.namespace(k.NetNS)
	}
	return text
}

// namespace returns what a network namespace is known by, for eyes.
func (w *Findings) namespace(inode uint32) string { return string(w.labels.namespace(inode)) }

// endpoint returns an address and a port, with the port's name if it has one.
func (w *Findings) endpoint(a netip.AddrPort) string {
	return string(appendEndpoint(nil, a)) + w.service(a.Port())
}

// service returns the name of a port in parentheses, or nothing.
func (w *Findings) service(port uint16) string {
	if name := w.o.Names.service(port); name != "" {
		return " (" + name + ")"
	}
	return ""
}

func durationText(d time.Duration) string { return string(appendDuration(nil, d)) }

// knownAge returns an age that may be a lower bound, Unknown for one that says nothing: that it is at least nothing.
func knownAge(d time.Duration, atLeast bool) time.Duration {
	if d < 0 || d == 0 && atLeast {
		return tcp.Unknown
	}
	return d
}

// ageText returns an age that may be a lower bound, "" when it is unknown.
func ageText(d time.Duration, atLeast bool) string {
	switch {
	case knownAge(d, atLeast) < 0:
		return ""
	case atLeast:
		return atLeastMark + durationText(d)
	}
	return durationText(d)
}

// rateText returns how fast a finding grows, "" when that is not known: in the unit in which it is not nearly zero.
func rateText(g *leak.Growth) string {
	perMinute := g.PerMinute
	size := max(perMinute, -perMinute)
	switch {
	case !g.Known || !isFinite(perMinute):
		return ""
	case size >= 9.95:
		return fmt.Sprintf("%+.0f/min", perMinute)
	case size >= 1:
		return fmt.Sprintf("%+.1f/min", perMinute)
	case size >= 0.5/minute:
		return fmt.Sprintf("%+.0f/h", perMinute*minute)
	}
	return "steady"
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// percent returns a share, and less than one for one that would look like none.
func percent(share float64) string {
	if share > 0 && share < 0.01 {
		return "<1%"
	}
	return fmt.Sprintf("%.0f%%", share*100)
}

// levelWord returns the first word of a finding and its color.
func levelWord(f *leak.Finding) (word, color string) {
	switch {
	case f.Status == leak.Resolved:
		return "RESOLVED", green
	case f.Status == leak.Left:
		return "LEFT", yellow
	case f.Status == leak.Overdue:
		return "OVERDUE", yellow
	case f.Status.IsOver():
		return strings.ToUpper(f.Status.String()), dim
	case f.Level == leak.Critical:
		return "CRITICAL", red
	}
	return "WARN", yellow
}
