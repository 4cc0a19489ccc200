package kernel

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"

	"github.com/tcptrail/tcptrail/internal/proc"
)

// walks are the programs of bpf/snapshot.bpf.c, ready to run any number of times.
type walks struct {
	iters      map[string]*link.Iter
	collection *ebpf.Collection
	only       []uint32
}

// openWalks loads the named programs.
func openWalks(o *SnapshotOptions, wanted uint32, programs []string) (_ *walks, err error) {
	if err := checkHost(snapshotRoom); err != nil {
		return nil, err
	}
	spec, err := loadSnapshot()
	if err != nil {
		return nil, fmt.Errorf("read programs: %w", err)
	}
	for name := range spec.Programs {
		if !slices.Contains(programs, name) {
			delete(spec.Programs, name)
		}
	}
	w := &walks{iters: map[string]*link.Iter{}, only: o.NetNS}
	defer func() {
		if err != nil {
			err = errors.Join(explain("load", err), w.close())
		}
	}()
	options := ebpf.CollectionOptions{Cache: btf.NewCache()}
	release, err := lend(o, spec, &options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := spec.Variables[snapshotVarWanted].Set(wanted); err != nil {
		return nil, err
	}
	if w.collection, err = ebpf.NewCollectionWithOptions(spec, options); err != nil {
		return nil, err
	}
	if err = w.attach(); err != nil {
		return nil, err
	}
	return w, nil
}

// attach makes the programs ready to run.
func (w *walks) attach() error {
	for name, program := range w.collection.Programs {
		it, err := link.AttachIter(link.IterOptions{Program: program})
		if err != nil {
			return fmt.Errorf("attach %s: %w", name, err) // and keep no nil, which close would use
		}
		w.iters[name] = it
	}
	return nil
}

// lend gives the programs what a tracer knows: the one of the options, or whoever keeps its state in bpffs.
func lend(o *SnapshotOptions, spec *ebpf.CollectionSpec, options *ebpf.CollectionOptions) (release func() error, err error) {
	release = func() error { return nil }
	table := spec.Maps[snapshotMapCells]
	table.MaxEntries = 1 // unless there are some
	state := &pinnedState{live: true}
	switch {
	case o.Tracer != nil:
		state.entries, state.cells = o.Tracer.maps.Entries, o.Tracer.maps.Cells
	case o.Pin != "":
		if state, err = readPin(o.Pin, spec); err != nil || state == nil {
			return release, err
		}
		release = state.entries.Close
	default:
		return release, nil
	}
	options.MapReplacements = map[string]*ebpf.Map{snapshotMapEntries: state.entries}
	if state.cells != nil && state.cells.MaxEntries() > 1 {
		options.MapReplacements[snapshotMapCells], table.MaxEntries = state.cells, state.cells.MaxEntries()
		if err := spec.Variables[snapshotVarWithCells].Set(true); err != nil {
			return release, err
		}
	}
	return release, errors.Join(spec.Variables[snapshotVarTraced].Set(true), spec.Variables[snapshotVarLive].Set(state.live))
}

func (w *walks) close() error {
	var errs []error
	for _, it := range w.iters {
		errs = append(errs, it.Close())
	}
	if w.collection != nil {
		w.collection.Close()
	}
	return errors.Join(errs...)
}

// walk runs one program to its end and hands its rows to the sink.
func (w *walks) walk(program string, sink rowSink) error {
	r, err := w.iters[program].Open()
	if err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	defer r.Close()
	if err := readRows(r, sink); err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	return nil
}

// run looks at every network namespace from inside, and meanwhile walks all descriptors if holders is not nil. It returns
// which namespaces it has visited, ascending.
func (w *walks) run(look func() error, holders *holderSink) ([]uint32, error) {
	n := newNamespaces(w.only)
	if err := w.find(n); err != nil {
		return nil, err
	}
	walked := make(chan error, 1)
	go func() { walked <- w.walkHolders(holders) }()
	err := w.visit(n, look)
	if err = errors.Join(err, <-walked); err != nil {
		return nil, err
	}
	if holders != nil {
		for _, found := range holders.ways {
			n.add(found.inode, found.way)
		}
		if err := w.visit(n, look); err != nil {
			return nil, err
		}
	}
	return n.seen(), nil
}

func (w *walks) walkHolders(holders *holderSink) error {
	if holders == nil {
		return nil
	}
	if err := w.collection.Variables[snapshotVarLastSocketNetns].Set(uint32(0)); err != nil {
		return err
	}
	return w.walk(snapshotProgListHolders, holders)
}

// find looks for network namespaces: those of tasks, those that are mounted, and our own.
func (w *walks) find(n *namespaces) error {
	if err := w.collection.Variables[snapshotVarLastTaskNetns].Set(uint32(0)); err != nil {
		return err
	}
	if err := w.walk(snapshotProgListNamespaces, waySink{to: n}); err != nil {
		return err
	}
	mounts, err := proc.FS{}.NetNSMounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		n.add(m.Inode, way{path: m.Path})
	}
	ours, err := netnsOfThread()
	if err != nil {
		return err
	}
	n.add(ours, way{kind: snapshotNamespaceWayBY_TASK, pid: uint32(os.Getpid())})
	return nil
}

// visit looks at each namespace that was not visited yet.
func (w *walks) visit(n *namespaces, look func() error) error {
	for range maxSearches {
		lost, err := n.visit(look)
		if err != nil || lost == 0 {
			return err
		}
		if err := w.find(n); err != nil {
			return err
		}
	}
	return nil // what is still being lost and found is being made and ended
}
