package alert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/systemlog"
	"github.com/tcptrail/tcptrail/internal/systemlog/logtest"
)

func journal(t *testing.T) (*Journal, *logtest.Datagrams) {
	t.Helper()
	path, d := logtest.Journal(t)
	j, err := NewJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, d
}

func TestJournal(t *testing.T) {
	j, c := journal(t)
	d := delivery("a", Escalated)
	d[0].Labels = append(d[0].Labels, Pair{"net-ns", "x\ny=z\x1b"})
	if err := j.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"MESSAGE": "nginx[7] holds 3 sockets in CLOSE_WAIT", "PRIORITY": "2", "SYSLOG_IDENTIFIER": "tcptrail", "SYSLOG_FACILITY": "3",
		"MESSAGE_ID": JournalMessageID, "TCPTRAIL_ID": "a", "TCPTRAIL_STATUS": "escalated", "TCPTRAIL_SEVERITY": "critical",
		"TCPTRAIL_SINCE": "2026-03-04T05:06:07.89Z", "TCPTRAIL_DESCRIPTION": "The peer has closed.\nThe program has not.",
		"TCPTRAIL_PROCESS": "nginx", "TCPTRAIL_PID": "7", "TCPTRAIL_STATE": "CLOSE_WAIT", "TCPTRAIL_NET_NS": "x\ny=z\\u001b",
		"TCPTRAIL_COUNT": "3", "TCPTRAIL_OLDEST_MS": "61000.5", "TCPTRAIL_JSON": string(d[0].JSON),
	}
	if got := c.Entry(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestJournalEntryIsBounded holds that what is large is left out, and the rest arrives.
func TestJournalEntryIsBounded(t *testing.T) {
	j, c := journal(t)
	d := delivery("a", Firing)
	d[0].JSON = make([]byte, systemlog.MaxEntry)
	if err := j.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got := c.Entry(); got["TCPTRAIL_JSON"] != "" || got["TCPTRAIL_COUNT"] != "3" {
		t.Errorf("%q", got)
	}
}

// tight is a journal that takes small datagrams alone, as net.core.wmem_max may make it.
type tight struct {
	journalSender
	limit int
}

func (j tight) Send(ctx context.Context, entries ...[]byte) (int, error) {
	if len(entries[0]) > j.limit {
		return 0, syscall.EMSGSIZE
	}
	return j.journalSender.Send(ctx, entries...)
}

func TestJournalTakesLess(t *testing.T) {
	j, c := journal(t)
	j.journal = tight{j.journal, 8 << 10}
	d := delivery("a", Firing)
	d[0].JSON = make([]byte, systemlog.MaxEntry/2)
	if err := j.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got := c.Entry(); got["TCPTRAIL_JSON"] != "" || got["TCPTRAIL_COUNT"] != "3" {
		t.Errorf("%q", got)
	}
	j.journal = tight{j.journal, 0}
	if err := j.Deliver(t.Context(), d); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("a journal that takes nothing: %v", err)
	}
}

func TestJournalIsRestarted(t *testing.T) {
	j, c := journal(t)
	deliver(t, j, "a")
	c.End()
	if err := j.Deliver(t.Context(), delivery("b", Firing)); err == nil || !strings.HasPrefix(err.Error(), "write: ") {
		t.Errorf("without a journal: %v", err)
	}
	c = logtest.Listen(t, "unixgram", c.LocalAddr().String())
	deliver(t, j, "b")
	if got := c.Entry(); got["TCPTRAIL_ID"] != "b" {
		t.Errorf("%q", got)
	}
}

func TestNoJournal(t *testing.T) {
	if _, err := NewJournal("/no/such/socket"); err == nil || !strings.Contains(err.Error(), "use syslog or a file") {
		t.Errorf("%v", err)
	}
}
