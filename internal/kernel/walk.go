package kernel

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Adopt walks every descriptor of every process that this PID namespace shows and makes its holder the owner of each
// TCP socket that has none yet, with evidence "fd". What a live event says wins, whichever comes first. It returns how
// many MPTCP sockets in other network namespaces keep an unknown owner, for want of the right to enter those.
func (t *Tracer) Adopt() (unknown int, err error) {
	unmark, err := t.markWalk()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, unmark()) }()
	if err := iterate(t.programs.Walk); err != nil {
		return 0, fmt.Errorf("walk descriptors: %w", err)
	}
	return t.adoptSubflows()
}

// adoptSubflows gives the TCP subflows of MPTCP sockets the owner of those, in each network namespace that has any.
func (t *Tracer) adoptSubflows() (unknown int, err error) {
	namespaces := map[uint32][]int{} // holders, one for each socket
	var (
		key     uint64
		subflow bpfSubflow
		keys    []uint64
	)
	for it := t.maps.Subflows.Iterate(); it.Next(&key, &subflow); {
		keys = append(keys, key)
		namespaces[subflow.Netns] = append(namespaces[subflow.Netns], int(subflow.Pid))
	}
	for _, holders := range namespaces {
		if err := t.adoptSubflowsOf(holders); err != nil {
			unknown += len(holders)
		}
	}
	for _, k := range keys {
		if err := t.maps.Subflows.Delete(k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return unknown, fmt.Errorf("empty the table of subflows: %w", err)
		}
	}
	return unknown, nil
}

// iterate runs an iterator program to its end.
func iterate(program *ebpf.Program) error {
	it, err := link.AttachIter(link.IterOptions{Program: program})
	if err != nil {
		return err
	}
	defer it.Close()
	r, err := it.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return readRows(r, noRows{})
}

// noRows takes what none is expected of.
type noRows struct{}

func (noRows) full(*snapshotFullRow)           {}
func (noRows) bare(*snapshotSocketRow)         {}
func (noRows) holder(*snapshotHolderRow)       {}
func (noRows) namespace(*snapshotNamespaceRow) {}

// adoptSubflowsOf enters the network namespace of whichever holder is there still. Where all have ended meanwhile, no right
// was wanting.
func (t *Tracer) adoptSubflowsOf(holders []int) (err error) {
	for _, pid := range slices.Compact(holders) {
		err = inNetNSOf(pid, func() error { return iterate(t.programs.AdoptSubflows) })
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
