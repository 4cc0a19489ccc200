package census

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// nextStates is what the kernel's state machine allows a full socket, self-transitions included. Listeners give birth
// besides.
var nextStates = map[tcp.State][]tcp.State{
	tcp.Close:       {tcp.SynSent, tcp.SynSent, tcp.Listen},
	tcp.SynSent:     {tcp.Established, tcp.Established, tcp.SynRecv, tcp.Close},
	tcp.SynRecv:     {tcp.Established, tcp.Established, tcp.FinWait1, tcp.Close},
	tcp.Established: {tcp.FinWait1, tcp.CloseWait, tcp.Close},
	tcp.FinWait1:    {tcp.FinWait1, tcp.FinWait2, tcp.Closing, tcp.Close},
	tcp.FinWait2:    {tcp.FinWait2, tcp.Close},
	tcp.CloseWait:   {tcp.LastAck, tcp.LastAck, tcp.Close},
	tcp.LastAck:     {tcp.LastAck, tcp.Close},
	tcp.Closing:     {tcp.Closing, tcp.Close},
	tcp.Listen:      {tcp.Close},
}

const (
	simCPUs    = 3
	simSockets = 60 // the population stays around that
)

// simSocket is a full socket. Its place in the kernel's tables changes only when it leaves CLOSE.
type simSocket struct {
	place uint64
	state tcp.State
	seen  tcp.State // the entry's state; 0: no entry
}

// sim is a kernel with the programs attached to it, as they are in bpf/.
type sim struct {
	random   *rand.Rand
	sockets  []*simSocket
	cpus     [simCPUs]Flow
	attached bool
	losing   float64 // share of events that are hidden from the programs
}

func newSim(seed uint64) *sim {
	return &sim{random: rand.New(rand.NewPCG(seed, 7))}
}

func (k *sim) cpu() *Flow { return &k.cpus[k.random.IntN(simCPUs)] }

func (k *sim) isSeen() bool { return k.attached && k.random.Float64() >= k.losing }

// set moves a socket on, and lets the programs see it or not.
func (k *sim) set(s *simSocket, old, now tcp.State) {
	if old == tcp.Close {
		s.place = k.random.Uint64()
	}
	s.state = now
	if k.isSeen() {
		k.follow(s, old, now)
	}
}

// follow is the program at inet_sock_set_state.
func (k *sim) follow(s *simSocket, old, now tcp.State) {
	switch {
	case s.seen == 0 && !isBirth(old, now):
		k.cpu().Adopted[old]++
	case s.seen != 0 && s.seen != old:
		k.cpu().Transitions[s.seen][old]++
	}
	k.cpu().Transitions[old][now]++
	s.seen = now
}

// destroy ends a socket, and is the program at tcp_destroy_sock.
func (k *sim) destroy(s *simSocket) {
	k.sockets = slices.DeleteFunc(k.sockets, func(other *simSocket) bool { return other == s })
	if !k.isSeen() || s.seen == 0 {
		return
	}
	if s.seen != tcp.Close {
		k.cpu().Transitions[s.seen][tcp.Close]++
	}
	k.cpu().Gone[tcp.Close]++
}

// adopt is the program that walks the tables at the start.
func (k *sim) adopt(s *simSocket) {
	if s.seen == 0 {
		s.seen = s.state
		k.cpu().Adopted[s.state]++
	}
}

func (k *sim) open() *simSocket {
	s := &simSocket{place: k.random.Uint64(), state: tcp.Close}
	k.sockets = append(k.sockets, s)
	return s
}

// bear is the birth of a child: the kernel copies the listener's entry to it.
func (k *sim) bear(listener *simSocket) *simSocket {
	child := &simSocket{place: k.random.Uint64(), state: tcp.SynRecv, seen: listener.seen}
	k.sockets = append(k.sockets, child)
	k.set(child, tcp.Listen, tcp.SynRecv)
	return child
}

// step lets one thing happen.
func (k *sim) step() {
	if k.random.IntN(simSockets) >= len(k.sockets) {
		k.open()
		return
	}
	s := k.sockets[k.random.IntN(len(k.sockets))]
	switch {
	case s.state == tcp.Close && k.random.IntN(2) == 0:
		k.destroy(s)
	case s.state == tcp.Listen && k.random.IntN(8) > 0:
		if len(k.sockets) < 2*simSockets {
			k.bear(s)
		}
	default:
		k.set(s, s.state, pick(k.random, nextStates[s.state]...))
	}
}

// steps lets up to most things happen.
func (k *sim) steps(most int) {
	for range k.random.IntN(most + 1) {
		k.step()
	}
}

// read sums the counters up while things happen: CPU by CPU, and row by row of each.
func (k *sim) read(busy int) Flow {
	var sum Flow
	for cpu := range k.cpus {
		for row := range sum.Transitions {
			k.steps(busy)
			for now := range sum.Transitions[row] {
				sum.Transitions[row][now] += k.cpus[cpu].Transitions[row][now]
			}
			k.steps(busy)
			sum.Adopted[row] += k.cpus[cpu].Adopted[row]
			k.steps(busy)
			sum.Gone[row] += k.cpus[cpu].Gone[row]
		}
	}
	return sum
}

// walk visits the tables in slices while things happen. Who is in Close is not in them.
func (k *sim) walk(busy int, visit func(*simSocket)) {
	const slice = math.MaxUint64/12 + 1
	for first := uint64(0); ; first += slice {
		k.steps(busy)
		last := first + slice - 1
		if last < first {
			last = math.MaxUint64
		}
		for _, s := range k.sockets {
			if s.state != tcp.Close && s.place >= first && s.place <= last {
				visit(s)
			}
		}
		if last == math.MaxUint64 {
			return
		}
	}
}

// count counts the tables' sockets by state.
func (k *sim) count(busy int) (counted [tcp.States + 1]uint64) {
	k.walk(busy, func(s *simSocket) { counted[s.state]++ })
	return counted
}

// attach starts the programs on a host that has sockets already, and walks them.
func (k *sim) attach(busy int) {
	k.steps(1000)
	k.attached = true
	k.steps(busy)
	k.walk(busy, k.adopt)
}

// truth is how many sockets there are; of those in Close, how many have an entry.
func (k *sim) truth() (states [tcp.States + 1]uint64) {
	for _, s := range k.sockets {
		if s.state != tcp.Close || s.seen != 0 {
			states[s.state]++
		}
	}
	return states
}
