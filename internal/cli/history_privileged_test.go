package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// historyLine is a connection, or the sums, in JSON.
type historyLine struct {
	Event, Cookie, State, Reason, Next, Comm string
	PID                                      int
	LPort, RPort                             uint16
	Born                                     bool
	Sent                                     uint64 `json:"bytes_sent"`
	Connections                              int
	Steps                                    []struct {
		Time    time.Time
		State   string
		Gap     string
		MS      *float64
		AtLeast *float64 `json:"at_least_ms"`
		SoFar   bool     `json:"so_far"`
	}
}

func (l *historyLine) states() string {
	var names []string
	for _, s := range l.Steps {
		names = append(names, s.State+s.Gap)
	}
	return strings.Join(names, " ")
}

// recalled runs history to its end.
func recalled(t *testing.T, args ...string) (connections []historyLine, sum historyLine, stderr string) {
	t.Helper()
	r := launch(t, nil, append([]string{"history", "-o", "json"}, args...)...)
	if code := r.wait(); code != ExitDone {
		t.Fatalf("history %q: exit %d: %s", args, code, r.stderr)
	}
	for line := range strings.Lines(r.stdout.String()) {
		var l historyLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		connections = append(connections, l)
	}
	if len(connections) == 0 || connections[len(connections)-1].Event != "history" {
		t.Fatalf("no sums: %s", r.stdout)
	}
	last := len(connections) - 1
	return connections[:last], connections[last], r.stderr.String()
}

// What history says of a connection is what was done with it, and its times lie between those at which that was done.
func TestPrivilegedHistory(t *testing.T) {
	s := newStage(t)
	dir := filepath.Join(t.TempDir(), "log")
	l := startLog(t, dir, s.netns()...)
	var at []time.Time
	tick := func() { at = append(at, time.Now()) }
	tick()
	client := s.client.Dial(s.v4.Local())
	server := s.v4.Accept()
	client.WaitState(nettest.Established)
	cookies := []string{fmt.Sprintf("%x", client.Cookie()), fmt.Sprintf("%x", server.Cookie())}
	tick()
	client.Shutdown()
	server.WaitState(nettest.CloseWait)
	client.WaitState(nettest.FinWait2)
	tick()
	server.Close()
	client.WaitState(nettest.Close)
	tick()
	client.Close()
	s.talk()
	kept := s.client.Dial(s.v4.Local())
	other := s.v4.Accept()
	kept.WaitState(nettest.Established)
	keptCookie := fmt.Sprintf("%x", kept.Cookie())
	began := time.Now()
	s.burst(2, 50)
	l.stop()
	kept.Close()
	other.Close()

	got, _, _ := recalled(t, "--cookie", strings.Join(cookies, ","), dir)
	if len(got) != 2 {
		t.Fatalf("%d connections", len(got))
	}
	c, p := &got[0], &got[1]
	if c.Cookie != cookies[0] {
		c, p = p, c
	}
	if c.states() != "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2" || c.PID != s.client.PID() || !c.Born || c.State != "CLOSE" || c.Reason != "fin_local" {
		t.Errorf("client %+v", c)
	}
	if p.states() != "SYN_RECV ESTABLISHED CLOSE_WAIT LAST_ACK" || p.PID != s.server.PID() || !p.Born || p.Reason != "fin_remote" || p.LPort != c.RPort || p.RPort != c.LPort {
		t.Errorf("server %+v", p)
	}
	for _, end := range []*historyLine{c, p} {
		for i, between := range [][2]time.Time{{at[0], at[1]}, {at[0], at[1]}, {at[1], at[2]}} { // first state, ESTABLISHED, and what follows it
			if step := end.Steps[i]; step.Time.Before(between[0].Add(-time.Millisecond)) || step.Time.After(between[1].Add(time.Millisecond)) || step.MS == nil {
				t.Errorf("%s %+v, want it between %v and %v", end.Cookie, step, between[0], between[1])
			}
		}
		if established := time.Duration(*end.Steps[1].MS * float64(time.Millisecond)); established > at[2].Sub(at[0]) {
			t.Errorf("ESTABLISHED for %v, of %v at most", established, at[2].Sub(at[0]))
		}
	}

	got, sum, stderr := recalled(t, "--pid", fmt.Sprint(s.client.PID()), dir)
	if len(got) != connections+2 || sum.Connections != len(got) {
		t.Errorf("%d connections and %d in the sums, want %d", len(got), sum.Connections, connections+2)
	}
	last := &got[len(got)-1]
	step := last.Steps[len(last.Steps)-1]
	if last.Cookie != keptCookie || last.State != "ESTABLISHED" || step.MS != nil || !step.SoFar || *step.AtLeast > float64(time.Since(began)/time.Millisecond)+1000 {
		t.Errorf("%+v", last)
	}
	var read, files int
	if _, err := fmt.Sscanf(stderr, "tcptrail: read %d of %d file", &read, &files); err != nil || read == 0 || read >= files {
		t.Errorf("%s: no file was spared", stderr)
	}
	if got, _, _ := recalled(t, "--pid", fmt.Sprint(s.client.PID()), "--until", at[0].Add(-time.Second).Format(time.RFC3339Nano), dir); len(got) != 0 {
		t.Errorf("%d connections before there was one", len(got))
	}
}
