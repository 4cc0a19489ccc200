package alert

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// parseEntry reads the native protocol.
func parseEntry(t *testing.T, b string) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for b != "" {
		line, rest, ok := strings.Cut(b, "\n")
		if !ok {
			t.Fatalf("no end: %q", b)
		}
		name, value, short := strings.Cut(line, "=")
		if !short {
			n := binary.LittleEndian.Uint64([]byte(rest[:8]))
			value, rest = rest[8:8+n], rest[8+n:]
			if !strings.HasPrefix(rest, "\n") {
				t.Fatalf("%s: no line feed after %q", name, value)
			}
			rest = rest[1:]
		}
		if name == "" || len(name) > maxFieldName || name[0] == '_' || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			t.Errorf("name %q", name)
		}
		if _, twice := fields[name]; twice {
			t.Errorf("%s comes twice", name)
		}
		fields[name] = value
		b = rest
	}
	return fields
}

func journal(t *testing.T) (*Journal, *net.UnixConn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "socket")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	j, err := NewJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, c
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
	if got := parseEntry(t, receive(t, c)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestJournalEntryIsBounded holds that what is large is left out, and the rest arrives.
func TestJournalEntryIsBounded(t *testing.T) {
	j, c := journal(t)
	d := delivery("a", Firing)
	d[0].JSON = make([]byte, maxEntry)
	if err := j.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got := parseEntry(t, receive(t, c)); got["TCPTRAIL_JSON"] != "" || got["TCPTRAIL_COUNT"] != "3" {
		t.Errorf("%q", got)
	}
	// A buffer smaller than an entry, as net.core.wmem_max may make it.
	if err := j.conn.(*net.UnixConn).SetWriteBuffer(8 << 10); err != nil {
		t.Fatal(err)
	}
	d[0].JSON = make([]byte, maxEntry/2)
	if err := j.Deliver(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got := parseEntry(t, receive(t, c)); got["TCPTRAIL_JSON"] != "" || got["TCPTRAIL_COUNT"] != "3" {
		t.Errorf("%q", got)
	}
}

func TestJournalIsRestarted(t *testing.T) {
	j, c := journal(t)
	deliver(t, j, "a")
	c.Close()
	os.Remove(j.path)
	if err := j.Deliver(t.Context(), delivery("b", Firing)); err == nil || !strings.HasPrefix(err.Error(), "write: ") {
		t.Errorf("without a journal: %v", err)
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: j.path})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	deliver(t, j, "b")
	if got := parseEntry(t, receive(t, c)); got["TCPTRAIL_ID"] != "b" {
		t.Errorf("%q", got)
	}
}

func TestNoJournal(t *testing.T) {
	if _, err := NewJournal("/no/such/socket"); err == nil || !strings.Contains(err.Error(), "use syslog or a file") {
		t.Errorf("%v", err)
	}
}
