package cli

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/systemlog"
	"github.com/tcptrail/tcptrail/internal/systemlog/logtest"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Transitions go to the journal, and so does word of those that the kernel's side lost; nothing looks at sockets, and no
// more privileges are kept than trace has.
func TestLogToJournal(t *testing.T) {
	path, d := logtest.Journal(t)
	w := newWorld(t)
	w.start("log", "--to", "journal:"+path, "not", "dport", "=", ":9")
	e, other := event(tcp.Established, tcp.CloseWait), event(tcp.Established, tcp.CloseWait)
	other.Remote = netip.MustParseAddrPort("10.0.0.2:9")
	w.source.feed(other, e)
	got := d.Entry()
	if got["TCPTRAIL_PID"] != "4242" || got["TCPTRAIL_NEW"] != "CLOSE_WAIT" || got["TCPTRAIL_RPORT"] != "443" || !strings.Contains(got["MESSAGE"], " 4242 web ") {
		t.Errorf("%q", got)
	}
	w.source.count(kernel.Stats{Lost: 3})
	if got := d.Entry(); got["TCPTRAIL_LOST"] != "3" {
		t.Errorf("%q", got)
	}
	w.source.feed(e)
	w.source.count(kernel.Stats{Lost: 1}) // at the very end
	w.signals <- syscall.SIGTERM
	w.wants(w.wait(), ExitDone, "tcptrail: 3 events lost: more came than were read; --buffer makes room\n"+
		"tcptrail: 1 event lost: more came than were read; --buffer makes room\n"+
		"tcptrail: seen 3, sent 2, lost 4, missed 0, filtered 1 in T\n")
	if got := d.Entry(); got["TCPTRAIL_PID"] != "4242" {
		t.Errorf("%q", got)
	}
	if got := d.Entry(); got["TCPTRAIL_LOST"] != "1" {
		t.Errorf("%q", got)
	}
	if n := w.look.count(); n != 0 || w.kept[0] != privilege.Trace|privilege.TraceOptional || w.kept[len(w.kept)-1] != privilege.Trace {
		t.Errorf("%d looks, kept %v", n, w.kept)
	}
}

func TestLogToSyslog(t *testing.T) {
	d := logtest.Listen(t, "udp", "127.0.0.1:0")
	w := newWorld(t)
	w.start("log", "--to", "syslog:udp://"+d.LocalAddr().String())
	w.source.feed(event(tcp.Established, tcp.CloseWait))
	if m, err := logtest.ParseMessage(d.Receive()); err != nil || m.Param("pid") != "4242" || m.Data != systemlog.StructuredID {
		t.Errorf("%+v, %v", m, err)
	}
	w.signals <- syscall.SIGINT
	w.wants(w.wait(), ExitDone, "tcptrail: seen 1, sent 1, lost 0, missed 0, filtered 0 in T\n")
}

// A journal that stands still does not keep log from reading, nor from ending; what it did not take is accounted for.
func TestLogToStalledJournal(t *testing.T) {
	path, d := logtest.Journal(t)
	w := newWorld(t)
	w.env.drain = soon
	w.start("log", "--to", "journal:"+path)
	const n = 5000 // more than net.unix.max_dgram_qlen
	for range 10 {
		w.source.feed(events(n / 10)...)
	}
	w.signals <- syscall.SIGTERM
	code, text := w.wait(), w.stderr.String()
	taken := len(d.Rest())
	want := fmt.Sprintf("seen %d, sent %d, lost 0, missed 0, filtered 0, not sent %d in ", n, taken, n-taken)
	if code != ExitDone || taken == n || !strings.Contains(text, want) {
		t.Errorf("exit %d, %d taken: %s", code, taken, text)
	}
}

// A source that fails ends log, whoever waits for what.
func TestLogEndsWithItsSource(t *testing.T) {
	path, _ := logtest.Journal(t)
	for _, to := range [][]string{{"--to", "journal:" + path}, {"--dir", t.TempDir()}} {
		w := newWorld(t)
		w.start(append([]string{"log"}, to...)...)
		w.source.failures <- os.ErrInvalid
		if code := w.wait(); code != ExitFailed || !strings.Contains(w.stderr.String(), "invalid argument") {
			t.Errorf("exit %d: %s", code, w.stderr)
		}
	}
}

func TestLogToRefusals(t *testing.T) {
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"log --to file":                               {ExitUsage, "use dir, journal, syslog"},
		"log --to dir:/x":                             {ExitUsage, "name the directory by --dir"},
		"log --to syslog:":                            {ExitUsage, "give an address after the colon"},
		"log --to journal:host":                       {ExitUsage, "give the path of a journal's socket"},
		"log --to journal --dir /x":                   {ExitUsage, "--dir is for files, and --to journal writes none"},
		"log --to syslog --layout host":               {ExitUsage, "--layout is for files"},
		"log --to syslog --fsync never":               {ExitUsage, "--fsync is for files"},
		"log --to journal --rotate-age 1h":            {ExitUsage, "--rotate-age is for files"},
		"log --to journal --limit CLOSE_WAIT=1s":      {ExitUsage, "--limit is for files"},
		"log --to syslog:udp://h:0":                   {ExitUsage, "give udp://HOST[:PORT]"},
		"log --to journal:/no/such/socket":            {ExitFailed, "use syslog or a file"},
		"log --to syslog:unix:///etc/passwd":          {ExitFailed, "is no socket"},
		"log --to journal:/dev/null nonsense":         {ExitUsage, "unknown word"},
		"log --to journal:/no/such/socket --buffer 1": {ExitUsage, "--buffer"},
	} {
		w := newWorld(t)
		code := w.run(strings.Fields(args)...)
		if got := w.stderr.String(); code != want.code || !strings.Contains(got, want.text) || len(w.opened) != 0 {
			t.Errorf("%s: exit %d, want %d: %s, want %q", args, code, want.code, got, want.text)
		}
	}
	path, _ := logtest.Journal(t)
	w := newWorld(t)
	w.openErr = &kernel.UnsupportedError{What: "no BTF"}
	if code := w.run("log", "--to", "journal:"+path); code != ExitUnsupported {
		t.Errorf("exit %d: %s", code, w.stderr)
	}
}
