package filter

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

func randomTerm(r *rand.Rand) wish {
	switch n := r.IntN(20); {
	case n < 5:
		return randomStateWish(r)
	case n < 10:
		return randomPortWish(r)
	case n < 13:
		return randomHostWish(r)
	case n < 15:
		return randomProcessWish(r)
	case n < 17:
		return randomPlaceWish(r)
	case n < 18:
		return randomAgeWish(r)
	}
	return randomSocketWish(r)
}

func isState(text string) bool {
	return strings.HasPrefix(text, "state ") || strings.HasPrefix(text, "exclude ")
}

// randomUnary is a term, a negation or a list in parentheses.
func randomUnary(r *rand.Rand, depth int) wish {
	switch n := r.IntN(6); {
	case n == 0:
		w := randomUnary(r, depth)
		return w.not(pick(r, []string{"not ", "! ", "!"}) + w.text)
	case n < 3 && depth > 0:
		w := randomList(r, depth-1)
		w.text = pick(r, []string{"(", "( "}) + w.text + pick(r, []string{")", " )"})
		return w
	}
	return randomTerm(r)
}

// randomList takes its terms from left to right.
func randomList(r *rand.Rand, depth int) wish {
	all := randomUnary(r, depth)
	for range r.IntN(4) {
		next := randomUnary(r, depth)
		operators := []string{" and ", " & ", "&&", " or ", " || ", "|", " "}
		if isState(next.text) {
			operators = operators[:6] // another state in a row would be one term with what is before it
		}
		operator := pick(r, operators)
		if text := all.text + operator + next.text; strings.ContainsAny(operator, "|r") {
			all = either(text, all, next)
		} else {
			all = both(text, all, next)
		}
	}
	return all
}

// randomWish begins with states half of the time, which then apply to all.
func randomWish(r *rand.Rand) wish {
	if r.IntN(2) == 0 {
		return randomUnaryList(r)
	}
	states := randomStateWish(r)
	rest := randomUnaryList(r)
	return both(states.text+" "+rest.text, states, rest)
}

// randomUnaryList does not begin with states.
func randomUnaryList(r *rand.Rand) wish {
	for {
		if w := randomList(r, 3); !isState(w.text) {
			return w
		}
	}
}

func randomExprEvent(r *rand.Rand) *tcp.Event {
	e := randomEvent(r)
	e.Family = pick(r, []tcp.Family{tcp.Inet, tcp.Inet6})
	e.UID = pick(r, []uint32{0, 33, 1000})
	e.CgroupID = pick(r, []uint64{0, 10, 11, 12})
	e.InOld = pick(r, []time.Duration{tcp.Unknown, 0, 90 * time.Second, time.Hour})
	return e
}

func randomSocket(r *rand.Rand) *tcp.Socket {
	e := randomExprEvent(r)
	s := &tcp.Socket{
		CgroupID: e.CgroupID, Local: e.Local, Remote: e.Remote, NetNS: e.NetNS, UID: e.UID, PID: e.PID, Comm: e.Comm,
		Family: e.Family, State: e.New, Autobound: r.IntN(2) == 0, Device: r.Uint32N(3), Mark: r.Uint32N(8),
		RecvQ: pick(r, []uint32{0, 1024, 4096}), SendQ: pick(r, []uint32{0, 1024, 4096}),
	}
	switch {
	case s.State == tcp.NewSynRecv:
		s.State, s.Kind = tcp.SynRecv, tcp.Request
	case s.State == tcp.Close:
		s.Zombie = r.IntN(2) == 0
	case r.IntN(8) == 0:
		s.State, s.Kind = tcp.TimeWait, tcp.Minisock
	}
	for range r.IntN(3) {
		s.Holders = append(s.Holders, tcp.Holder{PID: pick(r, randomPIDs), Comm: comm(pick(r, randomComms))})
	}
	least := pick(r, []time.Duration{0, time.Minute, 90 * time.Second, time.Hour})
	s.Age = pick(r, []tcp.Age{
		{},
		tcp.ExactAge(tcp.AgeTraced, least),
		{Source: tcp.AgeLastAck, AtLeast: least, AtMost: tcp.Unknown},
		{Source: tcp.AgeLastAck, AtLeast: least, AtMost: least + time.Minute},
	})
	return s
}

