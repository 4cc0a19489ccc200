package cli

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// someTally is a host with something in many states.
var someTally = tcp.Tally{
	Full: [tcp.States + 1]uint64{
		tcp.Established: 4, tcp.SynRecv: 1, tcp.FinWait2: 2, tcp.Close: 3, tcp.CloseWait: 5, tcp.Listen: 6,
	},
	Bare:    [tcp.States + 1]uint64{tcp.TimeWait: 7, tcp.FinWait2: 1, tcp.SynRecv: 2},
	Zombies: 9,
}

func TestCountFormats(t *testing.T) {
	for _, test := range []struct {
		args        string
		head, inRow string
		lines       int
	}{
		{"", "STATE ", "\nZOMBIE           9\n", 15},
		{"--no-header", "LISTEN ", "\nTOTAL           40", 14},
		{"-o wide", "STATE ", "\nFIN_WAIT2        3\n", 15},
		{"-o csv", "time,event,LISTEN,", ",9,40", 2},
		{"-o csv --no-header", "20", ",9,40", 1},
		{"-o json", `{"time":"`, `"CLOSING":0,"TIME_WAIT":7,"CLOSE_WAIT":5,"LAST_ACK":0,"CLOSE":3,"ZOMBIE":9,"total":40}`, 1},
		{"-o json --state close-wait", `{"time":"`, `"CLOSE_WAIT":5,"LAST_ACK":0,"CLOSE":0,"ZOMBIE":0,"total":5}`, 1},
		{"-o json --state close", `{"time":"`, `"CLOSE_WAIT":0,"LAST_ACK":0,"CLOSE":3,"ZOMBIE":9,"total":12}`, 1},
		{"--color always", "STATE ", "\x1b[", 15},
	} {
		w := newWorld(t)
		w.look.tallies = []tcp.Tally{someTally}
		lines := w.lined("count " + test.args)
		if len(lines) != test.lines || !strings.HasPrefix(lines[0], test.head) || !strings.Contains(w.stdout.String(), test.inRow) {
			t.Errorf("%s: %q, want %d lines, the first %q, and %q", test.args, lines, test.lines, test.head, test.inRow)
		}
	}
}

// A state is the number of its line, several are their sum, and a group with CLOSE has zombies.
func TestCountBare(t *testing.T) {
	for args, want := range map[string]string{
		"CLOSE_WAIT": "5", "close-wait": "5", "tcp_close_wait,LISTEN": "11", "FIN-WAIT-2": "3", "SYN_RECV": "3", "CLOSE": "3",
		"zombie": "9", "ZOMBIE,CLOSE": "12", "all": "40", "ALL,zombie": "40", "connected": "22", "big": "30", "LAST_ACK": "0",
		"bucket": "10", "CLOSE_WAIT --state listen": "0", "CLOSE_WAIT -o json --no-header": "5", "CLOSE_WAIT --netns 4242": "5",
	} {
		w := newWorld(t)
		w.look.tallies = []tcp.Tally{someTally}
		if got := w.lined("count " + args); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}

// The same where each socket has to be looked at.
func TestCountSelects(t *testing.T) {
	for args, want := range map[string]string{
		"CLOSE_WAIT age gt 5s": "1", "CLOSE_WAIT pid 4242": "2", "zombie -p 4242": "1", "all -L 40000": "6",
		"CLOSE dport = 443": "0", "CLOSE,zombie dport = 443": "1", "NEW_SYN_RECV": "1", "NEW_SYN_RECV --state SYN_RECV": "1",
		"SYN_RECV dport = 443": "2", "CLOSE_WAIT --state LISTEN -L 40000": "0", "CLOSE_WAIT exclude close-wait": "0",
		"ESTABLISHED,CLOSE_WAIT comm web": "2", "all comm web": "4", "all -6": "0",
	} {
		w := newWorld(t)
		crossed := socket(tcp.SynRecv, 4)
		crossed.PID, crossed.Holders = 0, nil
		w.look.sockets = []tcp.Socket{socket(tcp.CloseWait, 9), socket(tcp.CloseWait, 2), zombie(5), halfOpen(), crossed, socket(tcp.LastAck, 3)}
		if got := w.lined("count " + args); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}

func TestCountBy(t *testing.T) {
	stranger := socket(tcp.TimeWait, 60)
	stranger.PID, stranger.Holders, stranger.Kind = 0, nil, tcp.Minisock
	sockets := []tcp.Socket{socket(tcp.CloseWait, 9), socket(tcp.CloseWait, 2), zombie(5), stranger, halfOpen()}
	type group struct {
		State   *string
		Process *string
		PID     *int
		Port    *int `json:"remote_port"`
		Count   int
		Total   int
		Oldest  float64 `json:"oldest_ms"`
	}
	for args, want := range map[string][]int{ // the counts
		"state": {2, 1, 1, 1}, "process": {3, 2}, "pid": {3, 2}, "process,state": {2, 1, 1, 1}, "raddr,rport": {5},
		"process --top 1": {3}, "state --top 0": {2, 1, 1, 1}, "state dport = 443 state close-wait": {2}, "pid --state listen": nil,
		"state --by pid": {2, 1, 1, 1}, "cgroup": {5}, "netns,uid": {4, 1},
	} {
		w := newWorld(t)
		w.look.sockets = sockets
		var got []int
		for _, line := range w.lined("count -o json --by " + args) {
			if line == "" {
				continue
			}
			var g group
			if err := json.Unmarshal([]byte(line), &g); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			got = append(got, g.Count)
			if total := 5; !strings.Contains(args, " -") && !strings.Contains(args, "close") && g.Total != total {
				t.Errorf("%s: total %d, want %d", args, g.Total, total)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v:\n%s", args, got, want, w.stdout)
		}
	}
	for args, want := range map[string]string{
		"": "COUNT PROCESS OLDEST\n", "--no-header": "    3 web", "-o csv": "time,event,process,count,total,oldest_ms,",
	} {
		w := newWorld(t)
		w.look.sockets = sockets
		w.lined("count --by process " + args)
		if !strings.HasPrefix(w.stdout.String(), want) {
			t.Errorf("%s: %q, want %q", args, w.stdout, want)
		}
	}
}
