package output

import (
	"strings"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// briefReasons are for narrow terminals: at most eight columns, so that nearly all fit beside any state.
var briefReasons = [...]string{
	tcp.ReasonNone:           "",
	tcp.ReasonFinLocal:       "our FIN",
	tcp.ReasonFinRemote:      "peer FIN",
	tcp.ReasonResetReceived:  "peer RST",
	tcp.ReasonResetSent:      "our RST",
	tcp.ReasonAbortUnread:    "unread",
	tcp.ReasonTimeout:        "timeout",
	tcp.ReasonRefused:        "refused",
	tcp.ReasonUnreachable:    "no route",
	tcp.ReasonProcessExit:    "exit",
	tcp.ReasonKilled:         "killed",
	tcp.ReasonAbandoned:      "dropped",
	tcp.ReasonListenerClosed: "listener",
}

func briefReason(r tcp.Reason) string {
	if int(r) >= len(briefReasons) {
		return r.Phrase()
	}
	return briefReasons[r]
}

// ending says why a socket went to CLOSE and what is to know of its row. Its texts hold ASCII alone.
type ending struct {
	reason string
	link   string // between reason and next
	next   string // state of the minisock
	missed string
}

// columns is the width of an ending with a space before it and one before missed.
func (n *ending) columns() int {
	sum := 0
	if words := len(n.reason) + len(n.link) + len(n.next); words > 0 {
		sum += 1 + words
	}
	if n.missed != "" {
		sum += 1 + len(n.missed)
	}
	return sum
}

// wordings are the ways to say why and what goes on, from the longest; without a link, the next state is left out.
var wordings = [...]struct {
	brief bool
	link  string
}{{false, ", next "}, {false, ", "}, {true, ", "}, {false, ""}, {true, ""}}

// missedWordings are the ways to say that a transition before this one was not seen.
var missedWordings = [...]string{"(missed before)", "(missed)", "!"}

// endingFor returns the longest words for e that fit into room columns, and the shortest when none do. What goes on is
// worth more than long words for it.
func endingFor(e *tcp.Event, room int) ending {
	next := nextName(e)
	var n ending
	for _, linked := range [...]bool{true, false} {
		for _, missed := range missedWordings {
			for _, words := range wordings {
				if linked != (words.link != "") {
					continue
				}
				n = newEnding(e, words.brief, words.link, next, missed)
				if n.columns() <= room {
					return n
				}
			}
		}
	}
	return n
}

// newEnding puts an ending together; what does not apply to e is left out.
func newEnding(e *tcp.Event, brief bool, link, next, missed string) ending {
	n := ending{reason: e.Reason.Phrase(), link: link, next: next, missed: missed}
	if brief {
		n.reason = briefReason(e.Reason)
	}
	switch {
	case link == "" || next == "":
		n.link, n.next = "", ""
	case n.reason == "":
		n.link = strings.TrimPrefix(link, ", ")
	}
	if !e.Missed {
		n.missed = ""
	}
	return n
}
