package cli

import (
	"errors"

	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// gauge is how many sockets there are by state, and by how many it had to be corrected so far. It is for one goroutine.
type gauge interface {
	count() (counts tcp.Counts, drift uint64, err error)
	close() error
}

// isWholeHost says whether all sockets are selected, which is what the kernel's own counts of transitions are about.
func isWholeHost(s *selection) bool {
	return s.isByState() && s.filter.States == 0 && s.filter.NetNS == nil
}

// openGauge makes a gauge of a tracer, which it closes in the end, or at once when it fails.
func openGauge(env *Env, source Source, s *selection) (gauge, error) {
	if isWholeHost(s) {
		g, err := gaugesOf(env, source)
		if err != nil {
			return nil, err
		}
		return sampled{g}, nil
	}
	o := kernel.SnapshotOptions{NetNS: s.filter.NetNS}
	o.Tracer, _ = source.(*kernel.Tracer)
	counter, err := env.OpenCounter(o)
	if err != nil {
		return nil, errors.Join(err, source.Stop(), source.Close())
	}
	return counted{counter, source}, nil
}

// sampled follows the kernel's counts of transitions.
type sampled struct{ *gauges }

func (g sampled) count() (tcp.Counts, uint64, error) {
	s, err := g.sample()
	return s.Counts, s.Drift, err
}

// counted counts the sockets of some network namespaces, each time anew.
type counted struct {
	counter Counter
	source  Source
}

func (g counted) count() (tcp.Counts, uint64, error) {
	t, err := g.counter.Count()
	return t.Counts(), 0, err
}

func (g counted) close() error {
	return errors.Join(g.counter.Close(), g.source.Stop(), g.source.Close())
}