// TestExprAgainstWish compares random expressions with what they mean, before and after String, and in two parts after
// Push. A failure names its seed.
func TestExprAgainstWish(t *testing.T) {
	const expressions, subjects = 1500, 20
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	events, sockets, pushed := 0, 0, 0
	for range expressions {
		w := randomWish(r)
		x, err := Parse(w.text, testNames{})
		if err != nil {
			t.Fatalf("seed %d: %q: %v", seed, w.text, err)
		}
		again := mustParse(t, x.String())
		if x.String() != again.String() {
			t.Fatalf("seed %d: %q is written %q and then %q", seed, w.text, x, again)
		}
		before := randomChoice(r).filter(t)
		if r.IntN(2) == 0 {
			before = &Filter{}
		}
		before.Cgroups = nil
		f := *before
		rest := x.Push(&f)
		pushed += one(rest.String() != x.String())
		for range subjects {
			e := randomExprEvent(r)
			want := w.event(e)
			if x.MatchEvent(e, testHost{}) != want || again.MatchEvent(e, testHost{}) != want {
				t.Fatalf("seed %d: want %t\n%q\n%q\n%+v", seed, want, w.text, x, e)
			}
			events += one(want)
			whole := before.Match(e) && want
			inCgroup := len(f.Cgroups) == 0 || f.matchCgroups(e.CgroupID, testHost{})
			if got := f.Match(e) && inCgroup && rest.MatchEvent(e, testHost{}); got != whole {
				t.Fatalf("seed %d: want %t\n%q\nbefore %+v\nafter %+v\nrest %q\n%+v", seed, whole, x, before, f, rest, e)
			}
			s := randomSocket(r)
			want = w.socket(s)
			if x.MatchSocket(s, testHost{}) != want || again.MatchSocket(s, testHost{}) != want {
				t.Fatalf("seed %d: want %t\n%q\n%q\n%+v", seed, want, w.text, x, s)
			}
			sockets += one(want)
			if namespaces, ok := x.SocketNetNS(); want && (x.SocketStates()&tcp.SetOf(s.State) == 0 || ok && !slices.Contains(namespaces, s.NetNS)) {
				t.Fatalf("seed %d: %q selects what its states or namespaces leave out: %+v", seed, x, s)
			}
		}
	}
	total := expressions * subjects
	if events < total/10 || events > total*9/10 || sockets < total/10 || sockets > total*9/10 || pushed < expressions/10 {
		t.Errorf("seed %d: %d events, %d sockets of %d, %d pushed: proves too little", seed, events, sockets, total, pushed)
	}
}

// TestMatchSocketAgainstEvent compares a socket with an event of the same words, for which random_test.go vouches.
func TestMatchSocketAgainstEvent(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		f := randomChoice(r).filter(t)
		f.Old, f.New, f.Cgroups = 0, 0, nil
		for range 20 {
			s := randomSocket(r)
			want := false
			for _, pid := range append([]tcp.Holder{{PID: s.PID, Comm: s.Comm}}, s.Holders...) {
				for _, name := range append([]tcp.Holder{{PID: s.PID, Comm: s.Comm}}, s.Holders...) {
					e := tcp.Event{PID: pid.PID, Comm: pid.Comm, NetNS: s.NetNS, Local: s.Local, Remote: s.Remote, Old: s.State, New: s.State}
					if s.Kind == tcp.Request {
						e.New = tcp.NewSynRecv
					}
					g := *f
					g.Comms = nil
					byPID := g.Match(&e)
					g = *f
					g.PIDs = nil
					e.PID, e.Comm = name.PID, name.Comm
					want = want || byPID && g.Match(&e)
				}
			}
			if got := f.MatchSocket(s, nil); got != want {
				t.Fatalf("seed %d: %t, want %t\n%+v\n%+v", seed, got, want, f, s)
			}
		}
	}
}
