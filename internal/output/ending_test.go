package output

import (
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// text joins an ending as a row has it.
func (n ending) text() string {
	text := n.reason + n.link + n.next
	if text != "" && n.missed != "" {
		text += " "
	}
	return text + n.missed
}

func TestEndingFor(t *testing.T) {
	active := tcp.Event{New: tcp.Close, Reason: tcp.ReasonFinLocal, Next: tcp.TimeWait}
	missed := active
	missed.Missed = true
	unknown := tcp.Event{New: tcp.Close, Next: tcp.TimeWait}
	for _, test := range []struct {
		e    tcp.Event
		room int
		want string
	}{
		{active, 26, "FIN by us, next TIME_WAIT"},
		{active, 25, "FIN by us, TIME_WAIT"},
		{active, 20, "our FIN, TIME_WAIT"},
		{active, 18, "FIN by us"},
		{active, 9, "our FIN"},
		{active, 1, "our FIN"},
		{missed, 42, "FIN by us, next TIME_WAIT (missed before)"},
		{missed, 28, "our FIN, TIME_WAIT (missed)"},
		{missed, 27, "FIN by us, TIME_WAIT !"},
		{missed, 22, "our FIN, TIME_WAIT !"},
		{missed, 20, "FIN by us (missed)"},
		{missed, 10, "our FIN !"},
		{unknown, 15, "next TIME_WAIT"},
		{unknown, 14, "TIME_WAIT"},
		{tcp.Event{Missed: true}, 16, "(missed before)"},
		{tcp.Event{Missed: true}, 2, "!"},
		{tcp.Event{}, 50, ""},
		{tcp.Event{Reason: 200, Next: 200}, 50, ""},
	} {
		n := endingFor(&test.e, test.room)
		if got := n.text(); got != test.want {
			t.Errorf("%v in %d columns is %q, want %q", test.e.Reason, test.room, got, test.want)
		}
		if n.text() != "" && n.columns() != len(n.text())+1 {
			t.Errorf("%q: columns says %d", n.text(), n.columns())
		}
	}
}

// TestEveryReasonHasBriefWords that are no longer than the column for them.
func TestEveryReasonHasBriefWords(t *testing.T) {
	seen := map[string]tcp.Reason{}
	for r := tcp.ReasonFinLocal; r.Phrase() != ""; r++ {
		brief := briefReason(r)
		if brief == "" || len(brief) > len("no route") {
			t.Errorf("%v: %q", r, brief)
		}
		if other, ok := seen[brief]; ok {
			t.Errorf("%v and %v are both %q", r, other, brief)
		}
		seen[brief] = r
		if len(" "+r.Phrase()) > tailPhrase-len("ESTABLISHED -> CLOSE") {
			t.Errorf("%v: %q is longer than what a loose row is given", r, r.Phrase())
		}
	}
	if briefReason(tcp.Reason(200)) != "" {
		t.Error("a reason of no name has words")
	}
}
