package census

import "github.com/tcptrail/tcptrail/internal/tcp"

// View is how many sockets there are by what is known last: full ones from gauges, which may be as of now, and all others
// from the latest count, since no transition tells when they come or go. The zero value is ready.
type View struct {
	// Full counts full sockets by state, as Reconciler.Check compares them and Reconciler.Gauge returns them, without
	// those in Close.
	Full [tcp.States + 1]uint64
	// Rest counts minisocks by the state that they stand for, requests as SynRecv, and full sockets in Close, zombies
	// apart: as of the latest count.
	Rest tcp.Counts
}

// Count counts one socket of a snapshot.
func (v *View) Count(s *tcp.Socket) {
	if s.Kind == tcp.Full && s.State != tcp.Close && s.State.Valid() {
		v.Full[s.State]++
		return
	}
	v.Rest.Count(s)
}

// Follow replaces the full sockets by gauges.
func (v *View) Follow(gauge [tcp.States + 1]uint64) {
	v.Full = gauge
	v.Full[tcp.Close] = 0
}

// Counts adds both up.
func (v *View) Counts() tcp.Counts {
	counts := v.Rest
	for s, n := range v.Full {
		counts.States[s] += n
	}
	return counts
}
