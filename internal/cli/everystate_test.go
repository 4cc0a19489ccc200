package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
)

// ran runs the binary to a good end without a word on stderr, and returns what it wrote.
func ran(t *testing.T, args ...string) string {
	t.Helper()
	r := launch(t, nil, args...)
	if code := r.wait(); code != ExitDone || r.stderr.String() != "" {
		t.Errorf("%q: exit %d: %s", args, code, r.stderr)
	}
	return r.stdout.String()
}

// inNS appends the flag for a namespace.
func inNS(ns *nettest.NS, args ...string) []string {
	return append(args, "--netns", strconv.FormatUint(uint64(ns.Inode()), 10))
}

// socketRow is a line of list's JSON, with what the tests compare.
type socketRow struct {
	Cookie     string
	NetNS      uint32 `json:"netns"`
	State      string
	Kind       string
	Zombie     bool
	Orphan     bool
	Unaccepted bool
	LAddr      string `json:"laddr"`
	LPort      uint16
	RAddr      string `json:"raddr"`
	RPort      uint16
	RecvQ      uint32 `json:"recv_q"`
	SendQ      uint32 `json:"send_q"`
	PID        int
	Comm       string
	Evidence   string
	Holders    []struct{ PID, FD int }
}

// id tells a zombie from the minisock that it left, which has the same cookie.
func (r *socketRow) id() string { return fmt.Sprintf("%s %s %v", r.Cookie, r.Kind, r.Zombie) }

func parseSockets(t *testing.T, text string) map[string]socketRow {
	t.Helper()
	rows := map[string]socketRow{}
	for line := range strings.Lines(text) {
		var r socketRow
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if _, twice := rows[r.id()]; twice {
			t.Errorf("twice: %s", line)
		}
		rows[r.id()] = r
	}
	return rows
}

// idOf is how the row of a specimen is found.
func idOf(s *nettest.Specimen) string {
	kind := s.Kind.String()
	if s.Kind == nettest.Untabled {
		kind = nettest.FullSocket.String()
	}
	return fmt.Sprintf("%x %s %v", s.Cookie, kind, s.Zombie)
}

// A socket in every state, in every way that matters, as the user sees it.
func TestPrivilegedEveryState(t *testing.T) {
	ns := nettest.NewNS(t)
	states := nettest.EveryState(t, ns)
	t.Run("list", func(t *testing.T) { checkListed(t, ns, states) })
	t.Run("count", func(t *testing.T) { checkCounted(t, ns, states) })
	t.Run("filters", func(t *testing.T) { checkFilters(t, ns) })
	t.Run("by", func(t *testing.T) { checkBreakdown(t, ns, states) })
	t.Run("tables", func(t *testing.T) { checkTables(t, ns, states) })
}

func checkListed(t *testing.T, ns *nettest.NS, states *nettest.States) {
	rows := parseSockets(t, ran(t, inNS(ns, "list", "-o", "json")...))
	if len(rows) != len(states.All) {
		t.Errorf("%d sockets, want %d", len(rows), len(states.All))
	}
	for _, s := range states.All {
		r, ok := rows[idOf(s)]
		if !ok {
			t.Errorf("%s: not listed", s.Name)
			continue
		}
		if r.State != s.State.String() || r.NetNS != ns.Inode() || r.Orphan != s.Orphan || r.Unaccepted != s.Unaccepted {
			t.Errorf("%s: %+v", s.Name, r)
		}
		if s.Kind != nettest.Untabled && (r.LPort != s.Local.Port() || r.LAddr != s.Local.Addr().Unmap().String() ||
			r.RecvQ != s.RQueue || s.State != nettest.Listening && r.RPort != s.Remote.Port()) {
			t.Errorf("%s: %+v, want %v -> %v", s.Name, r, s.Local, s.Remote)
		}
		var pids []int
		for _, h := range r.Holders {
			pids = append(pids, h.PID)
		}
		slices.Sort(pids)
		if !slices.Equal(slices.Compact(pids), s.PIDs()) || len(r.Holders) != len(s.Holders) {
			t.Errorf("%s: holders %v, want %v", s.Name, r.Holders, s.PIDs())
		}
		if len(s.Holders) == 1 && r.PID != s.PIDs()[0] {
			t.Errorf("%s: owner %d, want %v", s.Name, r.PID, s.PIDs())
		}
	}
}

