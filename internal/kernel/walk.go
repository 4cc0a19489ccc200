package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Adopt walks every descriptor of every process that this PID namespace shows and makes its holder the owner of each
// TCP socket that has none yet, with evidence "fd". What a live event says wins, whichever comes first. It returns how
// many MPTCP sockets in other network namespaces keep an unknown owner, for want of the right to enter those.
func (t *Tracer) Adopt() (unknown int, err error) {
	// The walk holds a reference on each file it visits; if that turns out to be the last one, close() runs here.
	if err := t.walker.Set(uint32(os.Getpid())); err != nil {
		return 0, fmt.Errorf("announce the walk: %w", err)
	}
	defer func() { err = errors.Join(err, t.walker.Set(uint32(0))) }()
	if err := iterate(t.programs.Walk); err != nil {
		return 0, fmt.Errorf("walk descriptors: %w", err)
	}
	return t.adoptSubflows()
}

// adoptSubflows gives the TCP subflows of MPTCP sockets the owner of those, in each network namespace that has any.
func (t *Tracer) adoptSubflows() (unknown int, err error) {
	type held struct {
		pid, sockets int
	}
	namespaces := map[uint32]held{}
	var (
		key     uint64
		subflow bpfSubflow
		keys    []uint64
	)
	for it := t.maps.Subflows.Iterate(); it.Next(&key, &subflow); {
		keys = append(keys, key)
		h := namespaces[subflow.Netns]
		namespaces[subflow.Netns] = held{int(subflow.Pid), h.sockets + 1}
	}
	for _, h := range namespaces {
		if err := inNetNSOf(h.pid, func() error { return iterate(t.programs.AdoptSubflows) }); err != nil {
			unknown += h.sockets
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
	return readAll(r)
}

// readAll reads to the end. A walk over a million descriptors without output stops with EAGAIN and goes on where it
// was (kernel/bpf/bpf_iter.c, MAX_ITER_OBJECTS).
func readAll(r io.Reader) error {
	var buf [4096]byte
	for {
		_, err := r.Read(buf[:])
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		}
	}
}
