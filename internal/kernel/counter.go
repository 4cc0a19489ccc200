package kernel

import (
	"errors"
	"fmt"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// Counter counts the host's TCP sockets by state without looking at any more closely: the kernel's side does it all. It is
// for one goroutine. It needs what Snapshots needs.
type Counter struct {
	walks  *walks
	ticks  ticks
	closed bool
	tracer *Tracer
}

// OpenCounter loads the programs. States other than Close cost nothing extra and are always counted; those in Close are
// found by a walk over all descriptors, and only if Close is among the states or they are 0. So are network namespaces
// that live by nothing but a descriptor on them or on a socket in them.
func OpenCounter(o SnapshotOptions) (*Counter, error) {
	c := &Counter{closed: o.States == 0 || o.States.Has(tcp.Close), tracer: o.Tracer}
	var err error
	if c.ticks, err = ticksOfKernel(); err != nil {
		return nil, err
	}
	programs := []string{snapshotProgCountSockets, snapshotProgListNamespaces}
	if c.closed {
		programs = append(programs, snapshotProgListHolders)
	}
	if c.walks, err = openWalks(&o, uint32(tcp.SetOf(tcp.Close)), programs); err != nil {
		return nil, err
	}
	return c, nil
}

// Count looks at every socket once. One that comes or goes meanwhile, or comes from or goes to Close, may be counted or not.
func (c *Counter) Count() (tally tcp.Tally, err error) {
	variables := c.walks.collection.Variables
	var full, bare [matrixSide]uint64
	for _, name := range []string{snapshotVarTallyFull, snapshotVarTallyBare} {
		if err := variables[name].Set(full); err != nil {
			return tally, fmt.Errorf("reset %s: %w", name, err)
		}
	}
	holders, unmark, err := c.holders()
	if err != nil {
		return tally, err
	}
	defer func() { err = errors.Join(err, unmark()) }()
	visited, err := c.walks.run(func() error { return c.walks.walk(snapshotProgCountSockets, noRows{}) }, holders)
	if err != nil {
		return tally, err
	}
	if err := variables[snapshotVarTallyFull].Get(&full); err != nil {
		return tally, fmt.Errorf("read counts: %w", err)
	}
	if err := variables[snapshotVarTallyBare].Get(&bare); err != nil {
		return tally, fmt.Errorf("read counts: %w", err)
	}
	copy(tally.Full[:], full[:])
	copy(tally.Bare[:], bare[:])
	if holders != nil {
		holders.count(&tally, visited)
	}
	return tally, nil
}

// count adds the sockets in Close, which no table of the kernel has.
func (s *holderSink) count(tally *tcp.Tally, visited []uint32) {
	tally.Full[tcp.Close] = 0
	for i := range s.found.sockets {
		socket := &s.found.sockets[i]
		switch {
		case !contains(visited, socket.NetNS):
		case socket.Zombie:
			tally.Zombies++
		default:
			tally.Full[tcp.Close]++
		}
	}
}

// Watch brings every full socket of the host into the gauges of the tracer, which was opened with Options.Gauges: see
// Stats.Adopted.
func (c *Counter) Watch() error {
	if c.tracer == nil || c.tracer.optional[bpfProgWatchSockets] == nil {
		return errors.New("no tracer keeps gauges")
	}
	holders, unmark, err := c.holders()
	if err != nil {
		return err
	}
	_, err = c.walks.run(func() error { return iterate(c.tracer.optional[bpfProgWatchSockets]) }, holders)
	return errors.Join(err, unmark())
}

// holders returns what takes the walk over descriptors, nil if there is to be none. Some namespaces are found in no other
// way.
func (c *Counter) holders() (holders *holderSink, unmark func() error, err error) {
	if !c.closed {
		return nil, func() error { return nil }, nil
	}
	unmark, err = c.tracer.markWalk()
	return newHolderSink(c.ticks, 0), unmark, err
}

// Close frees the programs.
func (c *Counter) Close() error { return c.walks.close() }
