package cli

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/privilege"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// everyState is what is looked at when nothing is said of states.
var everyState = tcp.SetOf(tcp.Established, tcp.SynSent, tcp.SynRecv, tcp.FinWait1, tcp.FinWait2, tcp.TimeWait, tcp.Close,
	tcp.CloseWait, tcp.LastAck, tcp.Listen, tcp.Closing, tcp.NewSynRecv)

// How each command looks at sockets, and what it need not look at; as little as possible is loaded, and always after
// privileges have gone.
func TestWaysToLook(t *testing.T) {
	const blue = 4026532001
	some := tcp.SetOf(tcp.CloseWait, tcp.LastAck)
	for _, test := range []struct {
		args   string
		way    string
		states tcp.StateSet
		netns  []uint32
	}{
		{"list", "snapshots", everyState, nil},
		{"list --state close-wait,LAST_ACK", "snapshots", some, nil},
		{"list state close-wait,LAST_ACK dport = 443", "snapshots", some, nil},
		{"list --state connected state close-wait state last-ack", "snapshots", some, nil},
		{"list --netns 4026532001", "snapshots", everyState, []uint32{blue}},
		{"list netns 4026532001 and pid 7", "snapshots", everyState, []uint32{blue}},
		{"list netns 4026532001 or pid 7", "snapshots", everyState, nil},
		{"list pid 7", "snapshots", everyState, nil},
		{"count", "counter", everyState, nil},
		{"count --state close-wait,LAST_ACK", "counter", some, nil},
		{"count --netns 4242", "counter", everyState, []uint32{blue}},
		{"count state close-wait,LAST_ACK", "snapshots", some, nil},
		{"count -p 4242", "snapshots", everyState, nil},
		{"count -L 80 --state close-wait,last-ack", "snapshots", some, nil},
		{"count --by pid", "snapshots", everyState, nil},
		{"count --by pid --state close-wait,last-ack", "snapshots", some, nil},
		{"count CLOSE_WAIT,last-ack", "diag", some, nil},
		{"count connected --state close-wait,last-ack", "diag", some, nil},
		{"count SYN_RECV --netns 4026532001", "diag", tcp.SetOf(tcp.SynRecv), []uint32{blue}},
		{"count NEW_SYN_RECV", "snapshots", tcp.SetOf(tcp.NewSynRecv), nil},
		{"count --state NEW_SYN_RECV", "snapshots", tcp.SetOf(tcp.NewSynRecv), nil},
		{"count zombie", "counter", tcp.SetOf(tcp.Close), nil},
		{"count ZOMBIE,close", "counter", tcp.SetOf(tcp.Close), nil},
		{"count all", "counter", everyState, nil},
		{"count CLOSE_WAIT,LAST_ACK age gt 5m", "snapshots", some, nil},
		{"count zombie comm web", "snapshots", tcp.SetOf(tcp.Close), nil},
	} {
		w := newWorld(t)
		code := w.run(strings.Fields(test.args)...)
		w.wants(code, ExitDone, "")
		if want := []string{test.way}; !reflect.DeepEqual(w.look.ways, want) {
			t.Errorf("%s: looked by %v, want %v", test.args, w.look.ways, want)
			continue
		}
		o := w.look.options[0]
		o.Pin = ""
		if want := (kernel.SnapshotOptions{States: test.states, NetNS: test.netns}); !reflect.DeepEqual(o, want) {
			t.Errorf("%s: options %+v, want %+v", test.args, o, want)
		}
		if want := []privilege.Set{privilege.Trace | privilege.Namespaces}; !reflect.DeepEqual(w.look.kept[0], want) {
			t.Errorf("%s: kept %v before looking, want %v", test.args, w.look.kept[0], want)
		}
		if len(w.opened) != 0 || test.way != "diag" && (w.look.looks != 1 || w.look.closed != 1) {
			t.Errorf("%s: traced %d, looked %d, closed %d times", test.args, len(w.opened), w.look.looks, w.look.closed)
		}
	}
}

