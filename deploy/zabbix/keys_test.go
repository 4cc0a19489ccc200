package zabbix_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/privilege"
)

const zombie = "ZOMBIE"

// world is a namespace with sockets in every state, and how many the kernel has of each, by the names of tcp.status.
type world struct {
	ns     *nettest.NS
	states *nettest.States
	counts map[string]int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{ns: nettest.NewNS(t), counts: map[string]int{zombie: 0}}
	w.states = nettest.EveryState(t, w.ns)
	kernel, err := w.ns.CountStates()
	if err != nil {
		t.Fatal(err)
	}
	for s := nettest.Established; s <= nettest.NewSynRecv; s++ {
		w.counts[s.String()] = kernel[s]
	}
	for _, one := range w.states.All {
		switch { // what no table has, or by the name of another state
		case one.Zombie:
			w.counts[zombie]++
		case one.Kind == nettest.Untabled:
			w.counts[nettest.Close.String()]++
		case one.Kind == nettest.RequestSocket:
			w.counts[nettest.NewSynRecv.String()]++
		}
	}
	for name, n := range w.counts {
		if n == 0 {
			t.Fatalf("the world has nothing in %s", name)
		}
	}
	return w
}

// total is how many sockets there are; requests are counted as SYN_RECV already.
func (w *world) total() (n int) {
	for _, of := range w.counts {
		n += of
	}
	return n - w.counts[nettest.NewSynRecv.String()]
}

// spellings returns how people write the name of a state.
func spellings(name string) []string {
	if name == zombie {
		return []string{name, "zombie", "Zombie"}
	}
	lower := strings.ToLower(name)
	all := []string{name, lower, strings.ReplaceAll(lower, "_", "-"), strings.ReplaceAll(lower, "_", ""), "TCP_" + name}
	if prefix, ok := strings.CutPrefix(lower, "fin_wait"); ok {
		all = append(all, "fin-wait-"+prefix)
	}
	return all
}

func TestPrivilegedEveryStateInEverySpelling(t *testing.T) {
	w := newWorld(t)
	a := newAgent(t, w.ns, privilege.Trace)
	for name, n := range w.counts {
		for _, word := range spellings(name) {
			a.wantNumber(t, "tcp.status["+word+"]", strconv.Itoa(n))
		}
	}
	a.wantNumber(t, "tcp.status[all]", strconv.Itoa(w.total()))
	two := strconv.Itoa(w.counts["FIN_WAIT1"] + w.counts["FIN_WAIT2"])
	a.wantNumber(t, `tcp.status["FIN_WAIT1,fin-wait-2"]`, two)
	a.wantNumber(t, `tcp.status["close_wait"]`, strconv.Itoa(w.counts["CLOSE_WAIT"]))
}

// states asks for all states and returns the numbers.
func states(t *testing.T, a *agent) map[string]int {
	t.Helper()
	r := a.ask(t, "tcp.states")
	var object map[string]any
	if err := json.Unmarshal([]byte(r.text), &object); err != nil {
		t.Fatalf("tcp.states: %v: %q", err, r)
	}
	counts := make(map[string]int)
	for name, value := range object {
		if n, ok := value.(float64); ok {
			counts[name] = int(n)
		}
	}
	return counts
}

func TestPrivilegedStatesAtOnce(t *testing.T) {
	w := newWorld(t)
	got := states(t, newAgent(t, w.ns, privilege.Trace))
	if n := got["total"]; n != w.total() {
		t.Errorf("total %d, want %d", n, w.total())
	}
	for name, want := range w.counts {
		if name == nettest.NewSynRecv.String() {
			want = 0 // SYN_RECV has them
		}
		if n, ok := got[name]; !ok || n != want {
			t.Errorf("%s: %d, want %d", name, n, want)
		}
	}
	if len(got) != len(w.counts)+1 {
		t.Errorf("%d numbers, want %d states and the total: %v", len(got), len(w.counts), got)
	}
}

func TestPrivilegedStuck(t *testing.T) {
	w := newWorld(t)
	a := newAgent(t, w.ns, privilege.Trace)
	for _, name := range []string{"CLOSE_WAIT", "FIN_WAIT2", "SYN_SENT"} {
		want := strconv.Itoa(w.counts[name])
		key := "tcp.stuck[" + name + ",50ms]"
		deadline := time.Now().Add(nettest.Timeout)
		for got := a.ask(t, key); got.text != want; got = a.ask(t, key) { // until all are that old
			if time.Now().After(deadline) {
				t.Fatalf("%s: %q, want %s", key, got, want)
			}
		}
		for _, age := range []string{"1d", "1h30m", "7200s"} {
			a.wantNumber(t, "tcp.stuck["+name+","+age+"]", "0")
		}
	}
}

