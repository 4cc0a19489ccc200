package census

import (
	"testing"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// TestViewCountsAsCountsDo takes a snapshot in, and gauges that say the same of full sockets.
func TestViewCountsAsCountsDo(t *testing.T) {
	sockets := sampleSockets(1, 2000)
	var view View
	var want tcp.Counts
	for i := range sockets {
		view.Count(&sockets[i])
		want.Count(&sockets[i])
	}
	if got := view.Counts(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	gauge := view.Full
	gauge[tcp.Close] = 1000 // zombies again, as the tracer knows of them
	view.Follow(gauge)
	if got := view.Counts(); got != want {
		t.Errorf("with gauges %v, want %v", got, want)
	}
}

func TestViewFollows(t *testing.T) {
	var view View
	for _, s := range []tcp.Socket{
		{State: tcp.Established},
		{State: tcp.FinWait2},
		{State: tcp.FinWait2, Kind: tcp.Minisock},
		{State: tcp.TimeWait, Kind: tcp.Minisock},
		{State: tcp.SynRecv, Kind: tcp.Request},
		{State: tcp.SynRecv},
		{State: tcp.Close},
		{State: tcp.Close, Zombie: true},
	} {
		view.Count(&s)
	}
	if want := (unsigned{tcp.Established: 1, tcp.FinWait2: 1, tcp.SynRecv: 1}); view.Full != want {
		t.Errorf("full sockets %v, want %v", view.Full, want)
	}
	view.Follow(unsigned{tcp.Established: 7, tcp.Close: 9, tcp.SynRecv: 2})
	want := tcp.Counts{Zombies: 1}
	want.States[tcp.Established] = 7
	want.States[tcp.FinWait2] = 1
	want.States[tcp.TimeWait] = 1
	want.States[tcp.SynRecv] = 3
	want.States[tcp.Close] = 1
	if got := view.Counts(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
