package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// driftOfTimes is by how much the absolute times of an unchanged socket may differ from one look to the next: the kernel
// keeps some in jiffies. A change beyond it is worth a line.
const driftOfTimes = 50 * time.Millisecond

// Looks writes looks, of each only what differs from the one before. It is not safe for concurrent use.
type Looks struct {
	encoder *Encoder
	seed    maphash.Seed
	known   map[Key]*trace
	look    uint64
	scratch bytes.Buffer
}

// trace is what is kept of a socket that was written.
type trace struct {
	sum   uint64 // of all but its times
	times [6]int64
	look  uint64
}

// NewLooks returns a Looks whose lines are e's.
func NewLooks(e *Encoder) *Looks {
	return &Looks{encoder: e, seed: maphash.MakeSeed(), known: map[Key]*trace{}}
}

// lookLine is a look in JSON; times as in socketLine.
type lookLine struct {
	Now      int64            `json:"now"`
	Baseline bool             `json:"baseline,omitempty"`
	Began    int64            `json:"began"` // wall clock, ns since 1970
	Took     time.Duration    `json:"took"`
	NetNS    []uint32         `json:"netns,omitempty"`
	Horizon  map[string]int64 `json:"horizon,omitempty"`
	Gone     []goneLine       `json:"gone,omitempty"`
	FDLimits []FDLimit        `json:"fd_limits,omitempty"`
	Sockets  int              `json:"sockets"` // that it has, those not written again included
}

type goneLine struct {
	Cookie hexNumber       `json:"cookie"`
	Kind   string          `json:"kind"`
	NetNS  uint32          `json:"netns,omitempty"`
	Local  *netip.AddrPort `json:"local,omitempty"`
	Remote *netip.AddrPort `json:"remote,omitempty"`
}

func goneLineOf(k Key) goneLine {
	g := goneLine{Cookie: hexNumber(k.Cookie), Kind: k.Kind.String(), NetNS: k.NetNS}
	if k.Cookie == 0 {
		g.Local, g.Remote = &k.Local, &k.Remote
	}
	return g
}

func (g *goneLine) key() (k Key, err error) {
	k = Key{Cookie: uint64(g.Cookie), NetNS: g.NetNS}
	if g.Local != nil && g.Remote != nil {
		k.Local, k.Remote = *g.Local, *g.Remote
	}
	k.Kind, err = named[tcp.Kind](g.Kind, "kind")
	return k, err
}

// Append appends the lines of a look: of each socket that is new or has changed, and one of the look. Of l, Now, Baseline
// and FDLimits are taken; at is the wall clock at Now. A baseline stands for itself.
func (w *Looks) Append(b []byte, at int64, s *tcp.Snapshot, l *Look) ([]byte, error) {
	line := lookLine{
		Now: l.Now, Baseline: l.Baseline, Began: s.Time, Took: s.Took, NetNS: s.NetNS, FDLimits: l.FDLimits, Sockets: len(s.Sockets),
	}
	for state, until := range s.Horizon {
		if until != 0 {
			if line.Horizon == nil {
				line.Horizon = map[string]int64{}
			}
			line.Horizon[tcp.State(state).String()] = until
		}
	}
	known := w.known
	if l.Baseline {
		known = map[Key]*trace{}
	}
	w.look++
	var err error
	for i := range s.Sockets {
		if b, err = w.socket(b, at, &s.Sockets[i], l.Now, known); err != nil {
			return b, err
		}
	}
	for k, t := range known {
		if t.look != w.look {
			delete(known, k)
			line.Gone = append(line.Gone, goneLineOf(k))
		}
	}
	return w.encoder.object(b, LookOver, at, &line)
}

// socket appends the line of a socket, if it has changed.
func (w *Looks) socket(b []byte, at int64, s *tcp.Socket, now int64, known map[Key]*trace) ([]byte, error) {
	line := lineOf(s)
	if s.Seen == 0 {
		seen := *s
		seen.Seen = now
		line = lineOf(&seen)
	}
	fresh, err := w.traceOf(&line)
	if err != nil {
		return b, err
	}
	old := known[KeyOf(s)]
	known[KeyOf(s)] = fresh
	if old != nil && old.sum == fresh.sum && isNear(&old.times, &fresh.times) {
		fresh.times = old.times // those that were written
		return b, nil
	}
	return w.encoder.object(b, Socket, at, &line)
}

// traceOf returns what tells whether a socket has changed: not its round-trip time.
func (w *Looks) traceOf(l *socketLine) (*trace, error) {
	t := &trace{look: w.look, times: [6]int64{l.Since, l.NotBefore, l.Sent, l.Received, l.Acked, l.Expires}}
	rest := *l
	rest.Seen, rest.RTT, rest.RTTVar = 0, 0, 0
	rest.Since, rest.NotBefore, rest.Sent, rest.Received, rest.Acked, rest.Expires = 0, 0, 0, 0, 0, 0
	w.scratch.Reset()
	if err := json.NewEncoder(&w.scratch).Encode(&rest); err != nil {
		return nil, fmt.Errorf("write socket: %w", err)
	}
	t.sum = maphash.Bytes(w.seed, w.scratch.Bytes())
	return t, nil
}

func isNear(a, b *[6]int64) bool {
	for i := range a {
		if d := a[i] - b[i]; d > int64(driftOfTimes) || d < -int64(driftOfTimes) || (a[i] == 0) != (b[i] == 0) {
			return false
		}
	}
	return true
}
