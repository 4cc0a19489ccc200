package kernel

import (
	"math/bits"
	"os"
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func TestWantedMask(t *testing.T) {
	for state := tcp.Established; state <= tcp.NewSynRecv; state++ {
		mask := wantedMask(tcp.SetOf(state))
		if mask>>state&1 == 0 || mask>>tcp.Listen&1 == 0 {
			t.Errorf("%v: mask %#x lacks it or listeners", state, mask)
		}
		if more := mask &^ uint32(tcp.SetOf(state, tcp.Listen)); more != 0 && state != tcp.NewSynRecv {
			t.Errorf("%v: mask %#x has more", state, mask)
		}
	}
	if got, want := wantedMask(tcp.SetOf(tcp.NewSynRecv)), uint32(tcp.SetOf(tcp.NewSynRecv, tcp.SynRecv, tcp.Listen)); got != want {
		t.Errorf("NEW_SYN_RECV: %#x, want %#x: a request is shown in SYN_RECV", got, want)
	}
	if got := bits.OnesCount32(wantedMask(0)); got != 32 {
		t.Errorf("all states: %d bits", got)
	}
}

// What was asked for, in the namespaces that were seen.
func TestSnapshotsWant(t *testing.T) {
	request := tcp.Socket{State: tcp.SynRecv, Kind: tcp.Request, NetNS: 5}
	full := tcp.Socket{State: tcp.SynRecv, NetNS: 5}
	tests := []struct {
		states  tcp.StateSet
		visited []uint32
		socket  tcp.Socket
		want    bool
	}{
		{0, []uint32{5}, full, true},
		{0, []uint32{1, 5, 9}, full, true},
		{0, []uint32{1, 9}, full, false},
		{0, nil, full, false},
		{tcp.SetOf(tcp.Listen), []uint32{5}, full, false},
		{tcp.SetOf(tcp.SynRecv), []uint32{5}, full, true},
		{tcp.SetOf(tcp.SynRecv), []uint32{5}, request, true},
		{tcp.SetOf(tcp.NewSynRecv), []uint32{5}, request, true},
		{tcp.SetOf(tcp.NewSynRecv), []uint32{5}, full, false},
	}
	for _, test := range tests {
		s := Snapshots{states: test.states}
		if got := s.wants(&test.socket, test.visited); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestExpectedSockets(t *testing.T) {
	if _, err := os.Stat("/proc/net/sockstat"); err != nil {
		t.Skip(err)
	}
	if n := expectedSockets(); n < 0 || n > 1<<26 {
		t.Errorf("%d sockets expected", n)
	}
}
