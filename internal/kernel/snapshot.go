package kernel

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/clock"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// SnapshotOptions say what to look for. The zero value looks for every TCP socket of the host.
type SnapshotOptions struct {
	// States are those wanted, by the names that ss gives them; Close has zombies, too. 0: all.
	States tcp.StateSet
	// NetNS are the network namespaces wanted, by inode number; nil: all.
	NetNS []uint32
	// Tracer lends what it knows: exact ages, and owners that were seen to act. It may be nil.
	Tracer *Tracer
	// Pin is the directory in which another process's tracer keeps its state, such as PinDir: used if it is there, and
	// there is no Tracer.
	Pin string
}

// Snapshots takes snapshots of the host's TCP sockets. It is for one goroutine. It needs Linux 5.14 with BTF, CAP_BPF and
// CAP_PERFMON, and privilege.Namespaces for network namespaces other than its own.
type Snapshots struct {
	walks  *walks
	clock  *clock.Wall
	ticks  ticks
	states tcp.StateSet
	tracer *Tracer
}

// OpenSnapshots loads the programs. A kernel that cannot do it, or a process that may not, is an *UnsupportedError.
func OpenSnapshots(o SnapshotOptions) (*Snapshots, error) {
	s := &Snapshots{states: o.States, tracer: o.Tracer}
	var err error
	if s.ticks, err = ticksOfKernel(); err != nil {
		return nil, err
	}
	if s.clock, err = clock.New(); err != nil {
		return nil, err
	}
	programs := []string{
		snapshotProgListSockets, snapshotProgListHolders, snapshotProgListHeld, snapshotProgListNamespaces,
	}
	if s.walks, err = openWalks(&o, wantedMask(o.States), programs); err != nil {
		return nil, err
	}
	return s, nil
}

// wantedMask adds what is needed to tell who owns what was asked for: listeners.
func wantedMask(states tcp.StateSet) uint32 {
	if states == 0 {
		return ^uint32(0)
	}
	if states.Has(tcp.NewSynRecv) {
		states |= tcp.SetOf(tcp.SynRecv)
	}
	return uint32(states | tcp.SetOf(tcp.Listen))
}

// Take looks at every socket. One that is there before and after is in the result exactly once, if a process holds it all
// the time, or if it does not come from or go to Close meanwhile, and, before 6.17, the kernel does not skip it under
// churn; one that comes or goes may be. An error means that a part could not be seen.
func (s *Snapshots) Take() (*tcp.Snapshot, error) { return s.TakeUntil(tcp.Horizon{}) }

// TakeUntil is Take without the sockets that are proven to be beyond the horizon: those that came to be in their state
// later, and those in ESTABLISHED that were not idle since. It takes the less time the fewer are left.
func (s *Snapshots) TakeUntil(h tcp.Horizon) (_ *tcp.Snapshot, err error) {
	began := time.Now()
	now := s.clock.Refresh()
	snapshot := &tcp.Snapshot{Time: s.clock.At(now), Horizon: h}
	if err := s.walks.look(&h, now, s.ticks); err != nil {
		return nil, err
	}
	unmark, err := s.tracer.markWalk()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unmark()) }()

	expected := 0
	if h == (tcp.Horizon{}) {
		expected = expectedSockets()
	}
	sockets, holders := newFound(s.ticks, expected), newHolderSink(s.ticks, expected)
	ranges := portRanges{}
	visited, err := s.walks.run(func() error {
		if err := ranges.note(); err != nil {
			return err
		}
		return s.walks.walk(snapshotProgListSockets, socketSink{found: sockets})
	}, holders)
	if err != nil {
		return nil, err
	}
	sockets.merge(holders.found)
	if missing := sockets.missing(holders.held); len(missing) > 0 {
		if err := s.walks.walk(snapshotProgListHeld, missingSink{found: sockets, cookies: missing}); err != nil {
			return nil, err
		}
	}
	sockets.join(holders.held)
	ranges.settle(sockets.sockets)
	snapshot.Sockets = s.choose(sockets.sockets, visited)
	snapshot.NetNS = visited
	snapshot.Took = time.Since(began)
	return snapshot, nil
}

