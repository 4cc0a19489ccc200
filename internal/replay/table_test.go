package replay

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

var nextStates = map[tcp.State][]tcp.State{
	tcp.Close: {tcp.SynSent, tcp.Listen}, tcp.SynSent: {tcp.Established, tcp.Close}, tcp.Listen: {tcp.Close},
	tcp.Established: {tcp.FinWait1, tcp.CloseWait, tcp.Close}, tcp.FinWait1: {tcp.FinWait2, tcp.Closing},
	tcp.FinWait2: {tcp.FinWait2, tcp.Close}, tcp.CloseWait: {tcp.LastAck, tcp.Close}, tcp.LastAck: {tcp.Close}, tcp.Closing: {tcp.Close},
}

// The table has each socket in the state that the last event has left it in, since then, whether a baseline had it or not.
func TestTableFollows(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	type fact struct {
		state   tcp.State
		entered int64
	}
	truth, table, now := map[uint64]fact{}, NewTable(), int64(0)
	for i := range uint64(50) {
		truth[i+1] = fact{tcp.Close, 0}
	}
	for step := range 5000 {
		now += random.Int64N(int64(time.Second))
		cookie := 1 + random.Uint64N(50)
		f := truth[cookie]
		next := nextStates[f.state][random.IntN(len(nextStates[f.state]))]
		e := transition(cookie, now, f.state, next)
		if f.state == tcp.FinWait2 && next == tcp.Close {
			e.Next = tcp.TimeWait
		}
		table.Apply(&e)
		if next != f.state {
			truth[cookie] = fact{next, now}
		}
		if step == 2500 {
			table.Baseline(table.Snapshot(), now, begun+now)
		}
		snapshot := table.Snapshot()
		open := 0
		for _, f := range truth {
			if f.state != tcp.Close {
				open++
			}
		}
		for _, s := range snapshot.Sockets {
			if s.Kind == tcp.Minisock {
				if s.State != tcp.TimeWait || s.Age.AtLeast >= minisockLife {
					t.Fatalf("step %d: %+v", step, s)
				}
				continue
			}
			open--
			if want := truth[s.Cookie]; s.State != want.state || s.Age.AtLeast != time.Duration(now-want.entered) || !s.Age.Exact() {
				t.Fatalf("step %d: socket %d in %v for %+v, want %v since %d at %d", step, s.Cookie, s.State, s.Age, want.state, want.entered, now)
			}
		}
		if open != 0 || snapshot.Time != begun+now {
			t.Fatalf("step %d: %d sockets missing", step, open)
		}
	}
	if !table.IsWhole() {
		t.Error("a baseline makes it whole")
	}
}

func TestTableForgetsMinisocks(t *testing.T) {
	table := NewTable()
	e := transition(1, int64(time.Second), tcp.FinWait2, tcp.Close)
	e.Next = tcp.TimeWait
	table.Apply(&e)
	if s := table.Snapshot(); len(s.Sockets) != 1 || s.Sockets[0].State != tcp.TimeWait {
		t.Errorf("%+v", s.Sockets)
	}
	e = transition(2, int64(61*time.Second), tcp.Close, tcp.SynSent)
	table.Apply(&e)
	if s := table.Snapshot(); len(s.Sockets) != 1 || s.Sockets[0].State != tcp.SynSent {
		t.Errorf("a minute later: %+v", s.Sockets)
	}
	if table.IsWhole() {
		t.Error("whole without a baseline")
	}
}
