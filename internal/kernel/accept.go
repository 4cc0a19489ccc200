package kernel

import (
	"errors"
	"fmt"
	"maps"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

const (
	// knobs is the section with the constants of bpf/config.h.
	knobs = ".rodata"
	// acceptFlagParams is how many parameters inet_csk_accept() had before 6.10: sk, flags, err, kern.
	acceptFlagParams = 4
	// acceptArgParams is how many it has from 6.10 on (92ef0fd55ac8): sk, proto_accept_arg.
	acceptArgParams = 2
)

// attachAccept arms the program that makes the process that ran accept() the owner. It needs a trampoline, which some
// kernels refuse: an error here costs exactness and nothing else.
// It strips the spec of everything else.
func (t *Tracer) attachAccept(spec *ebpf.CollectionSpec, o *Options, cache *btf.Cache) error {
	name, err := acceptProgram(cache)
	if err != nil {
		return err
	}
	for program := range spec.Programs {
		if program != name {
			delete(spec.Programs, program)
		}
	}
	var variables bpfVariableSpecs
	if err := errors.Join(spec.Assign(&variables), choose(&variables, o)); err != nil {
		return err
	}
	maps.DeleteFunc(spec.Variables, func(_ string, v *ebpf.VariableSpec) bool { return v.SectionName != knobs })
	shared := map[string]*ebpf.Map{
		bpfMapEntries: t.maps.Entries, bpfMapCells: t.maps.Cells, bpfMapCounts: t.maps.Counts, bpfMapStacks: t.maps.Stacks, bpfMapDrafts: t.maps.Drafts,
		bpfMapFreshStacks: t.maps.FreshStacks,
	}
	for name, m := range spec.Maps {
		switch replacement, ok := shared[name]; {
		case ok:
			m.MaxEntries = replacement.MaxEntries() // as it was made
		case name != knobs:
			delete(spec.Maps, name)
		}
	}
	t.accept, err = ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: shared, Cache: cache})
	if err != nil {
		return err
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: t.accept.Programs[name]})
	if err != nil {
		return err
	}
	t.links = append(t.links, l)
	return nil
}

// acceptProgram names the program that fits this kernel's inet_csk_accept().
func acceptProgram(cache *btf.Cache) (string, error) {
	spec, err := cache.Kernel()
	if err != nil {
		return "", err
	}
	var accept *btf.Func
	if err := spec.TypeByName("inet_csk_accept", &accept); err != nil {
		return "", err
	}
	proto, ok := accept.Type.(*btf.FuncProto)
	if !ok {
		return "", errors.New("inet_csk_accept has no prototype")
	}
	switch len(proto.Params) {
	case acceptFlagParams:
		return bpfProgInetCskAcceptFlags, nil
	case acceptArgParams:
		return bpfProgInetCskAcceptArg, nil
	}
	return "", fmt.Errorf("inet_csk_accept has %d parameters", len(proto.Params))
}

// acceptNote says what is lost without the accept program.
func acceptNote(err error) string {
	return "accept() cannot be watched here (" + firstCause(err) +
		"): an accepted socket belongs to whoever called listen(), until someone closes it"
}
