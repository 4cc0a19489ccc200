package filter

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestPush(t *testing.T) {
	tests := []struct {
		text string
		have Filter
		want Filter
		rest string
	}{
		{text: "state close-wait", want: Filter{States: tcp.SetOf(tcp.CloseWait)}},
		{text: "state close-wait and state last-ack", want: Filter{States: tcp.SetOf(tcp.CloseWait)}, rest: "state LAST_ACK"},
		{text: "state close-wait,last-ack and state last-ack", want: Filter{States: tcp.SetOf(tcp.LastAck)}},
		{text: "state last-ack or state listen", want: Filter{States: tcp.SetOf(tcp.LastAck, tcp.Listen)}},
		{text: "state last-ack or sport 22", rest: "state LAST_ACK or sport = :22"},
		{text: "exclude listen", want: Filter{Old: ^tcp.SetOf(tcp.Listen), New: ^tcp.SetOf(tcp.Listen)}},
		{text: "exclude listen", have: Filter{Old: tcp.SetOf(tcp.Listen)}, want: Filter{Old: tcp.SetOf(tcp.Listen)}, rest: "not state LISTEN"},
		{text: "sport = 22", want: Filter{LocalPorts: mustPorts(t, "22")}},
		{text: "sport 80,443,8000-8100", want: Filter{LocalPorts: mustPorts(t, "80,443,8000-8100")}},
		{text: "src :22", want: Filter{LocalPorts: mustPorts(t, "22")}},
		{text: "( dport 80 or dport >= 8000 ) and dport != 9000", want: Filter{RemotePorts: mustPorts(t, "80,8000-8999,9001-65535")}},
		{text: "dport != 22", rest: "dport != :22"},
		{text: "dport != 22", have: Filter{RemotePorts: mustPorts(t, "22,23")}, want: Filter{RemotePorts: mustPorts(t, "23")}},
		{text: "dport < 22 sport 1", want: Filter{LocalPorts: mustPorts(t, "1")}, rest: "dport < :22"},
		{text: "dport 22 and dport 23", want: Filter{RemotePorts: new(Ports)}},
		{text: "sport 22 or dport 22", rest: "sport = :22 or dport = :22"},
		{text: "not ( sport >= 100 or comm x )", rest: "not sport >= :100 and not comm = x"},
		{text: "pid 1,2,3", have: Filter{PIDs: []uint32{2, 3, 4}}, want: Filter{PIDs: []uint32{2, 3}}},
		{text: "pid 1", have: Filter{PIDs: []uint32{2}}, want: Filter{PIDs: []uint32{2}}, rest: "pid = 1"},
		{text: "pid 1 or pid 2", want: Filter{PIDs: []uint32{1, 2}}},
		{text: "pid != 1", rest: "pid != 1"},
		{text: "netns self", want: Filter{NetNS: []uint32{4026531840}}},
		{text: "cgroup /a", want: Filter{Cgroups: []uint64{10}}},
		{text: "cgroup /a/b", have: Filter{Cgroups: []uint64{10}}, want: Filter{Cgroups: []uint64{10}}, rest: "cgroup = /a/b"},
		{text: "src 10/8", want: Filter{Version: V4}, rest: "src 10.0.0.0/8"},
		{text: "src 10/8", have: Filter{Version: V6}, want: Filter{Version: V6}, rest: "src 10.0.0.0/8"},
		{text: "src 10/8 or dst 10/8:22", want: Filter{Version: V4}, rest: "src 10.0.0.0/8 or ( dport = :22 and dst 10.0.0.0/8 )"},
		{text: "src 10/8 or sport 22", rest: "src 10.0.0.0/8 or sport = :22"},
	}
	for _, test := range tests {
		f := test.have
		rest := mustParse(t, test.text).Push(&f)
		if !reflect.DeepEqual(f, test.want) || rest.String() != test.rest {
			t.Errorf("%q: %+v\nrest %q, want %q", test.text, f, rest, test.rest)
		}
	}
}

func TestPushLeavesSetsAlone(t *testing.T) {
	ports, pids := mustPorts(t, "1-10"), []uint32{1, 2, 3}
	f := Filter{LocalPorts: ports, PIDs: pids}
	mustParse(t, "sport 5 pid 3").Push(&f)
	if ports.String() != "1-10" || !slices.Equal(pids, []uint32{1, 2, 3}) {
		t.Errorf("changed to %v, %v", ports, pids)
	}
}

func TestPushLimit(t *testing.T) {
	list := func(first int) string {
		text := fmt.Sprintf("pid %d", first)
		for pid := first + 1; pid < first+200; pid++ {
			text += fmt.Sprintf(",%d", pid)
		}
		return text
	}
	var f Filter
	if rest := mustParse(t, list(1)+" or "+list(201)).Push(&f); rest == nil || f.PIDs != nil {
		t.Errorf("%d pids pushed, rest %v", len(f.PIDs), rest)
	}
	if rest := mustParse(t, list(1)+" or "+list(50)).Push(&f); rest != nil || len(f.PIDs) != 249 {
		t.Errorf("%d pids pushed, rest %v", len(f.PIDs), rest)
	}
}