// choose moves the sockets that are wanted to the front, and returns them.
func (s *Snapshots) choose(sockets []tcp.Socket, visited []uint32) []tcp.Socket {
	n := 0
	for i := range sockets {
		if !s.wants(&sockets[i], visited) {
			continue
		}
		if n < i {
			sockets[n] = sockets[i]
		}
		n++
	}
	return sockets[:n]
}

func (s *Snapshots) wants(socket *tcp.Socket, visited []uint32) bool {
	if !contains(visited, socket.NetNS) {
		return false
	}
	return s.states == 0 || s.states&socket.States() != 0
}

// Close frees the programs.
func (s *Snapshots) Close() error { return s.walks.close() }

// markWalk tells the programs of a tracer, if there is one, that this process walks descriptors: the walk holds a
// reference on each file that it visits, and if that turns out to be the last one, somebody's close() runs here.
func (t *Tracer) markWalk() (unmark func() error, err error) {
	if t == nil {
		return func() error { return nil }, nil
	}
	if err := t.walker.Set(uint32(os.Getpid())); err != nil {
		return nil, fmt.Errorf("announce the walk: %w", err)
	}
	return func() error { return t.walker.Set(uint32(0)) }, nil
}

// socketSink takes what iter/tcp shows.
type socketSink struct {
	noRows
	found *found
}

func (s socketSink) full(row *snapshotFullRow)   { s.found.full(row) }
func (s socketSink) bare(row *snapshotSocketRow) { s.found.bare(row) }

// missingSink takes of the held sockets those that are missing.
type missingSink struct {
	noRows
	found   *found
	cookies map[uint64]bool
}

func (s missingSink) full(row *snapshotFullRow) {
	if s.cookies[row.Head.Cookie] {
		s.found.full(row)
	}
}

// holderSink takes what iter/task_file shows.
type holderSink struct {
	noRows
	found *found // sockets in Close
	held  []held
	ways  []namespaceWay
}

func newHolderSink(t ticks, expected int) *holderSink {
	return &holderSink{found: newFound(t, 0), held: make([]held, 0, expected)}
}

// namespaceWay is a way to a namespace.
type namespaceWay struct {
	inode uint32
	way   way
}

func (s *holderSink) full(row *snapshotFullRow) { s.found.full(row) }

func (s *holderSink) holder(row *snapshotHolderRow) {
	s.held = append(s.held, held{
		cookie: row.Cookie, address: row.Address, holder: tcp.Holder{PID: row.Pid, FD: row.Fd, Comm: row.Comm},
	})
}

func (s *holderSink) namespace(row *snapshotNamespaceRow) {
	s.ways = append(s.ways, namespaceWay{row.Netns, way{kind: snapshotNamespaceWay(row.Way), pid: row.Pid, fd: row.Fd}})
}

// waySink takes what iter/task shows.
type waySink struct {
	noRows
	to *namespaces
}

func (s waySink) namespace(row *snapshotNamespaceRow) {
	s.to.add(row.Netns, way{kind: snapshotNamespaceWay(row.Way), pid: row.Pid})
}

// contains says whether an ascending list has the namespace.
func contains(namespaces []uint32, inode uint32) bool {
	_, ok := slices.BinarySearch(namespaces, inode)
	return ok
}

// expectedSockets returns about how many sockets of TCP the host has, by the kernel's own count of full ones and of our
// namespace's minisocks (net/ipv4/proc.c, sockstat_seq_show): a bit more room than is needed costs less than to make room
// again and again.
func expectedSockets() int {
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] == "TCP:" {
			n := numberAfter(words, "alloc") + numberAfter(words, "tw")
			return n + n/16
		}
	}
	return 0
}

// numberAfter returns the number behind a word, at most some millions; 0 if there is none.
func numberAfter(words []string, word string) int {
	at := slices.Index(words, word) + 1
	if at == 0 || at == len(words) {
		return 0
	}
	n, err := strconv.ParseUint(words[at], 10, 24)
	if err != nil {
		return 0
	}
	return int(n)
}