// TestPrivilegedBadParameters wants no number, ever, no flag to work, and nothing to come of what a shell would see.
func TestPrivilegedBadParameters(t *testing.T) {
	ns := nettest.NewNS(t)
	a := newAgent(t, ns, privilege.Trace)
	for _, key := range []string{
		"tcp.status", "tcp.status[]", `tcp.status[""]`, "tcp.status[ ]", "tcp.status[5]", "tcp.status[CLOSE WAIT]", "tcp.status[OPEN]",
		"tcp.status[-h]", "tcp.status[--help]", "tcp.status[--by]", "tcp.status[-n 1]", "tcp.status[--]", "tcp.status[-ojson]",
		"tcp.status[pid 1]", "tcp.status[state close-wait]", "tcp.status[autobound]", "tcp.status[netns 1]", "tcp.status[sport gt 0]",
		"tcp.status[CLOSE_WAIT pid 1]", "tcp.status[CLOSE_WAIT;id]", "tcp.status[$0]", "tcp.status[`echo CLOSE_WAIT`]", "tcp.status[*]",
		`tcp.status["CLOSE_WAIT\" \""]`, "tcp.status['CLOSE_WAIT']", "tcp.status[CLOSE_WAIT\n]", "tcp.status[CLOSE_WAIT\n1]",
		"tcp.status[CLOSE_WAIT|wc -l]", "tcp.status[CLOSE_WAIT & echo 1]", "tcp.status[CLOSE_WAIT>x]", "tcp.status[\x1b]",
		"tcp.stuck", "tcp.stuck[]", "tcp.stuck[CLOSE_WAIT]", "tcp.stuck[CLOSE_WAIT,]", "tcp.stuck[,60s]", "tcp.stuck[OPEN,60s]",
		"tcp.stuck[CLOSE_WAIT,60]", "tcp.stuck[CLOSE_WAIT,-60s]", "tcp.stuck[CLOSE_WAIT,1s or pid 1]", "tcp.stuck[CLOSE_WAIT,1s\tor\tpid\t1]",
		"tcp.stuck[CLOSE_WAIT,1s pid 1]", "tcp.stuck[CLOSE_WAIT,1s=1s]", "tcp.stuck[CLOSE_WAIT,$1]", "tcp.stuck[CLOSE_WAIT,*]",
		"tcp.stuck[state close-wait,60s]", "tcp.stuck[-h,60s]", `tcp.stuck[CLOSE_WAIT,"60s;id"]`, "tcp.stuck[CLOSE_WAIT,1x]",
		"tcp.stuck[CLOSE_WAIT,99999999999999999999d]", "tcp.states[CLOSE_WAIT]",
	} {
		r := a.ask(t, key)
		if _, ok := r.number(); ok || strings.Contains(r.text, "uid=") || strings.Contains(r.text, "Usage:") {
			t.Errorf("%q is answered by %q", key, r)
		}
	}
}

// TestPrivilegedWithoutCapabilities: what sock_diag knows needs none; for the rest the answer names what is missing.
func TestPrivilegedWithoutCapabilities(t *testing.T) {
	w := newWorld(t)
	a := newAgent(t, w.ns, 0)
	unknown := map[string]bool{"CLOSE": true, zombie: true, "NEW_SYN_RECV": true}
	keys := []string{"tcp.states", "tcp.stuck[CLOSE_WAIT,60s]"}
	for name, n := range w.counts {
		key := "tcp.status[" + name + "]"
		if unknown[name] {
			keys = append(keys, key)
			continue
		}
		a.wantNumber(t, key, strconv.Itoa(n))
	}
	for _, key := range keys {
		if r := a.ask(t, key); !strings.Contains(r.text, "missing "+privilege.Trace.String()) {
			t.Errorf("%s: %q", key, r)
		}
	}
}

// TestPrivilegedAllNamespaces edits the configuration as README.md says.
func TestPrivilegedAllNamespaces(t *testing.T) {
	w := newWorld(t)
	empty := nettest.NewNS(t)
	newAgent(t, empty, privilege.Trace).wantNumber(t, "tcp.status[CLOSE_WAIT]", "0")
	a := newAgent(t, empty, privilege.Trace|privilege.Namespaces, " --netns self", "")
	for key, least := range map[string]int{
		"tcp.status[CLOSE_WAIT]": w.counts["CLOSE_WAIT"], "tcp.status[ZOMBIE]": w.counts[zombie],
		"tcp.stuck[CLOSE_WAIT,1ms]": w.counts["CLOSE_WAIT"],
	} {
		r := a.ask(t, key) // of the whole host, where others may be at work
		if n, err := strconv.Atoi(r.text); err != nil || n < least {
			t.Errorf("%s: %q, want %d or more", key, r, least)
		}
	}
	if n := states(t, a)["CLOSE_WAIT"]; n < w.counts["CLOSE_WAIT"] {
		t.Errorf("CLOSE_WAIT: %d, want %d or more", n, w.counts["CLOSE_WAIT"])
	}
}