// What sock_diag cannot count is counted by programs.
func TestQuickCountGivesUp(t *testing.T) {
	w := newWorld(t)
	w.look.quickErr = fmt.Errorf("network namespace 7 is not found quickly: %w", errors.ErrUnsupported)
	w.look.tallies = []tcp.Tally{{Full: [tcp.States + 1]uint64{tcp.CloseWait: 3}}}
	code := w.run("count", "CLOSE_WAIT")
	w.wants(code, ExitDone, "")
	if want := []string{"diag", "counter"}; !reflect.DeepEqual(w.look.ways, want) || w.stdout.String() != "3\n" {
		t.Errorf("%v, want %v; %q", w.look.ways, want, w.stdout)
	}
}

// Of a filter the kernel gets what it can decide before a record is made.
func TestFilterReachesTheTracer(t *testing.T) {
	for args, want := range map[string]filter.Filter{
		"sport = :443":                       {LocalPorts: ports(t, "443")},
		"dport = 80 or dport = 443":          {RemotePorts: ports(t, "80,443")},
		"state close-wait":                   {States: tcp.SetOf(tcp.CloseWait)},
		"pid 4242 and netns 4026532001":      {PIDs: []uint32{4242}, NetNS: []uint32{4026532001}},
		"-L 80 pid 7":                        {LocalPorts: ports(t, "80"), PIDs: []uint32{7}},
		"age gt 5m":                          {},
		"sport = :80 or age gt 5m":           {},
		"comm php* and sport = :443":         {LocalPorts: ports(t, "443")},
		"--new CLOSE state last-ack":         {New: tcp.SetOf(tcp.Close), States: tcp.SetOf(tcp.LastAck)},
		"( sport = :80 ) and ( pid 7 )":      {LocalPorts: ports(t, "80"), PIDs: []uint32{7}},
		"--state CLOSE_WAIT state connected": {States: tcp.SetOf(tcp.CloseWait)},
	} {
		w := newWorld(t)
		_ = w.source.Stop()
		code := w.run(strings.Fields("trace " + args)...)
		if code != ExitDone || len(w.opened) != 1 {
			t.Errorf("%s: exit %d, opened %d: %s", args, code, len(w.opened), w.stderr)
			continue
		}
		got := w.opened[0].Filter
		got.Comms = nil // may be pushed or not: it is no matter for the kernel
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the kernel decides %+v, want %+v", args, got, want)
		}
	}
}

// What the kernel leaves of a filter is matched here, and counted as filtered.
func TestRestOfAFilter(t *testing.T) {
	for args, want := range map[string]int{
		"comm web": 1, "comm = w?b": 1, "comm != web": 0, "not comm web": 1, "age lt 1s": 2, "age gt 1s": 0,
		"sport = 40000 and ( comm db or comm web )": 1, "src 10/8 dst 10.0.0.2:https": 2,
		"dst 10.0.0.3": 0, "exe web": 0, "": 2,
	} {
		w := newWorld(t)
		stranger := event(tcp.SynSent, tcp.Established)
		stranger.PID, stranger.Comm, stranger.Evidence = 0, tcp.Comm{}, tcp.EvidenceNone
		w.source.feed(event(tcp.SynSent, tcp.Established), stranger)
		_ = w.source.Stop()
		w.start(append([]string{"-o", "csv", "--no-header"}, strings.Fields(args)...)...)
		if code := w.wait(); code != ExitDone || w.rows() != want {
			t.Errorf("%s: exit %d, %d rows, want %d: %s", args, code, w.rows(), want, w.stderr)
		}
	}
}

// To see which programs other users' processes run takes a privilege, to the end.
func TestPrivilegeOfExe(t *testing.T) {
	for args, want := range map[string]privilege.Set{
		"exe nginx": privilege.Trace | 1<<privilege.SysPtrace, "not ( exe != /bin/x or age gt 1s )": privilege.Trace | 1<<privilege.SysPtrace,
		"comm nginx": privilege.Trace, "": privilege.Trace,
	} {
		w := newWorld(t)
		_ = w.source.Stop()
		w.run(strings.Fields(args)...)
		if n := len(w.kept); n != 2 || w.kept[n-1] != want {
			t.Errorf("%s: kept %v, want %v at last", args, w.kept, want)
		}
	}
}
