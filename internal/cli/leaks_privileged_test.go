package cli

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// found is what the tests read of a finding.
type found struct {
	State, Cause, Status string
	PID, Count           int
	Holders              []struct{ PID int }
	Listener             *struct{ PID int }
	Sockets              []struct{ Cookie string }
}

func parseFindings(t *testing.T, text string) (all []found) {
	t.Helper()
	for line := range strings.Lines(text) {
		var f found
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, f)
	}
	return all
}

// limitsOfATest make everything overdue that the kernel's notes prove to be a little old.
const limitsOfATest = "CLOSE_WAIT=1ms,FIN_WAIT2=1ms,ZOMBIE=1ms"

// Each cause of a socket in CLOSE_WAIT, FIN_WAIT2 or CLOSE by construction, with whom it is blamed on.
func TestPrivilegedLeaksCauses(t *testing.T) {
	ns := nettest.NewNS(t)
	server, client := nettest.StartActor(t, ns, "server"), nettest.StartActor(t, ns, "client")
	l := server.Listen(nettest.Loopback4(0), 8)
	connect := func() (c, a *nettest.Conn) {
		c = client.Dial(l.Local())
		a = l.Accept()
		return c, a
	}
	want := map[string]int{} // of cause and pid, how many sockets

	c, a := connect() // the end unread
	c.Shutdown()
	a.WaitState(nettest.CloseWait)
	want["unread_fin server"]++
	want["half_closed client"]++

	c, a = connect() // data unread
	c.Write(10)
	c.Shutdown()
	a.WaitState(nettest.CloseWait)
	want["unread_data server"]++
	want["half_closed client"]++

	c, a = connect() // the end read
	c.Shutdown()
	a.ReadEOF()
	want["not_closed server"]++
	want["half_closed client"]++

	c, a = connect() // two processes
	server.Spawn("heir", a)
	c.Shutdown()
	a.WaitState(nettest.CloseWait)
	want["inherited server"]++
	want["half_closed client"]++

	c, a = connect() // reset, and still held
	a.Linger0()
	a.Close()
	c.WaitState(nettest.Close)
	want["zombie client"]++

	c, a = connect() // an orphan on the client's side is no finding
	c.Close()
	a.WaitState(nettest.CloseWait)
	want["unread_fin server"]++

	queue := server.Listen(nettest.Loopback4(0), 8) // never accepted
	c = client.Dial(queue.Local())
	c.Shutdown()
	c.WaitState(nettest.FinWait2)
	want["never_accepted server"]++
	want["half_closed client"]++

	r := launch(t, nil, inNS(ns, "leaks", "--once", "--limit", limitsOfATest, "-o", "json")...)
	if code := r.wait(); code != ExitFound || r.stderr.String() != "" {
		t.Fatalf("exit %d: %s%s", code, r.stderr, r.stdout)
	}
	got := map[string]int{}
	names := map[int]string{server.PID(): "server", client.PID(): "client"}
	for _, f := range parseFindings(t, r.stdout.String()) {
		got[f.Cause+" "+names[f.PID]] += f.Count
		if f.Cause == "inherited" && len(f.Holders) != 2 {
			t.Errorf("inherited, and held by %v", f.Holders)
		}
		if f.Cause == "never_accepted" && (f.Listener == nil || f.Listener.PID != server.PID()) {
			t.Errorf("never accepted by %+v", f.Listener)
		}
	}
	for key, n := range want {
		if got[key] != n {
			t.Errorf("%s: %d sockets, want %d", key, got[key], n)
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("also found %v", got)
	}
}

func TestPrivilegedLeaksOfNothing(t *testing.T) {
	ns := nettest.NewNS(t)
	nettest.StartActor(t, ns, "server").Listen(nettest.Loopback4(0), 1)
	r := launch(t, nil, inNS(ns, "leaks", "--once", "--limit", limitsOfATest)...)
	if code := r.wait(); code != ExitDone || !strings.Contains(r.stdout.String(), "nothing found") {
		t.Errorf("exit %d: %s%s", code, r.stderr, r.stdout)
	}
}

// A socket becomes a finding when its time is over, and stops being one when it is closed.
func TestPrivilegedLeaksLive(t *testing.T) {
	ns := nettest.NewNS(t)
	server, client := nettest.StartActor(t, ns, "server"), nettest.StartActor(t, ns, "client")
	l := server.Listen(nettest.Loopback4(0), 1)
	r := launch(t, nil, inNS(ns, "leaks", "--limit", "CLOSE_WAIT=300ms,FIN_WAIT2=off", "-o", "json")...)
	c := client.Dial(l.Local())
	a := l.Accept()
	c.Close()
	a.WaitState(nettest.CloseWait)
	r.stdout.await(t, "\n", 1)
	a.Close()
	findings := parseFindings(t, r.stdout.await(t, "\n", 2))
	r.signal(syscall.SIGINT)
	if code := r.wait(); code != ExitDone {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
	if len(findings) != 2 || findings[0].Status != "firing" || findings[1].Status != "resolved" || findings[0].Cause != "unread_fin" {
		t.Errorf("got %+v", findings)
	}
}