func checkCounted(t *testing.T, ns *nettest.NS, states *nettest.States) {
	want, total := map[string]int{"CLOSE": 0, "ZOMBIE": 0}, 0
	for state, n := range states.Count() {
		want[state.String()] = n
	}
	for _, s := range states.All {
		if s.Kind == nettest.Untabled && s.Zombie {
			want["ZOMBIE"]++
		} else if s.Kind == nettest.Untabled {
			want["CLOSE"]++
		}
	}
	for _, n := range want {
		total += n
	}
	for _, more := range [][]string{nil, {"state", "all"}} { // by the kernel's programs, and by a snapshot
		text := ran(t, append(inNS(ns, "count", "-o", "json"), more...)...)
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for _, state := range append(stateNames()[:11], "ZOMBIE", "NEW_SYN_RECV") {
			if n, ok := got[state].(float64); !ok || int(n) != want[state] {
				t.Errorf("%v: %s %v, want %d", more, state, got[state], want[state])
			}
		}
		if got["total"] != float64(total) {
			t.Errorf("%v: total %v, want %d", more, got["total"], total)
		}
	}
	want["all"], want["SYN_RECV,zombie"] = total, want["SYN_RECV"]+want["ZOMBIE"]
	want["NEW_SYN_RECV"] = 0
	for _, s := range states.All {
		if s.Kind == nettest.RequestSocket {
			want["NEW_SYN_RECV"]++
		}
	}
	for _, state := range slices.Sorted(maps.Keys(want)) {
		if got := ran(t, inNS(ns, "count", state)...); got != fmt.Sprintln(want[state]) {
			t.Errorf("count %s: %swant %d", state, got, want[state])
		}
	}
	compareWithSS(t, ns, want)
}

// compareWithSS compares counts with what ss says at the same time, where there is one.
func compareWithSS(t *testing.T, ns *nettest.NS, want map[string]int) {
	t.Helper()
	rows, err := ns.SS()
	if errors.Is(err, exec.ErrNotFound) {
		t.Log("no ss here")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for i := range rows {
		got[rows[i].State.String()]++
	}
	for state, n := range got {
		if want[state] != n {
			t.Errorf("%s: ss has %d, want %d", state, n, want[state])
		}
	}
}

// checkFilters compares what filters select with what ss selects, by cookie.
func checkFilters(t *testing.T, ns *nettest.NS) {
	for _, text := range []string{
		"state close-wait", "state fin-wait-2", "state time-wait", "state syn-recv", "state connected exclude established",
		"state bucket", "exclude listening", "src 127.0.0.0/8", "dst 127.0.0.1", "src [::1]", "dport gt 32767",
		"sport geq 1 and dport lt 2000", "dst [::1] or dst 127.0.0.0/8", "not dst 127.0.0.0/8",
		"state established ( src 127/8 and not dport = 80 )", "state all dport = :0", "state time-wait src [::1]",
		"state fin-wait-1 or state closing", "src 127.0.0.1 and state established",
	} {
		words := strings.Fields(text)
		rows, err := ns.SS(words...)
		if errors.Is(err, exec.ErrNotFound) {
			t.Log("no ss here")
			return
		}
		if err != nil {
			continue // ss does not take it: no question for it
		}
		var want, got []string
		for i := range rows {
			want = append(want, strconv.FormatUint(rows[i].Cookie, 16))
		}
		listed := parseSockets(t, ran(t, append(inNS(ns, "list", "-o", "json"), words...)...))
		for _, r := range listed {
			if r.State != "CLOSE" { // ss cannot see these
				got = append(got, r.Cookie)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: %d sockets, ss has %d\n%v\n%v", text, len(got), len(want), got, want)
		}
		if n := ran(t, append(inNS(ns, "count", "all"), words...)...); n != fmt.Sprintln(len(listed)) {
			t.Errorf("%s: count %slist has %d", text, n, len(listed))
		}
	}
}

func checkBreakdown(t *testing.T, ns *nettest.NS, states *nettest.States) {
	want := map[string]int{}
	for _, s := range states.All {
		state := s.State.String()
		if s.Zombie {
			state = "ZOMBIE"
		}
		want[state]++
	}
	got, sum := map[string]int{}, 0
	for line := range strings.Lines(ran(t, inNS(ns, "count", "-o", "json", "--by", "remote-addr,state")...)) {
		var g struct {
			Addr  *string `json:"remote_addr"`
			State string
			Count int
			Total int
		}
		if err := json.Unmarshal([]byte(line), &g); err != nil || g.Total != len(states.All) {
			t.Fatalf("%v: %s", err, line)
		}
		got[g.State] += g.Count
		sum += g.Count
	}
	if !maps.Equal(got, want) || sum != len(states.All) {
		t.Errorf("%v, want %v", got, want)
	}
}

func checkTables(t *testing.T, ns *nettest.NS, states *nettest.States) {
	for args, lines := range map[string]int{
		"list": 1 + len(states.All), "list -o wide": 1 + len(states.All), "list -o csv --no-header": len(states.All),
		"list --top 3": 4, "list --top 3 --no-header --sort -remote": 3, "count": 15, "count -o csv": 2, "count --by netns": 2,
	} {
		text := ran(t, inNS(ns, strings.Fields(args)...)...)
		checkPrintable(t, args, text)
		if n := strings.Count(text, "\n"); n != lines {
			t.Errorf("%s: %d lines, want %d:\n%s", args, n, lines, text)
		}
	}
}
